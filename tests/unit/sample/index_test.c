#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "sample/index.h"
#include "sample/query.h"

#define IDS 300
#define CHANGES 30000

/* What each id is, and what searches see: 0 is nothing, else a sequence number and one. */
struct model {
	uint64_t now[IDS], shown[IDS];
	uint64_t changes;
};

static struct span id_of(unsigned n, char text[8])
{
	return (struct span){ text, (size_t)snprintf(text, 8, "%u", n) };
}

static void model_change(struct model *m, struct sample_index *x, unsigned n, bool deletes)
{
	char id[8];
	struct sample_change c = { .id = id_of(n, id), .version = ++m->changes };
	if (!deletes)
		c.source = SPAN("{}");
	const struct sample_version *v = sample_index_change(x, &c);
	assert_int_equal(v->seq_no, m->changes - 1);
	m->now[n] = deletes ? 0 : m->changes;
}

struct seen {
	const struct model *model;
	uint64_t last;
	size_t n;
};

static bool seen_check(void *to, struct sample_version *v)
{
	struct seen *s = to;
	unsigned n = (unsigned)strtoul(v->document->id, NULL, 10);
	assert_true(s->n == 0 || v->seq_no > s->last);
	assert_int_equal(s->model->shown[n], v->seq_no + 1);
	s->last = v->seq_no;
	s->n++;
	return true;
}

static void model_check(const struct model *m, const struct sample_index *x, uint64_t from)
{
	struct seen s = { .model = m };
	size_t expected = 0, live = 0;
	for (unsigned n = 0; n < IDS; n++) {
		char id[8];
		const struct sample_version *v = sample_index_find(x, 0, id_of(n, id));
		assert_int_equal(v && v->source.at ? v->seq_no + 1 : 0, m->now[n]);
		expected += m->shown[n] > from;
		live += m->now[n] > 0;
	}
	sample_query_each(x, NULL, (struct sample_range){ from, UINT64_MAX }, seen_check, &s);
	assert_int_equal(s.n, expected);
	assert_int_equal(x->live_n, live);
}

/* Many changes of few documents: places are emptied, shifted, and sought in. */
static void searches_see_exactly_what_was_refreshed(void **state)
{
	(void)state;
	static struct model m;
	uint64_t bytes = 0, dice = 88172645463325252u;
	struct sample_index *x = sample_index_open("a", "uuid", 0, &bytes);
	for (unsigned i = 0; i < CHANGES; i++) {
		dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
		model_change(&m, x, (unsigned)(dice >> 8) % IDS, dice % 5 == 0);
		if (dice % 97)
			continue;
		sample_index_refresh(x);
		memcpy(m.shown, m.now, sizeof m.now);
		model_check(&m, x, 0);
		model_check(&m, x, m.changes - (m.changes > 200 ? (dice >> 20) % 200 : 0));
	}
	model_check(&m, x, 0);
	assert_true(x->shards[0].place_n < CHANGES / 4);
	sample_index_close(x);
	assert_int_equal(bytes, 0);
}

/* Two routings that lead to different shards of three. */
static void routings_of_two_shards(const struct sample_index *x, struct span *one,
				   struct span *other)
{
	static const struct span routings[] = { SPAN_INIT("r0"), SPAN_INIT("r1"), SPAN_INIT("r2"),
						SPAN_INIT("r3") };
	unsigned shard = sample_index_shard(x, SPAN("1"), routings[0]);
	*one = *other = routings[0];
	for (unsigned i = 1; i < 4; i++)
		if (sample_index_shard(x, SPAN("1"), routings[i]) != shard)
			*other = routings[i];
	assert_false(span_is(*one, *other));
}

static const struct sample_version *routed_change(struct sample_index *x, struct span routing)
{
	return sample_index_change(x, &(struct sample_change){ .id = SPAN("1"),
							       .routing = routing,
							       .source = SPAN("{}"),
							       .version = 1 });
}

static bool count_one(void *to, struct sample_version *v)
{
	(void)v;
	++*(unsigned *)to;
	return true;
}

static void one_id_is_there_in_each_shard_that_a_routing_leads_to(void **state)
{
	(void)state;
	uint64_t bytes = 0;
	unsigned seen = 0;
	struct span one, other;
	struct sample_index *x = sample_index_open("a", "uuid", 0, &bytes);
	sample_index_divide(x, 3);
	routings_of_two_shards(x, &one, &other);
	const struct sample_version *v = routed_change(x, one), *w = routed_change(x, other);
	assert_ptr_not_equal(v->document, w->document);
	/* Each shard counts for itself. */
	assert_int_equal(v->seq_no, 0);
	assert_int_equal(w->seq_no, 0);
	assert_ptr_equal(sample_index_find(x, v->document->shard, SPAN("1")), v);
	assert_ptr_equal(sample_index_find(x, w->document->shard, SPAN("1")), w);
	sample_index_refresh(x);
	sample_query_each(x, NULL, (struct sample_range){ 0, UINT64_MAX }, count_one, &seen);
	assert_int_equal(seen, 2);
	sample_index_close(x);
	assert_int_equal(bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(searches_see_exactly_what_was_refreshed),
		cmocka_unit_test(one_id_is_there_in_each_shard_that_a_routing_leads_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
