#ifndef CAPTURE_POSITION_H
#define CAPTURE_POSITION_H

/*
 * How far somebody has come who reads a capture log while it is written: what of each series is
 * passed, and what must be known of connections that go on. An exchange that was under way is read
 * again from its beginning, and nothing of the other connections is read twice.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/bytes.h"
#include "capture/frame.h"

struct position_series {
	uint64_t generation;
	uint64_t next; /* frames below this are passed, but for those of open exchanges */
	char node[SEGMENT_NODE_BYTES]; /* the host that recorded it */
};

struct position_connection {
	uint64_t generation, number;
	uint16_t worker;
	uint32_t records;  /* that were made of it, */
	uint32_t requests; /* and of how many requests */
	uint64_t from;	   /* its open exchange begins here; POSITION_IDLE: it has none */
};
#define POSITION_IDLE UINT64_MAX

struct position {
	uint64_t passed;  /* series up to this one that are not listed are passed whole */
	uint64_t wall_ns; /* of the last frame that is passed; 0: none is */
	struct position_series *series;		 /* owned, ascending */
	struct position_connection *connections; /* owned, ascending when they were sorted */
	size_t series_n, series_room, connection_n, connection_room;
};

void position_free(struct position *p);
void position_add_series(struct position *p, struct position_series s);
void position_add_connection(struct position *p, struct position_connection c);
/* After the last one was added, before anybody asks. */
void position_sort(struct position *p);

/* Where reading begins in that series: a sequence; 0: at its beginning, UINT64_MAX: nowhere. */
uint64_t position_from(const struct position *p, uint64_t generation);
/* Whether the frame is not passed. */
bool position_wants(const struct position *p, uint64_t generation, const struct frame *f);
/* NULL: nothing is known of it. */
const struct position_connection *position_find(const struct position *p, uint64_t generation,
						uint16_t worker, uint64_t number);

/* As a text, whose last line has its checksum. */
void position_write(const struct position *p, struct bytes *to);
/* False: it is damaged, and `p` is empty, as of one who has passed nothing. */
bool position_read(struct position *p, struct span text);

#endif
