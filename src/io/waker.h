#ifndef IO_WAKER_H
#define IO_WAKER_H

/*
 * Wakes one waiting thread from any other. However many wake it between two of its waits, the
 * kernel hears of it once. The descriptor is read by waker_sleep() only: an io watches it
 * edge-triggered.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct waker {
	int fd; /* an eventfd, owned */
	atomic_bool pending;
};

/* False with errno. */
bool waker_open(struct waker *w);
void waker_close(struct waker *w);

/* From any thread. */
void waker_wake(struct waker *w);

/*
 * For a thread that has no io: sleeps until it is woken, at most `ms`. It need not rearm.
 */
void waker_sleep(struct waker *w, int ms);
void waker_sleep_ns(struct waker *w, uint64_t ns);

/*
 * After each wait and before the woken thread looks at what others have left for it: a later wake
 * must reach the kernel again, or what came with it would be noticed only by chance.
 */
static inline void waker_rearm(struct waker *w)
{
	if (atomic_load_explicit(&w->pending, memory_order_relaxed))
		atomic_exchange(&w->pending, false);
}

#endif
