#include "capture/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"

static uint64_t chance(void *world)
{
	(void)world;
	uint64_t n;
	must(getrandom(&n, sizeof n, 0) == sizeof n);
	return n;
}

static uint64_t now_ns(void *world)
{
	(void)world;
	return clock_monotonic_ns();
}

static void wake(void *world)
{
	struct writer *w = world;
	waker_wake(&w->waker);
}

/* In whole milliseconds, rounded up: it must not wake before its time, and turn for nothing. */
static int rest_ms(const struct writer *w, uint64_t now_ns)
{
	uint64_t until_ns = journal_deadline_ns(w->journal);
	if (until_ns <= now_ns)
		return 0;
	uint64_t ms = (until_ns - now_ns + 999999) / 1000000;
	return until_ns == UINT64_MAX ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
}

static void *run(void *argument)
{
	struct writer *w = argument;
	pthread_setname_np(pthread_self(), "capture");
	while (journal_state(w->journal) != JOURNAL_OVER) {
		if (atomic_load(&w->stop))
			journal_stop(w->journal);
		uint64_t now_ns = clock_monotonic_ns();
		journal_turn(w->journal, now_ns, clock_wall_ns());
		if (!disk_run(w->disk) && journal_state(w->journal) != JOURNAL_OVER)
			waker_sleep(&w->waker, rest_ms(w, now_ns));
	}
	return NULL;
}

static void read_boot(uint8_t boot[16])
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	unsigned digits = 0;
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		const char *hex = "0123456789abcdef", *at = strchr(hex, text[i]);
		if (!at || !*at)
			continue;
		boot[digits / 2] = (uint8_t)(boot[digits / 2] << 4 | (at - hex));
		digits++;
	}
}

bool writer_open(struct writer *w, const struct writer_config *c)
{
	char node[HOST_NAME_MAX + 1] = "";
	*w = (struct writer){ .disk = disk_open(c->directory) };
	if (!w->disk)
		return false;
	gethostname(node, sizeof node - 1);
	struct journal_config j = {
		.disk = w->disk,
		.generation = c->generation,
		.node = node,
		.now_ns = now_ns,
		.chance = chance,
		.wake = wake,
		.world = w,
		.segment_bytes = c->segment_bytes,
		.commit_ns = c->commit_ns,
		.queue_bytes = c->queue_bytes,
		.feeds = c->feeds,
		.feed_n = c->feed_n,
	};
	read_boot(j.boot);
	w->journal = journal_open(&j);
	must(waker_open(&w->waker));
	must(!pthread_create(&w->thread, NULL, run, w));
	return true;
}

void writer_close(struct writer *w)
{
	atomic_store(&w->stop, true);
	waker_wake(&w->waker);
	pthread_join(w->thread, NULL);
	journal_close(w->journal);
	disk_free(w->disk);
	waker_close(&w->waker);
}
