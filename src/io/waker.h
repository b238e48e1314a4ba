#ifndef IO_WAKER_H
#define IO_WAKER_H

/*
 * Wakes one waiting thread from any other thread. However many wakes come between two waits, only
 * one reaches the kernel. Only waker_sleep() reads the descriptor: an io watches it edge-triggered.
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

/* For a thread without an io: sleeps until a wake, at most `ms`. It need not call waker_rearm(). */
void waker_sleep(struct waker *w, int ms);
void waker_sleep_ns(struct waker *w, uint64_t ns);
/* Sleeps until a wake or until `fd` is readable, too; `fd` may be -1. True: a wake came. */
bool waker_sleep_beside(struct waker *w, int fd, int ms);

/*
 * Call it after each wait, before the thread looks at what others have left for it. Then a later
 * wake reaches the kernel again; otherwise its work would be noticed only by chance.
 */
static inline void waker_rearm(struct waker *w)
{
	if (atomic_load_explicit(&w->pending, memory_order_relaxed))
		atomic_exchange(&w->pending, false);
}

#endif
