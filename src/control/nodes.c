#include "control/nodes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/limits.h"

static char *text_copy(const char *text)
{
	char *own = strdup(text);
	if (!own)
		abort();
	return own;
}

/* --- addresses --- */

static struct node_address *place_take(struct node_record *n, unsigned place, const struct addr *at)
{
	struct node_address *a = calloc(1, sizeof *a);
	if (!a)
		abort();
	a->at = *at;
	snprintf(a->check, sizeof a->check, "not checked yet");
	n->places[place] = a;
	n->address_n++;
	node_set_ill(n, place, false);
	return a;
}

static void place_give(struct node_record *n, unsigned place)
{
	free(n->places[place]);
	n->places[place] = NULL;
	n->address_n--;
	n->spare &= ~(UINT64_C(1) << place);
	node_set_ill(n, place, false);
}

/* Copies the addresses to the workers' side; the workers must be told. */
static void share_addresses(struct node_record *n)
{
	struct node_addresses a = { .spare = n->spare };
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++)
		if (n->places[i]) {
			a.list[i] = n->places[i]->at;
			a.n = i + 1;
		}
	node_state_set_addresses(&n->state, &a);
}

/* NODE_ADDRESSES_MAX: the address is not known. */
static unsigned node_place_of(const struct node_record *n, const struct addr *at)
{
	unsigned i = 0;
	while (i < NODE_ADDRESSES_MAX && !(n->places[i] && addr_is(&n->places[i]->at, at)))
		i++;
	return i;
}

/* A free place, else the place of the spare address that was not seen for the longest time. */
static unsigned place_for_another(struct node_record *n)
{
	unsigned oldest = NODE_ADDRESSES_MAX;
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++) {
		if (!n->places[i])
			return i;
		if ((n->spare >> i & 1) && (oldest == NODE_ADDRESSES_MAX ||
					    n->places[i]->seen_ms < n->places[oldest]->seen_ms))
			oldest = i;
	}
	if (oldest < NODE_ADDRESSES_MAX)
		place_give(n, oldest);
	return oldest;
}

/* If other addresses are well, a new one serves only after it has passed a check. */
static unsigned node_add_address(struct node_record *n, const struct addr *at, bool others)
{
	unsigned place = place_for_another(n);
	if (place == NODE_ADDRESSES_MAX)
		return place;
	place_take(n, place, at)->unproven = others;
	node_set_ill(n, place, others);
	return place;
}

static bool node_drop_old_addresses(struct node_record *n, uint64_t now_ms)
{
	bool any = false;
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++)
		if ((n->spare >> i & 1) && now_ms - n->places[i]->seen_ms >= NODE_ADDRESS_KEEP_MS) {
			place_give(n, i);
			any = true;
		}
	return any;
}

/* At first all known addresses count as spare. */
static uint64_t all_places(const struct node_record *n)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++)
		all |= (uint64_t)(n->places[i] != NULL) << i;
	return all;
}

struct node_change node_take_addresses(struct node_record *n, const struct addr *addresses,
				       size_t address_n, uint64_t now_ms)
{
	struct node_change change = { .any = node_is_awaited(n) };
	uint64_t spare = n->spare;
	bool others = node_places_well(n) != 0;
	n->spare = all_places(n);
	for (size_t i = 0; i < address_n; i++) {
		struct addr at = addresses[i];
		addr_set_port(&at, n->port);
		unsigned place = node_place_of(n, &at);
		if (place == NODE_ADDRESSES_MAX) {
			place = node_add_address(n, &at, others);
			change.fresh |= place < NODE_ADDRESSES_MAX;
		}
		if (place == NODE_ADDRESSES_MAX)
			break;
		n->places[place]->seen_ms = now_ms;
		n->spare &= ~(UINT64_C(1) << place);
	}
	change.any |= node_drop_old_addresses(n, now_ms);
	change.any |= change.fresh || spare != n->spare;
	if (change.any)
		share_addresses(n);
	/* Release order: a worker that sees false here sees the addresses, too. */
	atomic_store_explicit(&n->state.awaited, false, memory_order_release);
	return change;
}

void node_wait_no_more(struct node_record *n)
{
	atomic_store_explicit(&n->state.awaited, false, memory_order_relaxed);
}

bool node_set_ill(struct node_record *n, unsigned place, bool ill)
{
	uint64_t bit = UINT64_C(1) << place;
	uint64_t before = atomic_load_explicit(&n->state.ill, memory_order_relaxed);
	uint64_t now = ill ? before | bit : before & ~bit;
	atomic_store_explicit(&n->state.ill, now, memory_order_relaxed);
	return now != before;
}

uint64_t node_places_well(const struct node_record *n)
{
	return all_places(n) & ~atomic_load_explicit(&n->state.ill, memory_order_relaxed);
}

