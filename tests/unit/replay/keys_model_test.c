/* Thousands of random verbs on the table of keys, and on a list that is looked through each time.
 */

#include "unit/replay/keys_kit.h"

#include <stdio.h>
#include <string.h>

#define INDICES 6
#define IDS 8
#define PATTERNS 5
#define VERBS 3000
#define SEEDS 40

static const char *const index_names[INDICES] = { "a1", "a2", "a", "b1", "b2", "c" };
static const char *const patterns[PATTERNS] = { "a*", "a1", "b2,a1", "*", "c,b*" };
/* Which indices each of them means, a bit each. */
static const unsigned meant[PATTERNS] = { 7, 1, 17, 63, 56 };

struct model_key {
	unsigned index, id, routing, marks, tag;
	unsigned fences; /* that had meant its index when it was added */
	uint64_t time, not_before;
	bool in_flight, gone;
	uint32_t key;
};

struct model_fence {
	struct keys_fence *real;
	unsigned pattern;
	unsigned of_index[INDICES]; /* the how manieth it is of each index that it means */
};

struct model {
	struct kit *kit;
	uint64_t random, now;
	bool at_once; /* what comes again may be taken at once: all are taken oldest first */
	struct model_key list[VERBS];
	unsigned n, tags, back_n;
	struct model_fence fences[4];
	unsigned fence_n, made[INDICES], lifted[INDICES];
	bool parked[INDICES];
};

static unsigned below(struct model *m, unsigned n)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(m->random >> 33) % n;
}

static void back(struct model *m, unsigned tag)
{
	m->back_n++;
	assert_int_equal(m->kit->back[tag], 1);
}

static struct model_key *elder(struct model *m, const struct model_key *of)
{
	for (struct model_key *e = m->list; e < of; e++)
		if (!e->gone && e->index == of->index && e->id == of->id)
			return e;
	return NULL;
}

/* What waits already, by the same routing and behind the same fences. */
static struct model_key *same(struct model *m, const struct model_key *as)
{
	for (unsigned i = m->n; i-- > 0;) {
		struct model_key *e = &m->list[i];
		if (!e->gone && !e->in_flight && e->index == as->index && e->id == as->id &&
		    e->routing == as->routing && e->fences == as->fences)
			return e;
	}
	return NULL;
}

static bool may_go(struct model *m, const struct model_key *e)
{
	return !e->gone && !e->in_flight && !m->parked[e->index] && e->not_before <= m->now &&
	       e->fences <= m->lifted[e->index] && !elder(m, e);
}

/* --- verbs --- */

/* Routings of very different lengths; 0: none. */
static struct span routing_of(unsigned routing)
{
	static const char text[] =
		"0123456789012345678901234567890123456789012345678901234567890123"
		"45678901234567890123456789";
	return (struct span){ text, routing * 40u };
}

static void add(struct model *m)
{
	struct model_key e = { .index = below(m, INDICES),
			       .id = below(m, IDS),
			       .routing = below(m, 3),
			       .marks = 1u << below(m, 8),
			       .tag = m->tags++,
			       .time = m->tags };
	char id[8];
	snprintf(id, sizeof id, "%u", e.id);
	e.fences = m->made[e.index];
	struct keys_write w = { .index = span_of(index_names[e.index]),
				.id = span_of(id),
				.routing = routing_of(e.routing),
				.marks = (uint8_t)e.marks,
				.tag = e.tag,
				.time_ns = e.time };
	struct model_key *was = same(m, &e);
	assert_int_equal(keys_add(m->kit->keys, &w), was ? KEYS_REPLACED : KEYS_ADDED);
	if (was) {
		was->marks |= e.marks;
		back(m, e.tag);
	} else {
		m->list[m->n++] = e;
	}
}

static struct model_key *of_taken(struct model *m, const struct keys_taken *t)
{
	struct model_key *oldest = NULL;
	for (struct model_key *e = m->list; e < m->list + m->n; e++) {
		if (!may_go(m, e))
			continue;
		if (m->at_once && !oldest)
			oldest = e;
		if (!span_is(span_of(index_names[e->index]), t->index) ||
		    (unsigned)t->id.at[0] - '0' != e->id)
			continue;
		assert_true(!m->at_once || e == oldest);
		return e;
	}
	fail_msg("it may not go");
	return NULL;
}

static void take(struct model *m)
{
	struct keys_taken taken[INDICES * IDS];
	size_t n_max = 1 + below(m, INDICES * IDS), may = 0;
	for (unsigned i = 0; i < m->n; i++)
		may += may_go(m, &m->list[i]);
	assert_int_equal(keys_due_ms(m->kit->keys, m->now) == m->now, may > 0);
	size_t n = kit_take(m->kit, taken, n_max, m->now);
	assert_int_equal(n, may < n_max ? may : n_max);
	for (size_t i = 0; i < n; i++) {
		struct model_key *e = of_taken(m, &taken[i]);
		assert_int_equal(taken[i].marks, e->marks);
		assert_true(span_is(taken[i].routing, routing_of(e->routing)));
		assert_int_equal(taken[i].time_ns, e->time);
		e->in_flight = true;
		e->key = taken[i].key;
	}
}

