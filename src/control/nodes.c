#include "control/nodes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"

static char *copy(const char *text)
{
	char *own = strdup(text);
	if (!own)
		abort();
	return own;
}

static struct node_record *record_new(uint32_t number, enum arm arm, const struct config_node *n)
{
	struct node_record *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	r->state.number = number;
	atomic_store_explicit(&r->state.healthy, true, memory_order_relaxed);
	r->arm = arm;
	r->name = copy(n->name);
	r->host = copy(n->host);
	r->port = n->port;
	r->tls = n->tls;
	r->literal = n->literal;
	r->awaited = !n->literal;
	snprintf(r->check, sizeof r->check, "not checked yet");
	if (n->literal)
		r->addresses[r->address_n++] = n->addr;
	return r;
}

static void record_free(struct node_record *r)
{
	free(r->name);
	free(r->host);
	free(r);
}

void nodes_open(struct nodes *s, const struct config *c)
{
	*s = (struct nodes){ .list = calloc(NODES_MAX, sizeof(struct node_record *)) };
	if (!s->list)
		abort();
	must(nodes_add(s, c));
}

void nodes_close(struct nodes *s)
{
	for (size_t i = 0; i < s->n + s->gone_n; i++)
		record_free(s->list[i]);
	free(s->list);
	*s = (struct nodes){ 0 };
}

/* --- identity --- */

static bool is_record_of(const struct node_record *r, enum arm arm, const struct config_node *n)
{
	return r->arm == arm && r->port == n->port && r->tls == n->tls &&
	       !strcasecmp(r->host, n->host);
}

struct node_record *nodes_find(const struct nodes *s, enum arm arm, const struct config_node *n)
{
	for (size_t i = 0; i < s->n; i++)
		if (is_record_of(s->list[i], arm, n))
			return s->list[i];
	return NULL;
}

static void swap(struct nodes *s, size_t a, size_t b)
{
	struct node_record *r = s->list[a];
	s->list[a] = s->list[b];
	s->list[b] = r;
}

/* One that is gone and comes back before it is forgotten is the same node. */
static bool bring_back(struct nodes *s, enum arm arm, const struct config_node *n)
{
	for (size_t i = s->n; i < s->n + s->gone_n; i++) {
		if (!is_record_of(s->list[i], arm, n))
			continue;
		swap(s, i, s->n);
		s->n++;
		s->gone_n--;
		return true;
	}
	return false;
}

static uint32_t free_number(const struct nodes *s)
{
	bool taken[NODES_MAX] = { false };
	uint32_t number = 0;
	for (size_t i = 0; i < s->n + s->gone_n; i++)
		taken[s->list[i]->state.number] = true;
	while (number < NODES_MAX && taken[number])
		number++;
	return number;
}

static bool add_one(struct nodes *s, enum arm arm, const struct config_node *n, bool unproven)
{
	if (nodes_find(s, arm, n) || bring_back(s, arm, n))
		return true;
	uint32_t number = free_number(s);
	if (number == NODES_MAX)
		return false;
	struct node_record *r = record_new(number, arm, n);
	r->unproven = unproven;
	atomic_store_explicit(&r->state.healthy, !unproven, memory_order_relaxed);
	s->list[s->n + s->gone_n] = r;
	swap(s, s->n, s->n + s->gone_n);
	s->n++;
	return true;
}

static bool config_has(const struct config *c, const struct node_record *r)
{
	for (const struct config_node *n = c->clusters[r->arm].nodes; n; n = n->next)
		if (is_record_of(r, r->arm, n))
			return true;
	return false;
}

/* Somebody of the cluster serves, and goes on to. */
static bool any_stays(const struct nodes *s, enum arm arm, const struct config *c)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i]->arm == arm && node_is_healthy(s->list[i]) &&
		    config_has(c, s->list[i]))
			return true;
	return false;
}

bool nodes_add(struct nodes *s, const struct config *c)
{
	for (int arm = 0; arm < ARMS; arm++) {
		bool others = any_stays(s, (enum arm)arm, c);
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next)
			if (!add_one(s, (enum arm)arm, n, others))
				return false;
	}
	return true;
}

/* --- going --- */

/* The others keep their order: that of the configuration, and newer ones behind. */
void nodes_retire(struct nodes *s, const struct config *c)
{
	struct node_record *gone[NODES_MAX];
	size_t kept = 0, gone_n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (config_has(c, s->list[i]))
			s->list[kept++] = s->list[i];
		else
			gone[gone_n++] = s->list[i];
	for (size_t i = 0; i < gone_n; i++)
		s->list[kept + i] = gone[i];
	s->n = kept;
	s->gone_n += gone_n;
}

void nodes_sweep(struct nodes *s, const bool named[NODES_MAX])
{
	size_t kept = s->n;
	for (size_t i = s->n; i < s->n + s->gone_n; i++)
		if (named[s->list[i]->state.number])
			s->list[kept++] = s->list[i];
		else
			record_free(s->list[i]);
	s->gone_n = kept - s->n;
}

/* --- addresses --- */

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

/* --- names --- */

const char *node_full_name(const struct node_record *n, char name[NODE_NAME_BYTES])
{
	bool v6 = strchr(n->host, ':') != NULL;
	snprintf(name, NODE_NAME_BYTES, "%s/%s%s%s:%u", arm_name(n->arm), v6 ? "[" : "", n->host,
		 v6 ? "]" : "", n->port);
	return name;
}

static bool is_called(const struct node_record *r, const char *name)
{
	char full[NODE_NAME_BYTES];
	node_full_name(r, full);
	const char *after = strchr(full, '/') + 1;
	size_t cluster_n = (size_t)(after - full);
	if (!strncmp(name, full, cluster_n))
		name += cluster_n;
	return !strcasecmp(name, r->name) || !strcasecmp(name, after);
}

struct node_search nodes_search(const struct nodes *s, const char *name)
{
	struct node_search found = { 0 };
	for (size_t i = 0; i < s->n; i++)
		if (is_called(s->list[i], name) && found.n++ == 0)
			found.node = s->list[i];
	return found;
}

/* --- draining --- */

void node_drain(struct node_record *n, enum node_duty duty, uint64_t wall_ns, const char *by,
		const char *why)
{
	n->drained_wall_ns = wall_ns;
	snprintf(n->drained_by, sizeof n->drained_by, "%s", by);
	snprintf(n->drained_why, sizeof n->drained_why, "%s", why);
	node_set_duty(n, duty);
}
