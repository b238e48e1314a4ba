#include "io/waker.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"

bool waker_open(struct waker *w)
{
	atomic_init(&w->pending, false);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->fd >= 0;
}

void waker_close(struct waker *w)
{
	close(w->fd);
	w->fd = -1;
}

void waker_wake(struct waker *w)
{
	if (atomic_exchange(&w->pending, true))
		return;
	uint64_t one = 1;
	ssize_t n;
	do
		n = write(w->fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
	/* The counter is full only after 2^64 wakes. */
	must(n == sizeof one);
}

static void sleep_for(struct waker *w, const struct timespec *most)
{
	uint64_t wakes;
	(void)ppoll(&(struct pollfd){ .fd = w->fd, .events = POLLIN }, 1, most, NULL);
	if (read(w->fd, &wakes, sizeof wakes) < 0)
		must(errno == EAGAIN || errno == EINTR);
	waker_rearm(w);
}

void waker_sleep_ns(struct waker *w, uint64_t ns)
{
	sleep_for(w, &(struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
					 .tv_nsec = (long)(ns % 1000000000u) });
}

void waker_sleep(struct waker *w, int ms)
{
	if (ms < 0)
		sleep_for(w, NULL);
	else
		waker_sleep_ns(w, (uint64_t)ms * 1000000u);
}
