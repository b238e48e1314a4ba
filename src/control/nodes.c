#include "control/nodes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"

static struct node_record *record_new(uint32_t number, enum arm arm, const struct config_node *n)
{
	struct node_record *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	r->state.number = number;
	atomic_store_explicit(&r->state.healthy, true, memory_order_relaxed);
	r->arm = arm;
	r->name = n->name;
	r->host = n->host;
	r->port = n->port;
	r->tls = n->tls;
	r->literal = n->literal;
	r->awaited = !n->literal;
	snprintf(r->check, sizeof r->check, "not checked yet");
	if (n->literal)
		r->addresses[r->address_n++] = n->addr;
	return r;
}

void nodes_open(struct nodes *s, const struct config *c)
{
	*s = (struct nodes){ .list = calloc(NODES_MAX, sizeof(struct node_record *)) };
	if (!s->list)
		abort();
	for (int arm = 0; arm < ARMS; arm++)
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next) {
			must(s->n < NODES_MAX);
			s->list[s->n] = record_new((uint32_t)s->n, (enum arm)arm, n);
			s->n++;
		}
}

void nodes_close(struct nodes *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->list[i]);
	free(s->list);
	*s = (struct nodes){ 0 };
}

struct node_record *nodes_find(const struct nodes *s, enum arm arm, const struct config_node *n)
{
	for (size_t i = 0; i < s->n; i++) {
		struct node_record *r = s->list[i];
		if (r->arm == arm && r->port == n->port && r->tls == n->tls &&
		    !strcasecmp(r->host, n->host))
			return r;
	}
	return NULL;
}

static void set_port(struct addr *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET6)
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr));
}

bool node_take_addresses(struct node_record *n, const struct addr *addresses, size_t address_n)
{
	struct addr fresh[NODE_ADDRESSES_MAX];
	memset(fresh, 0, sizeof fresh);
	if (address_n > NODE_ADDRESSES_MAX)
		address_n = NODE_ADDRESSES_MAX;
	for (size_t i = 0; i < address_n; i++) {
		fresh[i] = addresses[i];
		set_port(&fresh[i], n->port);
	}
	qsort(fresh, address_n, sizeof fresh[0], by_bytes);
	if (address_n == n->address_n && !memcmp(fresh, n->addresses, address_n * sizeof fresh[0]))
		return false;
	memcpy(n->addresses, fresh, sizeof fresh);
	n->address_n = address_n;
	return true;
}
