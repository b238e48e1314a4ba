#include "unit/cmocka_all.h"

#include <string.h>

#include "http/relay.h"

/* A party between two others, which only count what they hear. */
struct scene {
	struct bufs bufs;
	struct stream sender, front, back, receiver;
	struct chain pending;
	struct arena arena;
	struct slab chunks;
	struct msg request;
	size_t got;
	bool ended;
};

static void on_head(struct stream *to, struct msg *m, bool end)
{
	(void)to, (void)m, (void)end;
}

static void on_data(struct stream *to, struct chain *c, bool end)
{
	struct scene *s = list_entry(to, struct scene, receiver);
	s->got += c->bytes;
	s->ended |= end;
	chain_drop(c);
}

static void on_trailers(struct stream *to, struct msg *m)
{
	(void)m;
	list_entry(to, struct scene, receiver)->ended = true;
}

static void on_grant(struct stream *to, size_t bytes)
{
	(void)to, (void)bytes;
}

static void on_abort(struct stream *to, enum stream_way way, enum err why)
{
	(void)to, (void)way, (void)why;
}

static const struct stream_verbs verbs = {
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.grant = on_grant,
	.abort = on_abort,
};

static int open_scene(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	bufs_open(&s->bufs);
	slab_open(&s->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&s->arena, &s->chunks);
	msg_open(&s->request, &s->arena, MSG_REQUEST);
	msg_set_request(&s->request, SPAN("POST"), SPAN("/"));
	struct stream *all[] = { &s->sender, &s->front, &s->back, &s->receiver };
	for (unsigned i = 0; i < 4; i++)
		stream_init(all[i], &verbs, "test");
	stream_join(&s->sender, &s->front);
	stream_join(&s->back, &s->receiver);
	stream_head(&s->front, &s->request, false);
	*state = s;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *s = *state;
	chain_drop(&s->pending);
	arena_close(&s->arena);
	slab_close(&s->chunks);
	bufs_close(&s->bufs);
	free(s);
	return 0;
}

static void come(struct scene *s, size_t n)
{
	static const char zeros[1000];
	chain_copy_in(&s->pending, &s->bufs, zeros, n);
}

static void pass(struct scene *s, struct msg *trailers)
{
	relay_body(&s->front, &s->back, &s->pending, trailers);
}

static void nothing_goes_before_the_head(void **state)
{
	struct scene *s = *state;
	stream_grant(&s->back, 100);
	come(s, 10);
	pass(s, NULL);
	assert_int_equal(s->got, 0);
	stream_head(&s->receiver, &s->request, false);
	pass(s, NULL);
	assert_int_equal(s->got, 10);
	assert_false(s->ended);
}

static void as_much_goes_as_is_taken(void **state)
{
	struct scene *s = *state;
	stream_head(&s->receiver, &s->request, false);
	come(s, 150);
	pass(s, NULL);
	assert_int_equal(s->got, 0);
	stream_grant(&s->back, 100);
	pass(s, NULL);
	assert_int_equal(s->got, 100);
	assert_int_equal(s->pending.bytes, 50);
}

/* The end waits for what stands before it, and costs no credit. */
static void the_end_goes_behind_all_that_is_pending(void **state)
{
	struct scene *s = *state;
	stream_head(&s->receiver, &s->request, false);
	come(s, 150);
	stream_grant(&s->back, 100);
	stream_abort(&s->front, STREAM_RESET, ERR_NONE); /* the sender's direction is closed */
	pass(s, NULL);
	assert_false(s->ended);
	stream_grant(&s->back, 50);
	pass(s, NULL);
	assert_int_equal(s->got, 150);
	assert_true(s->ended);
	pass(s, NULL); /* who takes nothing more gets nothing more */
}

static void trailers_are_the_end(void **state)
{
	struct scene *s = *state;
	struct msg trailers;
	msg_open(&trailers, &s->arena, MSG_TRAILERS);
	stream_head(&s->receiver, &s->request, false);
	come(s, 10);
	stream_grant(&s->back, 10);
	stream_abort(&s->front, STREAM_RESET, ERR_NONE);
	pass(s, &trailers);
	assert_int_equal(s->got, 10);
	assert_true(s->ended);
	assert_false(stream_sends(&s->back));
}

static void room_is_what_is_taken_behind_what_is_there(void **state)
{
	struct scene *s = *state;
	stream_grant(&s->back, 100);
	assert_int_equal(relay_room(&s->front, &s->back, &s->pending), 100);
	come(s, 30);
	assert_int_equal(relay_room(&s->front, &s->back, &s->pending), 70);
	stream_grant(&s->sender, 70);
	assert_int_equal(relay_room(&s->front, &s->back, &s->pending), 0);
	come(s, 30); /* more than is taken */
	assert_int_equal(relay_room(&s->front, &s->back, &s->pending), 0);
	stream_abort(&s->front, STREAM_RESET, ERR_NONE);
	assert_int_equal(relay_room(&s->front, &s->back, &s->pending), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
	const struct CMUnitTest tests[] = {
		TEST(nothing_goes_before_the_head),
		TEST(as_much_goes_as_is_taken),
		TEST(the_end_goes_behind_all_that_is_pending),
		TEST(trailers_are_the_end),
		TEST(room_is_what_is_taken_behind_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
