#include "control/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/self_nodes.h"

static void names_log_addresses(struct node_name *name, uint64_t now_ms)
{
	const struct node_record *n = name->of;
	char text[512] = "", more[64] = "";
	size_t used = 0;
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX && used < sizeof text; i++) {
		char one[ADDR_TEXT_BYTES];
		if (!n->places[i] || (n->spare >> i & 1))
			continue;
		addr_host_text(&n->places[i]->at, one);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "",
					 one);
	}
	if (name->unlogged > 1)
		snprintf(more, sizeof more, " (%u look-ups had new addresses since the last line)",
			 name->unlogged);
	log_line(LOG_INFO, "%s: the addresses of %s are %s%s", arm_name(n->arm), n->host, text,
		 more);
	name->logged = true;
	name->logged_ms = now_ms;
	name->unlogged = 0;
}

static bool names_look_up_failed(struct node_name *name, const char *why)
{
	struct node_record *n = name->of;
	bool awaited = node_is_awaited(n);
	if (!name->failing)
		log_line(LOG_WARN, "%s: the name %s cannot be resolved: %s%s", arm_name(n->arm),
			 n->host, why, n->address_n ? "; its known addresses stay in use" : "");
	name->failing = true;
	node_wait_no_more(n);
	return awaited;
}

/* A request to such an address would come back to this balancer: no node may have it. */
static size_t names_leave_out_own(const struct names *s, struct node_name *name,
				  struct addr *addresses, size_t n)
{
	char which[SELF_NODES_TEXT_BYTES], text[ADDR_TEXT_BYTES];
	size_t kept = 0;
	bool own = false;
	for (size_t i = 0; i < n; i++) {
		struct addr at = addresses[i];
		addr_set_port(&at, name->of->port);
		if (!self_nodes_have(s->config, &at, which)) {
			addresses[kept++] = addresses[i];
			continue;
		}
		addr_text(&at, text);
		if (!own && !name->own)
			log_line(LOG_ERROR,
				 "%s: %s is %s, which is this balancer itself (%s): that address "
				 "gets no requests, because they would come back again and again",
				 arm_name(name->of->arm), name->of->host, text, which);
		own = true;
	}
	name->own = own;
	return kept;
}

static bool names_take_one(struct names *s, size_t i, uint64_t now_ms)
{
	struct addr addresses[RESOLVE_ADDRESSES];
	size_t address_n;
	const char *why;
	struct node_name *name = &s->of[i];
	enum resolved what = resolver_take(s->resolver, i, addresses, &address_n, &why);
	if (what == RESOLVED_NOTHING_NEW)
		return false;
	if (what == RESOLVE_FAILED)
		return names_look_up_failed(name, why);
	address_n = names_leave_out_own(s, name, addresses, address_n);
	struct node_change change = node_take_addresses(name->of, addresses, address_n, now_ms);
	name->failing = false;
	name->unlogged += change.fresh;
	if (name->unlogged && (!name->logged || now_ms - name->logged_ms >= NAME_SAID_MS))
		names_log_addresses(name, now_ms);
	return change.any;
}

bool names_take(struct names *s, uint64_t now_ms)
{
	bool changed = false;
	for (size_t i = 0; i < s->n; i++)
		changed |= names_take_one(s, i, now_ms);
	return changed;
}

bool names_open(struct names *s, const struct nodes *nodes, const struct config *config,
		void (*news)(void *), void *observer)
{
	*s = (struct names){ .nodes = nodes, .config = config };
	s->of = calloc(nodes->n + 1, sizeof *s->of);
	s->list = calloc(nodes->n + 1, sizeof(const char *));
	must(s->of && s->list);
	for (size_t i = 0; i < nodes->n; i++)
		if (!nodes->list[i]->literal) {
			s->of[s->n].of = nodes->list[i];
			s->list[s->n++] = nodes->list[i]->host;
		}
	if (!s->n)
		return true;
	s->resolver = resolver_open(&(struct resolver_config){
		.names = s->list, .n = s->n, .news = news, .observer = observer });
	return s->resolver != NULL;
}

void names_close(struct names *s)
{
	if (s->resolver)
		resolver_close(s->resolver);
	free(s->of);
	free(s->list);
	*s = (struct names){ 0 };
}