const char *node_check(const struct node_record *n)
{
	uint64_t well = node_places_well(n);
	unsigned place = n->newest_check;
	if (!n->address_n)
		return node_is_awaited(n) ? "its name is being looked up"
					  : "its name is not resolved";
	if ((well && !(well >> place & 1)) || !n->places[place])
		place = (unsigned)__builtin_ctzll(well ? well : all_places(n));
	return n->places[place]->check;
}

/* --- a record --- */

static struct node_record *record_new(uint32_t number, enum arm arm, const struct config_node *n)
{
	struct node_record *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	r->state.number = number;
	atomic_store_explicit(&r->state.healthy, true, memory_order_relaxed);
	r->arm = arm;
	r->name = text_copy(n->name);
	r->host = text_copy(n->host);
	r->port = n->port;
	r->tls = n->tls;
	r->literal = n->literal;
	pthread_mutex_init(&r->state.lock, NULL);
	atomic_store_explicit(&r->state.awaited, !n->literal, memory_order_relaxed);
	if (n->literal)
		place_take(r, 0, &n->addr);
	share_addresses(r);
	return r;
}

static void record_free(struct node_record *r)
{
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++)
		free(r->places[i]);
	pthread_mutex_destroy(&r->state.lock);
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

static void nodes_swap(struct nodes *s, size_t a, size_t b)
{
	struct node_record *r = s->list[a];
	s->list[a] = s->list[b];
	s->list[b] = r;
}

/* A removed node that comes back before it is freed is the same node. */
static bool nodes_bring_back(struct nodes *s, enum arm arm, const struct config_node *n)
{
	for (size_t i = s->n; i < s->n + s->gone_n; i++) {
		if (!is_record_of(s->list[i], arm, n))
			continue;
		nodes_swap(s, i, s->n);
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

static bool nodes_add_one(struct nodes *s, enum arm arm, const struct config_node *n, bool unproven)
{
	if (nodes_find(s, arm, n) || nodes_bring_back(s, arm, n))
		return true;
	uint32_t number = free_number(s);
	if (number == NODES_MAX)
		return false;
	struct node_record *r = record_new(number, arm, n);
	r->unproven = unproven;
	atomic_store_explicit(&r->state.healthy, !unproven, memory_order_relaxed);
	s->list[s->n + s->gone_n] = r;
	nodes_swap(s, s->n, s->n + s->gone_n);
	s->n++;
	return true;
}

static bool config_has_node(const struct config *c, const struct node_record *r)
{
	for (const struct config_node *n = c->clusters[r->arm].nodes; n; n = n->next)
		if (is_record_of(r, r->arm, n))
			return true;
	return false;
}

/* A node of the cluster serves now and stays in the configuration. */
static bool any_node_stays(const struct nodes *s, enum arm arm, const struct config *c)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i]->arm == arm && node_is_healthy(s->list[i]) &&
		    config_has_node(c, s->list[i]))
			return true;
	return false;
}

bool nodes_add(struct nodes *s, const struct config *c)
{
	for (int arm = 0; arm < ARMS; arm++) {
		bool others = any_node_stays(s, (enum arm)arm, c);
		for (const struct config_node *n = c->clusters[arm].nodes; n; n = n->next)
			if (!nodes_add_one(s, (enum arm)arm, n, others))
				return false;
	}
	return true;
}

/* --- removing --- */

/* The nodes that stay keep their order: that of the configuration, and newer ones at the end. */
void nodes_retire(struct nodes *s, const struct config *c)
{
	struct node_record *gone[NODES_MAX];
	size_t kept = 0, gone_n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (config_has_node(c, s->list[i]))
			s->list[kept++] = s->list[i];
		else
			gone[gone_n++] = s->list[i];
	for (size_t i = 0; i < gone_n; i++)
		s->list[kept + i] = gone[i];
	s->n = kept;
	s->gone_n += gone_n;
}

static bool is_held(const struct node_record *r, const struct counters *counters, unsigned worker_n)
{
	for (unsigned i = 0; i < worker_n; i++)
		if (counter_read(&counters[i].nodes[r->state.number].held))
			return true;
	return false;
}

void nodes_sweep(struct nodes *s, const bool named[NODES_MAX], const struct counters *counters,
		 unsigned worker_n)
{
	size_t kept = s->n;
	for (size_t i = s->n; i < s->n + s->gone_n; i++)
		if (named[s->list[i]->state.number] || is_held(s->list[i], counters, worker_n))
			s->list[kept++] = s->list[i];
		else
			record_free(s->list[i]);
	s->gone_n = kept - s->n;
}

/* --- addresses saved for a start after a crash --- */

