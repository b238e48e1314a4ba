#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "replay/upkeep.h"

/* Upkeep with a directory of its own, and a table of keys; nothing is sent. */
struct kit {
	char directory[64];
	struct subrequests subrequests;
	struct index_filter filter;
	enum arm owner;
	struct keys *keys;
	struct upkeep upkeep;
	size_t back_n; /* tags that were kept, and went back */
};

static void kit_tag_back(void *user, uintptr_t tag)
{
	struct kit *k = user;
	upkeep_tag_back(&k->upkeep, tag);
}

static void kit_kept_tag_back(void *user, uintptr_t tag)
{
	struct kit *k = user;
	(void)tag;
	k->back_n++;
}

static void kit_start(struct kit *k)
{
	k->keys = keys_open(&(struct keys_config){ .seed = 1, .back = kit_tag_back, .user = k });
	upkeep_open(&k->upkeep, &(struct upkeep_config){ .directory = k->directory,
							 .subrequests = &k->subrequests,
							 .keys = k->keys,
							 .filter = &k->filter,
							 .owner = k->owner,
							 .back = kit_kept_tag_back,
							 .user = k });
	assert_true(upkeep_load(&k->upkeep, 0));
}

static struct kit *kit_open(void)
{
	static const char *const patterns[] = INDEX_FILTER_PRESET;
	struct kit *k = calloc(1, sizeof *k);
	assert_non_null(k);
	k->filter = (struct index_filter){ patterns, 2 };
	snprintf(k->directory, sizeof k->directory, "/tmp/crossfade-upkeep-XXXXXX");
	assert_non_null(mkdtemp(k->directory));
	kit_start(k);
	return k;
}

static void kit_stop(struct kit *k)
{
	kept_save(&k->upkeep.kept, true);
	upkeep_close(&k->upkeep);
	keys_close(k->keys);
}

static void kit_start_again(struct kit *k)
{
	kit_stop(k);
	kit_start(k);
}

static void kit_close(struct kit *k)
{
	char path[128];
	kit_stop(k);
	snprintf(path, sizeof path, "%s/" MARKS_FILE, k->directory);
	unlink(path);
	assert_int_equal(rmdir(k->directory), 0);
	free(k);
}

/* --- not exact --- */

static bool is_not_exact(const struct kit *k, const char *index)
{
	return json_object_get(marks_all_not_exact(&k->upkeep.kept.marks), index);
}

static void what_a_comparison_found_equal_is_exact_also_after_a_start(void **state)
{
	struct kit *k = kit_open();
	(void)state;
	upkeep_not_exact(&k->upkeep, SPAN("books"), "why");
	upkeep_not_exact(&k->upkeep, SPAN("films"), "why");
	upkeep_compare_begun(&k->upkeep);
	upkeep_exact(&k->upkeep, "books");
	upkeep_exact(&k->upkeep, "others");
	assert_false(is_not_exact(k, "books"));
	assert_true(is_not_exact(k, "films"));
	kit_start_again(k);
	assert_false(is_not_exact(k, "books"));
	assert_true(is_not_exact(k, "films"));
	kit_close(k);
}

static void what_becomes_not_exact_during_a_comparison_stays_so(void **state)
{
	struct kit *k = kit_open();
	(void)state;
	upkeep_not_exact(&k->upkeep, SPAN("books"), "why");
	upkeep_compare_begun(&k->upkeep);
	upkeep_not_exact(&k->upkeep, SPAN("books"), "why");
	upkeep_not_exact(&k->upkeep, SPAN("films"), "why");
	upkeep_not_exact(&k->upkeep, SPAN("*"), "why");
	upkeep_exact(&k->upkeep, "books");
	upkeep_exact(&k->upkeep, "films");
	upkeep_exact(&k->upkeep, NULL);
	assert_true(is_not_exact(k, "books"));
	assert_true(is_not_exact(k, "films"));
	assert_true(is_not_exact(k, "*"));
	/* The next one began behind them. */
	upkeep_compare_begun(&k->upkeep);
	upkeep_exact(&k->upkeep, NULL);
	assert_false(is_not_exact(k, "books"));
	assert_false(is_not_exact(k, "films"));
	assert_false(is_not_exact(k, "*"));
	kit_close(k);
}

