#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/limits.h"
#include "replay/kept_marks.h"

#define NOW_NS 1764000000000000000u

static void set_aside(struct marks *m, const char *id)
{
	const struct marks_document d = { .index = SPAN("books"),
					  .id = span_of(id),
					  .routing = SPAN("r"),
					  .status = 400,
					  .type = SPAN("mapper_parsing_exception"),
					  .reason = SPAN("\xff no text"),
					  .now_ns = NOW_NS };
	marks_set_aside(m, &d);
}

/* What is written is read. */
static void read_again(struct marks *m)
{
	char *text = marks_text(m);
	marks_close(m);
	marks_open(m);
	assert_int_equal(marks_read(m, span_of(text)), MARKS_GOOD);
	free(text);
}

static struct marks_document named(const char *id, const char *routing)
{
	return (struct marks_document){ .index = SPAN("books"),
					.id = span_of(id),
					.routing = span_of(routing) };
}

/* Of the first one that is meant. */
static const char *word_of(const struct marks *m, const char *document, const char *member)
{
	const char *name;
	json_t *one;
	json_object_foreach(marks_all_aside(m), name, one)
		if (marks_means(document, name))
			return json_string_value(json_object_get(one, member));
	return NULL;
}

/* In an index of several shards two routings lead to two documents of one id. */
static void documents_of_one_id_are_set_aside_apart(void **state)
{
	struct marks m;
	(void)state;
	marks_open(&m);
	struct marks_document one = named("1", "r0"), other = named("1", "r1"),
			      none = named("1", "");
	marks_set_aside(&m, &one);
	marks_set_aside(&m, &other);
	marks_set_aside(&m, &none);
	assert_int_equal(marks_aside_n(&m), 3);
	assert_true(marks_clear_aside(&m, &other));
	assert_true(marks_is_aside(&m, &one) && marks_is_aside(&m, &none));
	read_again(&m);
	assert_true(marks_is_aside(&m, &one) && !marks_is_aside(&m, &other));
	assert_true(marks_clear_aside(&m, &one) && marks_clear_aside(&m, &none));
	one.one_shard = other.one_shard = true;
	marks_set_aside(&m, &one);
	assert_true(marks_is_aside(&m, &other) && marks_clear_aside(&m, &other));
	assert_int_equal(marks_aside_n(&m), 0);
	marks_close(&m);
}

/* A search finds what keys cannot have. */
static void a_routing_of_any_length_is_set_aside(void **state)
{
	static char routing[REPLAY_ROUTING_BYTES + 2];
	struct marks m;
	(void)state;
	marks_open(&m);
	memset(routing, 'r', REPLAY_ROUTING_BYTES + 1);
	for (int i = 0; i < 2; i++) {
		struct marks_document d = named("1", routing + i);
		marks_set_aside(&m, &d);
		assert_true(marks_is_aside(&m, &d) && marks_clear_aside(&m, &d));
	}
	assert_int_equal(marks_aside_n(&m), 0);
	marks_close(&m);
}

static void all_that_is_marked_is_known_again(void **state)
{
	struct marks m;
	(void)state;
	marks_open(&m);
	marks_pause(&m, NOW_NS, "alice");
	marks_set_from(&m, 77);
	marks_set_restarts(&m, true);
	set_aside(&m, "a/b");
	set_aside(&m, "a/b");
	marks_not_exact(&m, SPAN("films"), "why", NOW_NS);
	marks_not_exact(&m, SPAN("films"), "why", NOW_NS);
	marks_set_part(&m, "scans", json_pack("{s:{s:i}}", "books", "0", 5));
	read_again(&m);
	assert_string_equal(json_string_value(json_object_get(marks_paused(&m), "who")), "alice");
	assert_int_equal(marks_from(&m), 77);
	assert_true(marks_restarts(&m));
	assert_int_equal(marks_aside_n(&m), 1);
	assert_string_equal(word_of(&m, "books/a/b", "routing"), "r");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(marks_all_not_exact(&m), "films"), "n")),
			 2);
	assert_non_null(json_object_get(marks_part(&m, "scans"), "books"));
	const struct marks_document there = named("a/b", "r"), other = named("a", "r");
	assert_true(marks_is_aside(&m, &there));
	assert_false(marks_is_aside(&m, &other));
	assert_false(marks_clear_aside(&m, &other));
	assert_true(marks_clear_aside(&m, &there));
	assert_false(marks_clear_aside(&m, &there));
	marks_resume(&m);
	marks_set_restarts(&m, false);
	read_again(&m);
	assert_null(marks_paused(&m));
	assert_false(marks_restarts(&m));
	assert_int_equal(marks_aside_n(&m), 0);
	marks_close(&m);
}

