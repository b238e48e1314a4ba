#ifndef CAPTURE_WRITER_LEASE_H
#define CAPTURE_WRITER_LEASE_H

/*
 * What the writer of a series says while it lives: a small file beside the segments, locked by the
 * writer and mapped by all. Its lock shows that the series' process lives, also between two
 * segments and while its disk fails. It says how much is durable, for followers, which must not
 * read what may yet be taken back; and up to which time. It tells the writer whether a follower
 * wants to be woken: the writer does that by touching the file, which inotify reports.
 */

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What followers have asked for. */
enum writer_lease_followed {
	WRITER_LEASE_NOBODY,
	WRITER_LEASE_FRAMES, /* to be woken when more is durable */
	WRITER_LEASE_TIME,   /* and also when only the time has moved on */
};

/*
 * A writer before minor version 1 of the format writes the first two members only: zeros are read
 * behind them.
 */
#define WRITER_LEASE_BYTES_MIN 16

struct writer_lease_page {
	_Atomic uint64_t durable; /* by the writer: the last durable sequence */
	/* by the follower of capture.durable_at: the last sequence that it has */
	_Atomic uint64_t acknowledged;
	/* By the writer: until_mono_ns and until_wall_ns of journal_counts; 0: not known. */
	_Atomic uint64_t until_mono_ns, until_wall_ns;
	/*
	 * enum writer_lease_followed: the most that any follower has asked for since the file was
	 * touched last
	 */
	_Atomic uint32_t followed;
	uint32_t reserved_32;
	uint64_t reserved[11];
};
static_assert(sizeof(struct writer_lease_page) == 128, "processes of several versions share it");

struct writer_lease {
	int fd; /* owned; -1: it is not open */
	struct writer_lease_page *page;
};

/* By the writer: makes and locks the file. False with errno. */
bool writer_lease_make(struct writer_lease *m, int directory, uint64_t generation);
/* Whether its file is still in the directory. */
bool writer_lease_is_there(const struct writer_lease *m, int directory, uint64_t generation);
/* Opens the lease of another process. False: no process writes that series. */
bool writer_lease_look(struct writer_lease *m, int directory, uint64_t generation);
/*
 * By a follower: asks the writer to touch the file, once, when its page says more than now. False:
 * a follower had asked for that already.
 */
bool writer_lease_follow(const struct writer_lease *m, enum writer_lease_followed what);
/* By the writer: the page says more. */
void writer_lease_touch(const struct writer_lease *m);
/* Whether the writer still lives. */
bool writer_lease_is_live(const struct writer_lease *m);
void writer_lease_close(struct writer_lease *m);

void writer_lease_remove(int directory, uint64_t generation);
/* Whether it is the name of a lease's file. */
bool writer_lease_of(const char *name, uint64_t *generation);

/* Calls `each` for each lease in the directory whose writer lives. False with errno. */
bool writer_leases_each(int directory, void (*each)(void *user, const struct writer_lease *m),
			void *user);

#endif
