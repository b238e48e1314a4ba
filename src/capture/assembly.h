#ifndef CAPTURE_ASSEMBLY_H
#define CAPTURE_ASSEMBLY_H

/*
 * Exchanges put together from their frames. When the outcome is there, the caller reads request and
 * response piece by piece and in step. The frames of a small exchange are kept in memory; of a
 * larger one only their places, and they are read from the log again. So memory is bounded however
 * large bodies are: a place takes 32 bytes and stands for all frames that follow each other; a
 * cursor has one frame in memory, and one block of a compressed segment.
 *
 * The segments must stay: the follower's position does not pass an exchange that is held here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/bytes.h"
#include "capture/reader.h"

/* Frames of one side that follow each other in a segment. */
struct assembly_place {
	uint64_t index;	   /* of the segment in its series */
	uint64_t sequence; /* of the first frame */
	uint64_t at;	   /* offset of the first frame */
	uint32_t frame_n;
	uint8_t side; /* enum assembly_side */
};

enum assembly_side { ASSEMBLY_REQUEST, ASSEMBLY_RESPONSE };

struct assembly {
	uint64_t generation;
	struct frame first;	       /* the request head's: names, times, epoch, flags */
	struct assembly_place *places; /* owned, in the order of the log */
	size_t place_n, place_room;
	uint64_t next_sequence, next_at; /* of the frame behind the last place */
	struct bytes kept; /* owned: all frames, each with its payload behind it; see below */
	bool is_kept;	   /* else they are to be read at their places */
	uint64_t request_bytes, response_bytes; /* of bodies, as far as recorded */
	bool request_whole, response_whole;
	struct record_outcome outcome; /* set when the exchange is over */
	uint64_t outcome_sequence, outcome_mono_ns;
	/* Places in the order in which frames were taken in: of the head, of the outcome. */
	uint64_t began, ended;
};

struct assemblies;

struct assemblies *assemblies_open(void);
void assemblies_close(struct assemblies *a);

/*
 * Takes a frame in. Returns the exchange that ends with it, which is the caller's to free; or NULL.
 * A frame of an exchange whose beginning is not in the log is ignored.
 */
struct assembly *assemblies_take(struct assemblies *a, const struct reading *r);
/*
 * Takes out an exchange without an outcome whose series is over, as OUTCOME_UNKNOWN. NULL: none is
 * left.
 */
struct assembly *assemblies_take_unknown(struct assemblies *a, const struct reader *r);
void assembly_free(struct assembly *a);

/*
 * The number of open exchanges; the smallest sequence of their heads in that series, or UINT64_MAX.
 */
size_t assemblies_open_n(const struct assemblies *a);
uint64_t assemblies_oldest(const struct assemblies *a, uint64_t generation);
/* When the first of the open exchanges that are writes began, in wall time; UINT64_MAX: none is. */
uint64_t assemblies_oldest_write_ns(const struct assemblies *a);
/*
 * Adds the open exchanges to the position, and sorts it: those of series that are over too, until
 * they are taken.
 */
void assemblies_position(const struct assemblies *a, struct position *to);
/* The memory that an exchange takes here. */
size_t assembly_bytes(const struct assembly *a);

/* --- reading --- */

struct assembly_cursor;

enum assembly_verdict {
	ASSEMBLY_FRAME,
	ASSEMBLY_END,
	ASSEMBLY_GONE,	/* the segment is gone, or damaged: errno is ENOENT or EIO */
	ASSEMBLY_ERROR, /* errno */
};

/*
 * A cursor over one side of the exchange, from its beginning; `a` is borrowed. Any number of
 * cursors may be open at one time.
 */
struct assembly_cursor *assembly_read(const struct assembly *a, int directory,
				      enum assembly_side side);
/*
 * Reads the next frame: a head, a piece of the body, trailers. `payload` stays until the next call.
 */
enum assembly_verdict assembly_next(struct assembly_cursor *c, struct frame *f,
				    struct span *payload);
void assembly_close(struct assembly_cursor *c);

#endif
