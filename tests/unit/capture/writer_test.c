#include "unit/cmocka_all.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/reader.h"
#include "capture/writer.h"

#define WORKERS 3
#define WRITES 300

/* A worker with one request at a time, as a thread. */
struct worker {
	struct feed feed;
	struct bufs bufs;
	struct waker waker;
	struct feed_wait wait;
	unsigned settled, durable;
	unsigned number;
	pthread_t thread;
};

static void wake(struct feed *f)
{
	struct worker *w = f->owner;
	waker_wake(&w->waker);
}

static void settled(struct feed_wait *wait, enum batch_state became)
{
	struct worker *w = list_entry(wait, struct worker, wait);
	w->settled++;
	w->durable += became == BATCH_DURABLE;
}

static void put(struct worker *w, unsigned i)
{
	struct chain body = { 0 };
	struct frame head = { .type = FRAME_REQUEST_HEAD, .flags = FRAME_WRITE, .ordinal = i };
	struct frame piece = { .type = FRAME_REQUEST_BODY, .flags = FRAME_WRITE | FRAME_END };
	struct span text = SPAN("PUT / HTTP/1.1\r\n\r\n");
	struct block *k = block_take(&w->bufs, BLOCK_SMALL, NULL);
	memset(k->data, 'x', 1000);
	chain_add(&body, k, k->data, 1000);
	feed_put(&w->feed, &head, &text, 1, NULL);
	feed_put(&w->feed, &piece, NULL, 0, &body);
	chain_drop(&body);
	feed_wait(&w->feed, &w->wait);
	feed_push(&w->feed);
}

static void *work(void *argument)
{
	struct worker *w = argument;
	for (unsigned i = 1; i <= WRITES; i++) {
		put(w, i);
		while (w->settled < i) {
			waker_sleep(&w->waker, 10000);
			feed_look(&w->feed, clock_monotonic_ns(), clock_wall_ns());
		}
	}
	return NULL;
}

static int take_away(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	(void)s;
	(void)flag;
	(void)f;
	return remove(path);
}

static void count(const char *directory, unsigned heads[WORKERS])
{
	struct reading r;
	enum reader_verdict v;
	uint64_t last = 0;
	struct reader *reader = reader_open(directory);
	while ((v = reader_next(reader, &r)) == READER_FRAME) {
		assert_int_equal(r.frame.sequence, last + 1);
		last++;
		if (r.frame.type != FRAME_REQUEST_HEAD)
			continue;
		/* Each worker's are in its order. */
		assert_int_equal(r.frame.ordinal, ++heads[r.frame.worker]);
	}
	assert_int_equal(v, READER_END);
	reader_close(reader);
}

static void what_several_workers_write_is_all_there(void **state)
{
	(void)state;
	char directory[] = "/tmp/capture-XXXXXX";
	static struct worker workers[WORKERS];
	struct writer writer;
	unsigned heads[WORKERS] = { 0 };
	assert_non_null(mkdtemp(directory));
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];
		bufs_open(&w->bufs);
		assert_true(waker_open(&w->waker));
		feed_open(&w->feed, i);
		feed_own(&w->feed, &w->bufs, wake, w);
		list_init(&w->wait.link);
		w->wait.settled = settled;
	}
	assert_true(writer_open(&writer,
				&(struct writer_config){ .directory = directory,
							 .generation = 1,
							 .segment_bytes = SEGMENT_BYTES_MIN }));
	for (unsigned i = 0; i < WORKERS; i++) {
		feed_attach(&workers[i].feed, writer.journal);
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	writer_stop(&writer);
	writer_close(&writer);
	count(directory, heads);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(workers[i].durable, WRITES);
		assert_int_equal(heads[i], WRITES);
		feed_close(&workers[i].feed);
		bufs_close(&workers[i].bufs);
		waker_close(&workers[i].waker);
	}
	nftw(directory, take_away, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- a worker that goes --- */

#define LOOKS 10000

struct leaver {
	struct worker worker;
	atomic_bool woken, leaves, gone, was_gone;
};

/* On the log's thread: it is slow to wake, and the worker has all that it waits for. */
static void wake_slowly(struct feed *f)
{
	struct leaver *l = f->owner;
	atomic_store(&l->woken, true);
	while (!atomic_load(&l->leaves))
		sched_yield();
	for (int i = 0; i < LOOKS && !atomic_load(&l->gone); i++)
		sched_yield();
	if (atomic_load(&l->gone))
		atomic_store(&l->was_gone, true);
}

static void *leave(void *argument)
{
	struct leaver *l = argument;
	struct feed *f = &l->worker.feed;
	put(&l->worker, 1);
	while (feed_is_out(f) || !atomic_load(&l->woken))
		feed_look(f, clock_monotonic_ns(), clock_wall_ns());
	atomic_store(&l->leaves, true);
	feed_disown(f);
	atomic_store(&l->gone, true);
	return NULL;
}

static void a_worker_that_goes_is_woken_no_more(void **state)
{
	(void)state;
	char directory[] = "/tmp/capture-XXXXXX";
	static struct leaver leaver;
	struct worker *w = &leaver.worker;
	struct feed *feed = &w->feed;
	struct writer writer;
	assert_non_null(mkdtemp(directory));
	bufs_open(&w->bufs);
	feed_open(feed, 0);
	feed_own(feed, &w->bufs, wake_slowly, &leaver);
	list_init(&w->wait.link);
	w->wait.settled = settled;
	assert_true(writer_open(&writer,
				&(struct writer_config){ .directory = directory,
							 .generation = 1,
							 .segment_bytes = SEGMENT_BYTES_MIN }));
	feed_attach(feed, writer.journal);
	assert_int_equal(pthread_create(&w->thread, NULL, leave, &leaver), 0);
	pthread_join(w->thread, NULL);
	writer_stop(&writer);
	writer_close(&writer);
	assert_false(leaver.was_gone);
	feed_close(feed);
	bufs_close(&w->bufs);
	nftw(directory, take_away, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_several_workers_write_is_all_there),
		cmocka_unit_test(a_worker_that_goes_is_woken_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