static void a_comparison_without_names_says_nothing_of_hidden_indices(void **state)
{
	static const char *const all[] = { "*" };
	struct kit *k = kit_open();
	(void)state;
	k->filter = (struct index_filter){ all, 1 };
	upkeep_not_exact(&k->upkeep, SPAN("*"), "why");
	upkeep_not_exact(&k->upkeep, SPAN(".own"), "why");
	upkeep_not_exact(&k->upkeep, SPAN(".ds-logs-2026.11.24-000001"), "why");
	upkeep_compare_begun(&k->upkeep);
	upkeep_exact(&k->upkeep, NULL);
	assert_true(is_not_exact(k, "*"));
	assert_true(is_not_exact(k, ".own"));
	assert_false(is_not_exact(k, ".ds-logs-2026.11.24-000001"));
	upkeep_exact(&k->upkeep, ".own");
	assert_false(is_not_exact(k, ".own"));
	kit_close(k);
}

/* --- requests that are sent as they were --- */

static void restart_from(struct kit *k, uint64_t from_ns)
{
	struct replay_order one = { .kind = ORDER_RESTART, .from_ns = from_ns };
	upkeep_order(&k->upkeep, &one);
	upkeep_turn(&k->upkeep, &(struct upkeep_turn){ .watermark_ns = UINT64_MAX });
}

/* The replica has got a copy of the owner's data of that time. */
static void without_documents_a_restart_from_later_makes_all_exact(void **state)
{
	struct kit *k = kit_open();
	(void)state;
	uint64_t before_ns = clock_wall_ns() - 1000000000;
	upkeep_not_exact(&k->upkeep, SPAN("*"), "why");
	k->upkeep.config.keys = NULL;
	restart_from(k, before_ns);
	assert_true(is_not_exact(k, "*"));
	upkeep_set_restarted(&k->upkeep);
	assert_true(upkeep_has_restarted(&k->upkeep));
	restart_from(k, clock_wall_ns() + 1000000000);
	assert_false(is_not_exact(k, "*"));
	kit_close(k);
}

static void of_documents_a_restart_makes_none_exact(void **state)
{
	struct kit *k = kit_open();
	(void)state;
	upkeep_not_exact(&k->upkeep, SPAN("*"), "why");
	restart_from(k, clock_wall_ns() + 1000000000);
	assert_true(is_not_exact(k, "*"));
	kit_close(k);
}

/* --- the limit of what is set aside --- */

/* A key is taken, and the replica refuses it: as the copier has it. */
static void refuse(struct kit *k, const struct keys_taken *t)
{
	const struct copy c = { .of = { .index = t->index, .id = t->id },
				.verdict = COPY_REFUSED,
				.status = 400 };
	upkeep_key_over(&k->upkeep, t, &c, NULL);
	keys_set_aside(k->keys, t->key);
}

static void take_all_and(struct kit *k, void (*end)(struct kit *k, const struct keys_taken *t))
{
	static const struct keys_ask ask = { .n_max = 1, .bytes_max = SIZE_MAX };
	for (struct keys_taken t; keys_take(k->keys, &ask, &t) == 1;)
		end(k, &t);
}

static void add(struct kit *k, const char *id)
{
	const struct keys_write w = {
		.index = SPAN("books"), .id = span_of(id), .tag = 5, .time_ns = 1
	};
	assert_int_equal(keys_add(k->keys, &w), KEYS_ADDED);
}

static void turn(struct kit *k)
{
	upkeep_turn(&k->upkeep, &(struct upkeep_turn){ .on = false });
}

/* As on the reading thread, which saves what somebody waits for. */
static void turn_and_save(struct kit *k)
{
	turn(k);
	kept_save(&k->upkeep.kept, true);
	turn(k);
}

static void refuse_new(struct kit *k, unsigned first, unsigned n)
{
	char id[16];
	for (unsigned i = first; i < first + n; i++) {
		snprintf(id, sizeof id, "%u", i);
		add(k, id);
	}
	take_all_and(k, refuse);
	turn_and_save(k);
}

