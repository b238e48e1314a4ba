#include "unit/cmocka_all.h"

#include "base/limits.h"
#include "proxy/trace.h"

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
#define ROOT "Root=1-67891233-abcdef012345678912345678"
#define TIME_NS (0x6553f100ull * 1000000000)

struct fixture {
	struct slab chunks;
	struct arena arena;
	struct msg request;
	struct rng rng;
	char text[64];
};

static void begin_request(struct fixture *f)
{
	msg_open(&f->request, &f->arena, MSG_REQUEST);
	msg_set_request(&f->request, SPAN("GET"), SPAN("/"));
}

static int open_fixture(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof f);
	slab_open(&f.chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&f.arena, &f.chunks);
	f.rng.state = 7;
	begin_request(&f);
	*state = &f;
	return 0;
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	arena_close(&f->arena);
	slab_close(&f->chunks);
	return 0;
}

static bool add(struct fixture *f)
{
	return trace_add(&f->request, TIME_NS, &f->rng);
}

static struct span value(struct fixture *f, enum name name)
{
	unsigned n = 0;
	for (unsigned i = 0; i < f->request.field_n; i++)
		n += f->request.fields[i].name == name && !f->request.fields[i].dropped;
	assert_int_equal(n, 1);
	return msg_value(&f->request, name);
}

/* A value with what was made in it by chance as '#': a number of 24 or of 32 digits. */
static bool looks_like(struct span value, const char *form)
{
	size_t at = 0;
	for (; *form; form++, at++) {
		if (*form != '#') {
			if (at >= value.n || value.at[at] != *form)
				return false;
			continue;
		}
		for (size_t end = at + 24; at < end; at++)
			if (at >= value.n || !strchr("0123456789abcdef", value.at[at]))
				return false;
		at--;
	}
	return at == value.n;
}

static void a_request_without_a_trace_begins_one(void **state)
{
	struct fixture *f = *state;
	assert_true(add(f));
	struct span root = value(f, NAME_X_AMZN_TRACE_ID), parent = value(f, NAME_TRACEPARENT);
	assert_true(looks_like(root, "Root=1-6553f100-#"));
	assert_int_equal(parent.n, 55);
	assert_memory_equal(parent.at, "00-6553f100", 11);
	assert_memory_equal(parent.at + 52, "-01", 3);
	/* Both say one number. */
	assert_memory_equal(parent.at + 11, root.at + 16, 24);
}

static void no_two_are_the_same(void **state)
{
	struct fixture *f = *state;
	char first[55];
	assert_true(add(f));
	memcpy(first, value(f, NAME_TRACEPARENT).at, sizeof first);
	begin_request(f);
	assert_true(add(f));
	assert_memory_not_equal(value(f, NAME_TRACEPARENT).at, first, sizeof first);
}

static void self_stands_before_a_root_that_came(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *came, *goes;
	} rows[] = {
		{ ROOT, "Self=1-6553f100-#;" ROOT },
		{ ROOT ";CalledFrom=app", "Self=1-6553f100-#;" ROOT ";CalledFrom=app" },
		{ "Self=1-0-0;" ROOT, "Self=1-6553f100-#;" ROOT },
		{ "a=1;" ROOT ";Self=1-0-0;Self=2;b", "Self=1-6553f100-#;a=1;" ROOT ";b" },
		{ ROOT "; a=1 ;;", "Self=1-6553f100-#;" ROOT ";a=1" },
		/* The client's own number, whatever it looks like. */
		{ "Root=mine", "Self=1-6553f100-#;Root=mine" },
		{ "Root=1;Root=2", "Self=1-6553f100-#;Root=1;Root=2" },
		/* Without a number there is no Root. */
		{ "CalledFrom=app", "Root=1-6553f100-#;CalledFrom=app" },
		{ "Self=1-0-0", "Root=1-6553f100-#" },
		{ "Self=;Root=;a=1", "Root=1-6553f100-#;a=1" },
		{ "Root", "Root=1-6553f100-#;Root" },
		{ "root=1-0-0", "Root=1-6553f100-#;root=1-0-0" },
		{ ";", "Root=1-6553f100-#" },
		{ "", "Root=1-6553f100-#" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin_request(f);
		msg_add(&f->request, NAME_X_AMZN_TRACE_ID, span_of(rows[i].came));
		assert_true(add(f));
		struct span goes = value(f, NAME_X_AMZN_TRACE_ID);
		if (!looks_like(goes, rows[i].goes))
			fail_msg("%s: %.*s", rows[i].came, (int)goes.n, goes.at);
	}
}

static void of_two_trace_ids_the_first_counts(void **state)
{
	struct fixture *f = *state;
	msg_add(&f->request, NAME_X_AMZN_TRACE_ID, SPAN(ROOT));
	msg_add(&f->request, NAME_X_AMZN_TRACE_ID, SPAN("Root=other"));
	assert_true(add(f));
	assert_true(looks_like(value(f, NAME_X_AMZN_TRACE_ID), "Self=1-6553f100-#;" ROOT));
}