static void come_again(struct model *m, struct model_key *e)
{
	uint64_t not_before = m->at_once ? 0 : m->now + below(m, 20);
	keys_again(m->kit->keys, e->key, not_before);
	e->in_flight = false;
	e->not_before = not_before;
	for (struct model_key *y = e + 1; y < m->list + m->n; y++) {
		if (y->gone || y->index != e->index || y->id != e->id)
			continue;
		if (y->fences != e->fences || y->routing != e->routing)
			return;
		e->marks |= y->marks;
		y->gone = true;
		back(m, y->tag);
		return;
	}
}

static void end_some(struct model *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct model_key *e = &m->list[i];
		if (!e->in_flight || below(m, 2))
			continue;
		if (below(m, 3) == 0) {
			come_again(m, e);
			continue;
		}
		(below(m, 8) ? keys_done : keys_set_aside)(m->kit->keys, e->key);
		e->in_flight = false;
		e->gone = true;
		back(m, e->tag);
	}
}

static void park(struct model *m)
{
	unsigned index = below(m, INDICES);
	struct span name = span_of(index_names[index]);
	m->parked[index] = !m->parked[index];
	if (m->parked[index])
		assert_true(keys_park(m->kit->keys, name));
	else
		keys_resume(m->kit->keys, name);
	assert_int_equal(keys_is_parked(m->kit->keys, name), m->parked[index]);
}

static void drop(struct model *m)
{
	unsigned index = below(m, INDICES);
	size_t n = keys_drop(m->kit->keys, span_of(index_names[index]));
	for (struct model_key *e = m->list; e < m->list + m->n; e++) {
		if (e->gone || e->in_flight || e->index != index || e->fences > m->lifted[index])
			continue;
		e->gone = true;
		back(m, e->tag);
		n--;
	}
	assert_int_equal(n, 0);
}

static void make_fence(struct model *m)
{
	struct model_fence *f = &m->fences[m->fence_n];
	if (m->fence_n == 4)
		return;
	f->pattern = below(m, PATTERNS);
	f->real = keys_fence(m->kit->keys, span_of(patterns[f->pattern]));
	m->fence_n++;
	for (unsigned i = 0; i < INDICES; i++)
		f->of_index[i] = meant[f->pattern] >> i & 1 ? ++m->made[i] : 0;
}

static bool is_clear(struct model *m, unsigned fence)
{
	const struct model_fence *f = &m->fences[fence];
	for (unsigned i = 0; i < fence; i++)
		if (meant[f->pattern] & meant[m->fences[i].pattern])
			return false;
	for (unsigned i = 0; i < m->n; i++)
		if (!m->list[i].gone && m->list[i].fences < f->of_index[m->list[i].index])
			return false;
	return true;
}

static void lift(struct model *m)
{
	for (unsigned i = 0; i < m->fence_n; i++) {
		struct model_fence *f = &m->fences[i];
		bool clear = is_clear(m, i);
		assert_int_equal(keys_fence_is_clear(m->kit->keys, f->real), clear);
		if (!clear || below(m, 2))
			continue;
		keys_fence_lift(m->kit->keys, f->real);
		for (unsigned x = 0; x < INDICES; x++)
			m->lifted[x] += f->of_index[x] > 0;
		m->fence_n--;
		memmove(f, f + 1, (m->fence_n - i) * sizeof *f);
		return;
	}
}

/* --- */

static void compare_counts(struct model *m)
{
	struct keys_count want = { .fences = m->fence_n }, got;
	for (const struct model_key *e = m->list; e < m->list + m->n; e++) {
		if (e->gone)
			continue;
		want.in_flight += e->in_flight;
		want.parked += !e->in_flight && m->parked[e->index];
		want.waiting += !e->in_flight && !m->parked[e->index];
		if (!m->parked[e->index] && !want.oldest_ns)
			want.oldest_ns = e->time;
	}
	keys_check(m->kit->keys, SIZE_MAX);
	keys_count(m->kit->keys, &got);
	assert_int_equal(got.in_flight, want.in_flight);
	assert_int_equal(got.parked, want.parked);
	assert_int_equal(got.waiting, want.waiting);
	assert_int_equal(got.fences, want.fences);
	assert_int_equal(got.oldest_ns, want.oldest_ns);
	assert_int_equal(m->kit->back_n, m->back_n);
}

static void step(struct model *m)
{
	static void (*const verbs[])(struct model *) = { add,  add,  add,	 add,	   add,
							 add,  take, take,	 end_some, end_some,
							 lift, lift, make_fence, park,	   drop };
	/* Rare ones would hide the others. */
	unsigned verb = below(m, 14);
	if (verb >= 12 && below(m, 6))
		verb = 0;
	verbs[verb](m);
	m->now += below(m, 3);
	compare_counts(m);
}

static void run(uint64_t seed, bool at_once)
{
	static struct model m;
	m = (struct model){ .kit = kit_open(), .random = seed, .at_once = at_once };
	for (unsigned i = 0; i < VERBS; i++)
		step(&m);
	kit_close(m.kit);
}

static void the_table_does_what_a_list_does(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		run(seed, false);
}

static void what_comes_again_at_once_goes_in_the_order_of_the_log(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		run(seed, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_does_what_a_list_does),
		cmocka_unit_test(what_comes_again_at_once_goes_in_the_order_of_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
