#include "control/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/log.h"

static void say_addresses(const struct node_record *n)
{
	char text[512] = "";
	size_t used = 0;
	for (size_t i = 0; i < n->address_n && used < sizeof text; i++) {
		char one[ADDR_TEXT_BYTES];
		addr_host_text(&n->addresses[i], one);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "",
					 one);
	}
	log_line(LOG_INFO, "%s: %s is %s", arm_name(n->arm), n->host, text);
}

static bool take_one(struct names *s, size_t i)
{
	struct addr addresses[RESOLVE_ADDRESSES];
	size_t address_n;
	const char *why;
	struct node_record *n = s->of[i];
	bool awaited = n->awaited;
	switch (resolver_take(s->resolver, i, addresses, &address_n, &why)) {
	case RESOLVED_NOTHING_NEW:
		return false;
	case RESOLVE_FAILED:
		n->awaited = false;
		if (!s->failing[i])
			log_line(LOG_WARN, "%s: %s cannot be resolved: %s%s", arm_name(n->arm),
				 n->host, why,
				 n->address_n ? "; the addresses known are kept" : "");
		s->failing[i] = true;
		return awaited;
	case RESOLVED:
		break;
	}
	n->awaited = s->failing[i] = false;
	if (!node_take_addresses(n, addresses, address_n))
		return awaited;
	say_addresses(n);
	return true;
}

bool names_take(struct names *s)
{
	bool changed = false;
	for (size_t i = 0; i < s->n; i++)
		changed |= take_one(s, i);
	return changed;
}

bool names_open(struct names *s, const struct nodes *nodes, void (*news)(void *), void *hearer)
{
	*s = (struct names){ .nodes = nodes };
	s->of = calloc(nodes->n + 1, sizeof(struct node_record *));
	s->list = calloc(nodes->n + 1, sizeof(const char *));
	s->failing = calloc(nodes->n + 1, sizeof(bool));
	must(s->of && s->list && s->failing);
	for (size_t i = 0; i < nodes->n; i++)
		if (!nodes->list[i]->literal) {
			s->of[s->n] = nodes->list[i];
			s->list[s->n++] = nodes->list[i]->host;
		}
	if (!s->n)
		return true;
	s->resolver = resolver_open(&(struct resolver_config){
		.names = s->list, .n = s->n, .news = news, .hearer = hearer });
	return s->resolver != NULL;
}

void names_close(struct names *s)
{
	if (s->resolver)
		resolver_close(s->resolver);
	free(s->of);
	free(s->list);
	free(s->failing);
	*s = (struct names){ 0 };
}