static void a_trace_id_of_seven_kib_is_kept_and_a_longer_one_is_not(void **state)
{
	struct fixture *f = *state;
	char text[TRACE_BYTES + 1];
	memset(text, 'a', sizeof text);
	memcpy(text, ROOT ";", sizeof ROOT);
	for (size_t n = TRACE_BYTES; n <= TRACE_BYTES + 1; n++) {
		begin_request(f);
		msg_add(&f->request, NAME_X_AMZN_TRACE_ID, (struct span){ text, n });
		assert_true(add(f));
		struct span goes = value(f, NAME_X_AMZN_TRACE_ID);
		if (n == TRACE_BYTES)
			assert_int_equal(goes.n, n + sizeof "Self=1-6553f100-;" - 1 + 24);
		else
			assert_true(looks_like(goes, "Root=1-6553f100-#"));
	}
}

static void a_parent_is_valid_or_another_trace_begins(void **state)
{
	struct fixture *f = *state;
	static const struct {
		bool valid;
		const char *parent;
	} rows[] = {
		{ true, PARENT },
		{ true, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff" },
		{ false, PARENT "-" },
		{ false, PARENT "-what" },
		{ true, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
		{ true, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what" },
		{ true, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-" },
		{ false, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what" },
		{ false, "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
		{ false, "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-001" },
		{ false, "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01" },
		{ false, "00-00000000000000000000000000000000-00f067aa0ba902b7-01" },
		{ false, "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01" },
		{ false, "00-4bf92f3577b34da6a3ce929d0e0e473.-00f067aa0ba902b7-01" },
		{ false, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b.-01" },
		{ false, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x" },
		{ false, "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
		{ false, "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01" },
		{ false, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01" },
		{ false, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1" },
		{ false, "00-mine" },
		{ false, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin_request(f);
		msg_add(&f->request, NAME_TRACEPARENT, span_of(rows[i].parent));
		msg_add(&f->request, NAME_TRACESTATE, SPAN("a=1"));
		msg_add(&f->request, NAME_TRACESTATE, SPAN("b=2"));
		assert_true(add(f));
		struct span goes = value(f, NAME_TRACEPARENT);
		if (span_is(goes, span_of(rows[i].parent)) != rows[i].valid ||
		    !!msg_find(&f->request, NAME_TRACESTATE) != rows[i].valid)
			fail_msg("%s: %.*s", rows[i].parent, (int)goes.n, goes.at);
	}
}

static void two_parents_are_none(void **state)
{
	struct fixture *f = *state;
	msg_add(&f->request, NAME_TRACEPARENT, SPAN(PARENT));
	msg_add(&f->request, NAME_TRACEPARENT, SPAN(PARENT));
	assert_true(add(f));
	assert_memory_equal(value(f, NAME_TRACEPARENT).at, "00-6553f100", 11);
}

static void a_state_without_its_parent_goes(void **state)
{
	struct fixture *f = *state;
	msg_add(&f->request, NAME_TRACESTATE, SPAN("a=1"));
	assert_true(add(f));
	assert_null(msg_find(&f->request, NAME_TRACESTATE));
}

static void what_is_made_says_the_number_that_came(void **state)
{
	struct fixture *f = *state;
	msg_add(&f->request, NAME_TRACEPARENT, SPAN(PARENT));
	assert_true(add(f));
	assert_true(span_is(value(f, NAME_X_AMZN_TRACE_ID),
			    SPAN("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736")));
	begin_request(f);
	msg_add(&f->request, NAME_X_AMZN_TRACE_ID, SPAN(ROOT));
	assert_true(add(f));
	assert_memory_equal(value(f, NAME_TRACEPARENT).at, "00-67891233abcdef012345678912345678-",
			    36);
	/* All zeros are no number for traceparent. */
	begin_request(f);
	msg_add(&f->request, NAME_X_AMZN_TRACE_ID,
		SPAN("Root=1-00000000-000000000000000000000000"));
	assert_true(add(f));
	assert_memory_equal(value(f, NAME_TRACEPARENT).at, "00-6553f100", 11);
}

static void a_head_without_room_is_refused(void **state)
{
	struct fixture *f = *state;
	while (f->request.field_n < FIELDS_MAX + FIELDS_ADDED_MAX - 1)
		assert_true(msg_add_named(&f->request, SPAN("X-B"), SPAN("b")));
	assert_false(add(f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_request_without_a_trace_begins_one),
		TEST(no_two_are_the_same),
		TEST(self_stands_before_a_root_that_came),
		TEST(of_two_trace_ids_the_first_counts),
		TEST(a_trace_id_of_seven_kib_is_kept_and_a_longer_one_is_not),
		TEST(a_parent_is_valid_or_another_trace_begins),
		TEST(two_parents_are_none),
		TEST(a_state_without_its_parent_goes),
		TEST(what_is_made_says_the_number_that_came),
		TEST(a_head_without_room_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