static void set_aside_from(struct marks *m, uint32_t series, uint64_t sequence)
{
	const struct marks_document d = { .index = SPAN("books"),
					  .id = SPAN("1"),
					  .status = 400,
					  .now_ns = NOW_NS,
					  .written_ns = NOW_NS + sequence * 1000000000,
					  .origin = { sequence, series } };
	marks_set_aside(m, &d);
}

static void where_a_refused_document_was_written_is_known_after_a_retry_too(void **state)
{
	struct marks m;
	(void)state;
	marks_open(&m);
	/* As version 1.0 has it. */
	set_aside_from(&m, 0, 0);
	assert_null(word_of(&m, "books/1", "record"));
	set_aside_from(&m, 12, 5);
	set_aside_from(&m, 0, 99);
	read_again(&m);
	assert_string_equal(word_of(&m, "books/1", "record"), "12:5");
	assert_non_null(strstr(word_of(&m, "books/1", "written"), ":05"));
	set_aside_from(&m, 13, 7);
	assert_string_equal(word_of(&m, "books/1", "record"), "13:7");
	marks_close(&m);
}

static char *text_of(unsigned major, unsigned minor, const char *json)
{
	char *text;
	assert_true(asprintf(&text, "crossfade replay marks %u.%u %016llx\n%s\n", major, minor,
			     (unsigned long long)XXH3_64bits(json, strlen(json)), json) > 0);
	return text;
}

static void versions_and_damage_are_told_apart(void **state)
{
	static const struct {
		unsigned major, minor;
		const char *json;
		enum marks_verdict verdict;
	} rows[] = {
		{ 1, 0, "{}", MARKS_GOOD },
		{ 1, 9, "{\"newer\":{\"a\":1}}", MARKS_GOOD },
		{ 2, 0, "[whatever", MARKS_NEWER },
		{ 0, 9, "{}", MARKS_DAMAGED },
		{ 1, 0, "{", MARKS_DAMAGED },
		{ 1, 0, "[]", MARKS_DAMAGED },
		{ 1, 0, "{\"set_aside\":[]}", MARKS_DAMAGED },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct marks m;
		marks_open(&m);
		char *text = text_of(rows[i].major, rows[i].minor, rows[i].json);
		assert_int_equal(marks_read(&m, span_of(text)), rows[i].verdict);
		free(text);
		marks_close(&m);
	}
}

static void each_changed_byte_is_damage(void **state)
{
	struct marks m, other;
	(void)state;
	marks_open(&m);
	set_aside(&m, "1");
	char *text = marks_text(&m);
	size_t n = strlen(text);
	/* The version's digits make it a newer one, and a last end of line may be missing. */
	size_t version = strlen("crossfade replay marks ");
	for (size_t i = 0; i < n; i++) {
		if (i >= version && i < version + 3)
			continue;
		text[i] ^= 1;
		marks_open(&other);
		if (marks_read(&other, (struct span){ text, n }) == MARKS_GOOD)
			fail_msg("byte %zu", i);
		marks_close(&other);
		text[i] ^= 1;
	}
	for (size_t i = 0; i + 1 < n; i++) {
		marks_open(&other);
		assert_int_equal(marks_read(&other, (struct span){ text, i }), MARKS_DAMAGED);
		marks_close(&other);
	}
	free(text);
	marks_close(&m);
}

static void members_of_a_newer_version_are_kept(void **state)
{
	struct marks m;
	char *text = text_of(1, 3, "{\"newer\":{\"a\":1}}");
	(void)state;
	marks_open(&m);
	assert_int_equal(marks_read(&m, span_of(text)), MARKS_GOOD);
	free(text);
	marks_set_from(&m, 5);
	text = marks_text(&m);
	assert_non_null(strstr(text, "\"newer\":{\"a\":1}"));
	free(text);
	marks_close(&m);
}

/* --- the file --- */

static void make_directory(char directory[64])
{
	snprintf(directory, 64, "/tmp/crossfade-marks-XXXXXX");
	assert_non_null(mkdtemp(directory));
}

static void remove_directory(const char *directory)
{
	static const char *const names[] = { MARKS_FILE, MARKS_DAMAGED_FILE, MARKS_FILE ".new" };
	char path[128];
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(directory), 0);
}

