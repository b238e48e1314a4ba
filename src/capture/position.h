#ifndef CAPTURE_POSITION_H
#define CAPTURE_POSITION_H

/*
 * How far a reader of a capture log has come while the log is written: what is passed of each
 * series, and what must be known of open exchanges or connections. An exchange that was under way
 * is read again from its beginning; nothing of the other connections is read twice.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/bytes.h"
#include "capture/frame.h"

struct position_series {
	uint64_t generation;
	uint64_t next; /* frames below this are passed, except those of open exchanges */
	char node[SEGMENT_NODE_BYTES]; /* the host that recorded it */
};

/*
 * An open exchange, so that others of its connection may be passed; or, for a reader that hands on
 * whole connections, a connection.
 */
struct position_connection {
	uint64_t generation, number;
	uint16_t worker;
	uint32_t ordinal;  /* of the exchange; 0: this is a connection */
	uint32_t records;  /* of a connection: how many were made */
	uint32_t requests; /* of a connection: of how many requests */
	uint64_t from;	   /* where the open exchange begins; POSITION_IDLE: none is open */
};
#define POSITION_IDLE UINT64_MAX

struct position {
	uint64_t passed;  /* series up to this one are passed whole, unless they are listed */
	uint64_t wall_ns; /* of the last frame that is passed; 0: none is */
	struct position_series *series;		 /* owned, ascending */
	struct position_connection *connections; /* owned, ascending after position_sort() */
	size_t series_n, series_room, connection_n, connection_room;
};

void position_free(struct position *p);
void position_add_series(struct position *p, struct position_series s);
void position_add_connection(struct position *p, struct position_connection c);
/* Called after the last position_add_...(), before the questions below. */
void position_sort(struct position *p);

/* The sequence where reading begins in that series; 0: at its beginning; UINT64_MAX: nowhere. */
uint64_t position_from(const struct position *p, uint64_t generation);
/* Whether the frame is not passed yet. */
bool position_wants(const struct position *p, uint64_t generation, const struct frame *f);
/* The entry of the exchange with that ordinal; with 0, of the connection. NULL: there is none. */
const struct position_connection *position_find(const struct position *p, uint64_t generation,
						uint16_t worker, uint64_t number, uint32_t ordinal);

/* Adds the position as a text, whose last line is a checksum. */
void position_write(const struct position *p, struct bytes *to);
/* False: the text is damaged, and `p` is empty: nothing is passed. */
bool position_read(struct position *p, struct span text);

#endif