static void succeed(struct kit *k, const struct keys_taken *t)
{
	const struct copy c = { .of = { .index = t->index, .id = t->id }, .verdict = COPY_DONE };
	upkeep_key_over(&k->upkeep, t, &c, NULL);
	keys_done(k->keys, t->key);
}

/* `document` NULL: all of them. */
static struct order_outcome order(struct kit *k, enum order_kind kind, const char *document)
{
	struct replay_order one = { .kind = kind, .document = document ? strdup(document) : NULL };
	struct order_outcome outcome;
	uint64_t number = upkeep_order(&k->upkeep, &one);
	turn_and_save(k);
	assert_true(upkeep_outcome(&k->upkeep, number, &outcome));
	return outcome;
}

static struct kit *kit_full(void)
{
	struct kit *k = kit_open();
	refuse_new(k, 0, REPLAY_ASIDE_MAX - 1);
	assert_false(upkeep_is_full(&k->upkeep));
	assert_null(upkeep_trouble(&k->upkeep));
	refuse_new(k, REPLAY_ASIDE_MAX - 1, 1);
	assert_int_equal(marks_aside_n(&k->upkeep.kept.marks), REPLAY_ASIDE_MAX);
	assert_true(upkeep_is_full(&k->upkeep));
	assert_non_null(strstr(upkeep_trouble(&k->upkeep), "too many documents are set aside"));
	return k;
}

static void at_ten_thousand_set_aside_it_stops_also_after_a_start(void **state)
{
	struct kit *k = kit_full();
	(void)state;
	/* What was in flight by then is refused, too. */
	refuse_new(k, REPLAY_ASIDE_MAX, 50);
	assert_int_equal(marks_aside_n(&k->upkeep.kept.marks), REPLAY_ASIDE_MAX + 50);
	assert_true(upkeep_is_full(&k->upkeep));
	kit_start_again(k);
	assert_true(upkeep_is_full(&k->upkeep));
	kit_close(k);
}

static void what_is_dropped_makes_room(void **state)
{
	struct kit *k = kit_full();
	(void)state;
	assert_int_equal(order(k, ORDER_DROP, "books/no-such").status, 404);
	assert_true(upkeep_is_full(&k->upkeep));
	assert_int_equal(order(k, ORDER_DROP, "books/17").n, 1);
	assert_false(upkeep_is_full(&k->upkeep));
	refuse_new(k, REPLAY_ASIDE_MAX, 1);
	assert_true(upkeep_is_full(&k->upkeep));
	assert_int_equal(order(k, ORDER_DROP, NULL).n, REPLAY_ASIDE_MAX);
	assert_false(upkeep_is_full(&k->upkeep));
	assert_int_equal(marks_aside_n(&k->upkeep.kept.marks), 0);
	kit_close(k);
}

static void while_it_is_tried_again_it_goes_on_and_stops_when_that_is_refused(void **state)
{
	struct kit *k = kit_full();
	(void)state;
	assert_int_equal(order(k, ORDER_RETRY, "books/17").n, 1);
	assert_false(upkeep_is_full(&k->upkeep));
	take_all_and(k, refuse);
	turn_and_save(k);
	assert_int_equal(marks_aside_n(&k->upkeep.kept.marks), REPLAY_ASIDE_MAX);
	assert_true(upkeep_is_full(&k->upkeep));
	assert_int_equal(order(k, ORDER_RETRY, NULL).n, REPLAY_ASIDE_MAX);
	assert_false(upkeep_is_full(&k->upkeep));
	take_all_and(k, succeed);
	turn_and_save(k);
	assert_int_equal(marks_aside_n(&k->upkeep.kept.marks), 0);
	assert_false(upkeep_is_full(&k->upkeep));
	kit_close(k);
}

/* --- indices that are known --- */

static void know(struct kit *k, const char *index, bool external)
{
	upkeep_know_index(&k->upkeep, span_of(index),
			  json_pack("{s:s,s:b}", "uuid", "u1", "external", external));
}