static void a_tag_goes_back_when_its_change_is_durable(void **state)
{
	struct kept_marks k;
	_Atomic uint64_t restart = 0;
	uintptr_t tag;
	char directory[64];
	(void)state;
	make_directory(directory);
	kept_open(&k, directory);
	assert_true(kept_load(&k, NOW_NS, 0, &restart));
	assert_int_equal(restart, 0);
	kept_save(&k, true);
	set_aside(kept_change(&k), "1");
	kept_changed(&k, true);
	kept_hold(&k, 5);
	assert_false(kept_release(&k, &tag));
	assert_true(kept_save(&k, false));
	assert_true(kept_release(&k, &tag));
	assert_int_equal(tag, 5);
	assert_false(kept_release(&k, &tag));
	assert_false(kept_save(&k, true));
	kept_close(&k);
	kept_open(&k, directory);
	assert_true(kept_load(&k, NOW_NS, 0, &restart));
	assert_int_equal(marks_aside_n(&k.marks), 1);
	kept_close(&k);
	remove_directory(directory);
}

static void what_cannot_be_saved_gives_no_tag_back(void **state)
{
	struct kept_marks k;
	_Atomic uint64_t restart = 0;
	uintptr_t tag;
	char directory[64];
	(void)state;
	make_directory(directory);
	kept_open(&k, directory);
	assert_true(kept_load(&k, NOW_NS, 0, &restart));
	remove_directory(directory);
	set_aside(kept_change(&k), "1");
	kept_changed(&k, true);
	kept_hold(&k, 5);
	assert_false(kept_save(&k, true));
	assert_int_not_equal(k.error, 0);
	assert_false(kept_release(&k, &tag));
	kept_close(&k);
}

static void a_damaged_file_is_moved_away_and_pauses(void **state)
{
	struct kept_marks k;
	_Atomic uint64_t restart = 0;
	char directory[64], path[128];
	(void)state;
	make_directory(directory);
	assert_true(marks_save(directory, "no marks"));
	kept_open(&k, directory);
	assert_true(kept_load(&k, NOW_NS, 0, &restart));
	assert_non_null(marks_paused(&k.marks));
	assert_non_null(json_object_get(marks_all_not_exact(&k.marks), "*"));
	snprintf(path, sizeof path, "%s/" MARKS_DAMAGED_FILE, directory);
	assert_int_equal(access(path, F_OK), 0);
	kept_close(&k);
	remove_directory(directory);
}

static void a_newer_file_is_not_touched(void **state)
{
	struct kept_marks k;
	_Atomic uint64_t restart = 0;
	char directory[64];
	(void)state;
	make_directory(directory);
	char *text = text_of(2, 0, "{}");
	assert_true(marks_save(directory, text));
	free(text);
	kept_open(&k, directory);
	assert_false(kept_load(&k, NOW_NS, 0, &restart));
	assert_int_equal(k.state, KEPT_NEWER);
	assert_false(kept_save(&k, true));
	kept_close(&k);
	remove_directory(directory);
}

static void a_restart_that_was_not_done_is_known_and_from_is_taken_once(void **state)
{
	struct kept_marks k;
	_Atomic uint64_t restart = 0;
	char directory[64];
	(void)state;
	make_directory(directory);
	kept_open(&k, directory);
	assert_true(kept_load(&k, NOW_NS, 33, &restart));
	assert_int_equal(marks_from(&k.marks), 33);
	marks_set_restarts(kept_change(&k), true);
	kept_changed(&k, true);
	assert_true(kept_save(&k, false));
	kept_close(&k);
	kept_open(&k, directory);
	assert_true(kept_load(&k, NOW_NS, 44, &restart));
	assert_int_equal(marks_from(&k.marks), 33);
	assert_int_not_equal(restart, 0);
	kept_close(&k);
	remove_directory(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_marked_is_known_again),
		cmocka_unit_test(documents_of_one_id_are_set_aside_apart),
		cmocka_unit_test(a_routing_of_any_length_is_set_aside),
		cmocka_unit_test(where_a_refused_document_was_written_is_known_after_a_retry_too),
		cmocka_unit_test(versions_and_damage_are_told_apart),
		cmocka_unit_test(each_changed_byte_is_damage),
		cmocka_unit_test(members_of_a_newer_version_are_kept),
		cmocka_unit_test(a_tag_goes_back_when_its_change_is_durable),
		cmocka_unit_test(what_cannot_be_saved_gives_no_tag_back),
		cmocka_unit_test(a_damaged_file_is_moved_away_and_pauses),
		cmocka_unit_test(a_newer_file_is_not_touched),
		cmocka_unit_test(a_restart_that_was_not_done_is_known_and_from_is_taken_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
