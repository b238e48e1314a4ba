#include "unit/control/kit.h"

#include "base/limits.h"
#include "control/config_read.h"
#include "control/saved_files.h"

struct stage {
	struct slab chunks;
	struct arena arena;
	struct saved_files files, read;
	char *bytes;
	size_t n;
};

static int open_stage(void **state)
{
	static struct stage s;
	s = (struct stage){ .bytes = NULL };
	slab_open(&s.chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&s.arena, &s.chunks);
	*state = &s;
	return 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;
	free(s->bytes);
	arena_close(&s->arena);
	slab_close(&s->chunks);
	return 0;
}

static void write_them(struct stage *s)
{
	s->n = saved_files_bytes(&s->files);
	s->bytes = malloc(s->n);
	saved_files_write(&s->files, s->bytes);
}

static bool read_first(struct stage *s, size_t n)
{
	/* A copy of its own size, so that one byte too many is seen. */
	char *copy = malloc(n ? n : 1);
	memcpy(copy, s->bytes, n);
	s->read = (struct saved_files){ NULL };
	bool good = saved_files_read(&s->read, &s->arena, (struct span){ copy, n });
	free(copy);
	return good;
}

static void what_was_added_first_under_a_name_stays(void **state)
{
	struct stage *s = *state;
	struct span text;
	saved_files_add(&s->files, &s->arena, "a", SPAN("one"));
	saved_files_add(&s->files, &s->arena, "a", SPAN("two"));
	assert_true(saved_files_find(&s->files, "a", &text));
	assert_true(span_is(text, SPAN("one")));
	assert_false(saved_files_find(NULL, "a", &text));
}

static void texts_with_zeros_are_read_as_they_were_written(void **state)
{
	struct stage *s = *state;
	struct span text;
	saved_files_add(&s->files, &s->arena, "a", (struct span){ "x\0y", 3 });
	saved_files_add(&s->files, &s->arena, "b", SPAN(""));
	write_them(s);
	assert_true(saved_files_read(&s->read, &s->arena, (struct span){ s->bytes, s->n }));
	assert_true(saved_files_find(&s->read, "a", &text));
	assert_int_equal(text.n, 3);
	assert_memory_equal(text.at, "x\0y", 4);
	assert_true(saved_files_find(&s->read, "b", &text));
	assert_int_equal(text.n, 0);
}

static void what_is_cut_or_changed_is_not_read_beyond_its_end(void **state)
{
	struct stage *s = *state;
	saved_files_add(&s->files, &s->arena, "name", SPAN("a text"));
	saved_files_add(&s->files, &s->arena, "other", SPAN("another"));
	write_them(s);
	for (size_t n = 0; n < s->n; n++)
		assert_false(read_first(s, n));
	for (size_t i = 0; i < s->n; i++)
		for (int bit = 0; bit < 8; bit++) {
			s->bytes[i] = (char)(s->bytes[i] ^ (1 << bit));
			(void)read_first(s, s->n);
			s->bytes[i] = (char)(s->bytes[i] ^ (1 << bit));
		}
	assert_true(read_first(s, s->n));
}

/* Where members of the bytes stand. */
enum { MAJOR = 8, MINOR = 10, HEAD_ROOM = 16, HEAD_BYTES = 64, ENTRY_ROOM = HEAD_BYTES + 8 };

static void a_newer_minor_version_is_read_and_a_major_one_is_not(void **state)
{
	struct stage *s = *state;
	struct span text;
	saved_files_add(&s->files, &s->arena, ":of a newer version", SPAN("unknown"));
	saved_files_add(&s->files, &s->arena, "a", SPAN("one"));
	write_them(s);
	s->bytes[MINOR]++;
	s->bytes[HEAD_ROOM] = s->bytes[HEAD_BYTES - 1] = s->bytes[ENTRY_ROOM] = 7;
	assert_true(saved_files_read(&s->read, &s->arena, (struct span){ s->bytes, s->n }));
	assert_true(saved_files_find(&s->read, "a", &text));
	assert_true(span_is(text, SPAN("one")));
	s->bytes[MINOR]--;
	s->bytes[MAJOR]++;
	assert_false(read_first(s, s->n));
	/* As it was before it had two numbers. */
	s->bytes[MAJOR] = 1;
	assert_false(read_first(s, s->n));
}

static const char text[] =
	"listeners: { source: { address: \"127.0.0.1:1\" } }\n"
	"tls: { certificate: a.crt, key: a.key }\n"
	"source: { nodes: [ http://127.0.0.2:9200 ], authorization: { file: cred } }\n"
	"target: { nodes: [ http://127.0.0.2:9200 ] }\n"
	"state: state\n";

/* What is read is kept, and what was kept is read in place of the disk's. */
static void a_configuration_of_what_was_kept_asks_no_disk(void **state)
{
	struct stage *s = *state;
	char directory[64], path[80];
	struct span kept;
	kit_directory(directory);
	kit_write(directory, "crossfade.yaml", text);
	kit_write(directory, "a.crt", "certificate");
	kit_write(directory, "a.key", "key");
	kit_write(directory, "cred", "ApiKey one\n");
	snprintf(path, sizeof path, "%s/crossfade.yaml", directory);
	struct config *c = config_open(path);
	assert_int_equal(c->diagnostics.n, 0);
	for (const struct saved_file *f = c->read.first; f; f = f->next)
		saved_files_add(&s->files, &s->arena, f->name, f->text);
	saved_files_add(&s->files, &s->arena, SAVED_CONFIGURATION, c->diagnostics.text);
	kit_remove(directory);
	struct config *again = config_open_saved(path, &s->files);
	assert_int_equal(again->diagnostics.n, 0);
	assert_string_equal(again->tls.certificate.key.text, "key");
	assert_string_equal(again->clusters[ARM_SOURCE].authorization.value, "ApiKey one");
	/* And it can be kept again. */
	assert_true(saved_files_find(&again->read, again->tls.certificate.certificate.path, &kept));
	assert_true(span_is(kept, SPAN("certificate")));
	config_close(again);
	config_close(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_stage, close_stage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_added_first_under_a_name_stays),
		TEST(texts_with_zeros_are_read_as_they_were_written),
		TEST(what_is_cut_or_changed_is_not_read_beyond_its_end),
		TEST(a_newer_minor_version_is_read_and_a_major_one_is_not),
		TEST(a_configuration_of_what_was_kept_asks_no_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