static void print_addresses(const struct node_record *n, FILE *to)
{
	fprintf(to, "%s %s %s:%u", arm_name(n->arm), n->tls ? "tls" : "clear", n->host, n->port);
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++) {
		char text[ADDR_TEXT_BYTES];
		if (!n->places[i] || n->spare >> i & 1)
			continue;
		addr_host_text(&n->places[i]->at, text);
		fprintf(to, " %s", text);
	}
	putc('\n', to);
}

char *nodes_addresses_text(const struct nodes *s)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	must(to);
	for (size_t i = 0; i < s->n; i++)
		if (!s->list[i]->literal && s->list[i]->address_n)
			print_addresses(s->list[i], to);
	fclose(to);
	return text;
}

/* Takes the next word from `line`; empty at the end of the line. */
static struct span line_take_word(struct span *line)
{
	const char *space = memchr(line->at, ' ', line->n);
	struct span word = { line->at, space ? (size_t)(space - line->at) : line->n };
	size_t used = word.n + (space != NULL);
	*line = (struct span){ line->at + used, line->n - used };
	return word;
}

static struct node_record *nodes_find_line(const struct nodes *s, struct span arm,
					   struct span scheme, struct span name)
{
	for (size_t i = 0; i < s->n; i++) {
		struct node_record *n = s->list[i];
		char own[NODE_NAME_BYTES];
		snprintf(own, sizeof own, "%s:%u", n->host, n->port);
		if (!n->literal && span_is(arm, span_of(arm_name(n->arm))) &&
		    n->tls == span_is(scheme, SPAN("tls")) && span_is(name, span_of(own)))
			return n;
	}
	return NULL;
}

static void take_addresses_line(const struct nodes *s, struct span line, uint64_t now_ms)
{
	struct addr addresses[NODE_ADDRESSES_MAX];
	size_t n = 0;
	struct span arm = line_take_word(&line), scheme = line_take_word(&line),
		    name = line_take_word(&line);
	struct node_record *node = nodes_find_line(s, arm, scheme, name);
	while (node && line.n && n < NODE_ADDRESSES_MAX) {
		memset(&addresses[n], 0, sizeof addresses[n]);
		n += addr_parse(line_take_word(&line), node->port, &addresses[n]);
	}
	if (n)
		node_take_addresses(node, addresses, n, now_ms);
}

void nodes_take_addresses_text(struct nodes *s, struct span text, uint64_t now_ms)
{
	while (text.n) {
		const char *end = memchr(text.at, '\n', text.n);
		size_t n = end ? (size_t)(end - text.at) : text.n;
		take_addresses_line(s, (struct span){ text.at, n }, now_ms);
		n += end != NULL;
		text = (struct span){ text.at + n, text.n - n };
	}
}

/* --- names --- */

const char *node_full_name(const struct node_record *n, char name[NODE_NAME_BYTES])
{
	bool v6 = strchr(n->host, ':') != NULL;
	snprintf(name, NODE_NAME_BYTES, "%s/%s%s%s:%u", arm_name(n->arm), v6 ? "[" : "", n->host,
		 v6 ? "]" : "", n->port);
	return name;
}

/* Removes the final dot of the host and a slash at the end. */
static void bare_name(const char *name, char to[NODE_NAME_BYTES])
{
	snprintf(to, NODE_NAME_BYTES, "%s", name);
	size_t n = strlen(to);
	if (n && to[n - 1] == '/')
		to[--n] = 0;
	char *port = strrchr(to, ':');
	char *end = port && !strchr(port, ']') ? port : to + n;
	if (end > to && end[-1] == '.')
		memmove(end - 1, end, strlen(end) + 1);
}

/* Skips a scheme, as names have it in the configuration. False: it is not the node's scheme. */
static bool skip_scheme(const struct node_record *r, const char **name)
{
	static const char *const schemes[] = { "http://", "https://" };
	for (int tls = 0; tls < 2; tls++) {
		size_t n = strlen(schemes[tls]);
		if (strncasecmp(*name, schemes[tls], n) != 0)
			continue;
		*name += n;
		return r->tls == tls;
	}
	return true;
}

static bool node_is_called(const struct node_record *r, const char *name)
{
	char full[NODE_NAME_BYTES], bare[NODE_NAME_BYTES], with_port[NODE_NAME_BYTES];
	node_full_name(r, full);
	const char *after = strchr(full, '/') + 1;
	size_t cluster_n = (size_t)(after - full);
	if (!strncasecmp(name, full, cluster_n))
		name += cluster_n;
	if (!skip_scheme(r, &name))
		return false;
	bare_name(name, bare);
	bare_name(after, with_port);
	return !strcasecmp(bare, r->name) || !strcasecmp(bare, with_port);
}

struct node_search nodes_search(const struct nodes *s, const char *name)
{
	struct node_search found = { 0 };
	for (size_t i = 0; i < s->n; i++)
		if (node_is_called(s->list[i], name) && found.n++ == 0)
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
