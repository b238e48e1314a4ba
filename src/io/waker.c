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

static bool waker_sleep_for(struct waker *w, int fd, const struct timespec *most)
{
	uint64_t wakes;
	struct pollfd both[] = { { .fd = w->fd, .events = POLLIN },
				 { .fd = fd, .events = POLLIN } };
	(void)ppoll(both, 2, most, NULL);
	bool woken = read(w->fd, &wakes, sizeof wakes) >= 0;
	must(woken || errno == EAGAIN || errno == EINTR);
	waker_rearm(w);
	return woken;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };
}

void waker_sleep_ns(struct waker *w, uint64_t ns)
{
	const struct timespec most = timespec_of(ns);
	waker_sleep_for(w, -1, &most);
}

bool waker_sleep_beside(struct waker *w, int fd, int ms)
{
	const struct timespec most = timespec_of((uint64_t)ms * 1000000u);
	return waker_sleep_for(w, fd, &most);
}

void waker_sleep(struct waker *w, int ms)
{
	if (ms < 0)
		waker_sleep_for(w, -1, NULL);
	else
		waker_sleep_ns(w, (uint64_t)ms * 1000000u);
}
