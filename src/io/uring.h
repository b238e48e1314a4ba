#ifndef IO_URING_H
#define IO_URING_H

/* How io_uring names sockets. io_uring_open() in io.h chooses the kind that suits the kernel. */

#include "io/io.h"

enum uring_files {
	/*
	 * Ordinary descriptors. Before Linux 6.13 a slot that is cleared keeps its file until every
	 * request that the ring began earlier has ended. So a receive on one idle connection would
	 * hold back the FIN of all connections that are closed after it.
	 */
	URING_DESCRIPTORS,
	/* Slots of the ring's own table: no look-up and no reference counting per request. */
	URING_SLOTS,
};

/* As io_uring_open(), but the caller chooses: tests run both kinds. */
struct io *uring_open(struct bufs *bufs, enum uring_files files);

#endif
