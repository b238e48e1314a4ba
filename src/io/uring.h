#ifndef IO_URING_H
#define IO_URING_H

/* How io_uring names sockets. io_uring_open() in io.h chooses what suits the kernel. */

#include "io/io.h"

enum uring_files {
	/*
	 * Descriptors, as everywhere. Before Linux 6.13 a slot of the registered table that is
	 * emptied keeps its file until every request that the ring began earlier has ended: a
	 * receive on one idle connection holds back the FIN of all that are closed after it.
	 */
	URING_DESCRIPTORS,
	/* Slots of the ring's own table: no look-up and no counting of references per request. */
	URING_SLOTS,
};

/* As io_uring_open(), with the choice made by the caller: so that tests run both. */
struct io *uring_open(struct bufs *bufs, enum uring_files files);

#endif