/* What an earlier process knew, as this one's surroundings have it. */
static void recall(struct kit *k, struct surroundings *to)
{
	surroundings_open(to, &k->subrequests, ARM_SOURCE);
	upkeep_recall(&k->upkeep, to);
}

static void what_is_known_is_durable_before_the_log_is_passed(void **state)
{
	struct kit *k = kit_open();
	(void)state;
	kept_save(&k->upkeep.kept, true);
	assert_false(upkeep_keep_tag(&k->upkeep, 5));
	know(k, "books", false);
	assert_true(upkeep_keep_tag(&k->upkeep, 6));
	turn(k);
	assert_int_equal(k->back_n, 0);
	turn_and_save(k);
	assert_int_equal(k->back_n, 1);
	assert_false(upkeep_keep_tag(&k->upkeep, 7));
	kit_close(k);
}

static void what_was_known_is_known_after_a_start(void **state)
{
	struct surroundings s;
	struct kit *k = kit_open();
	(void)state;
	know(k, "books", true);
	know(k, "films", false);
	know(k, ".own", false);
	know(k, "gone", false);
	upkeep_forget_index(&k->upkeep, SPAN("gone"), false);
	kit_start_again(k);
	recall(k, &s);
	assert_true(surroundings_of(&s, SPAN("books"))->external);
	assert_string_equal(surroundings_of(&s, SPAN("books"))->uuid, "u1");
	assert_false(surroundings_of(&s, SPAN("films"))->external);
	assert_null(surroundings_of(&s, SPAN("gone")));
	/* It is none of those that are replayed now. */
	assert_null(surroundings_of(&s, SPAN(".own")));
	surroundings_close(&s);
	kit_close(k);
}

static void another_owner_has_other_indices_of_these_names(void **state)
{
	struct surroundings s;
	struct kit *k = kit_open();
	(void)state;
	recall(k, &s);
	surroundings_close(&s);
	know(k, "books", true);
	upkeep_keep_part(&k->upkeep, "scans", json_object());
	k->owner = ARM_TARGET;
	kit_start_again(k);
	recall(k, &s);
	assert_true(surroundings_of(&s, SPAN("books"))->external);
	assert_null(surroundings_of(&s, SPAN("books"))->uuid);
	assert_null(marks_part(&k->upkeep.kept.marks, "scans"));
	surroundings_close(&s);
	kit_close(k);
}

static void ten_thousand_indices_are_remembered(void **state)
{
	struct kit *k = kit_open();
	char name[24];
	(void)state;
	for (int i = 0; i <= MARKS_INDICES_MAX; i++) {
		snprintf(name, sizeof name, "logs-%d", i);
		know(k, name, false);
	}
	const json_t *known = marks_known_indices(&k->upkeep.kept.marks);
	assert_int_equal(json_object_size(known), MARKS_INDICES_MAX);
	/* One that is among them can change. */
	know(k, "logs-0", true);
	assert_true(json_is_true(json_object_get(json_object_get(known, "logs-0"), "external")));
	upkeep_forget_index(&k->upkeep, SPAN("logs-1"), false);
	know(k, name, false);
	assert_non_null(json_object_get(known, name));
	kit_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_comparison_found_equal_is_exact_also_after_a_start),
		cmocka_unit_test(what_becomes_not_exact_during_a_comparison_stays_so),
		cmocka_unit_test(a_comparison_without_names_says_nothing_of_hidden_indices),
		cmocka_unit_test(without_documents_a_restart_from_later_makes_all_exact),
		cmocka_unit_test(of_documents_a_restart_makes_none_exact),
		cmocka_unit_test(at_ten_thousand_set_aside_it_stops_also_after_a_start),
		cmocka_unit_test(what_is_dropped_makes_room),
		cmocka_unit_test(while_it_is_tried_again_it_goes_on_and_stops_when_that_is_refused),
		cmocka_unit_test(what_is_known_is_durable_before_the_log_is_passed),
		cmocka_unit_test(what_was_known_is_known_after_a_start),
		cmocka_unit_test(another_owner_has_other_indices_of_these_names),
		cmocka_unit_test(ten_thousand_indices_are_remembered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
