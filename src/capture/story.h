#ifndef CAPTURE_STORY_H
#define CAPTURE_STORY_H

/* A recorded exchange, put together from its frames. */

#include <stdbool.h>
#include <stdint.h>

#include "capture/bulk.h"
#include "capture/reader.h"

struct story_text {
	char *at; /* owned */
	size_t n, room;
};

struct story {
	uint64_t generation;
	struct frame first;	       /* of the request's head: names, times, epoch, flags */
	char node[SEGMENT_NODE_BYTES]; /* the host that recorded it */
	struct record_request request;
	struct story_text listener;
	struct story_text request_head, request_trailers;
	struct story_text answer_heads, answer_trailers; /* interim ones too; the last of them, */
	size_t answer_at;				 /* which stands here */
	struct story_text request_body, answer_body;	 /* only when bodies are wanted */
	uint64_t request_bytes, answer_bytes;		 /* of bodies, as far as recorded */
	bool request_whole, answer_whole;
	struct bulk *bulk; /* owned; NULL: it is none, or nobody asked to look */
	bool goes_on;	   /* as far as its process says that it has none yet: */
	bool told;	   /* its outcome is here: */
	struct record_outcome outcome;
	struct story_text back, why; /* the node, the reason's word */
};

struct stories;

struct stories *stories_open(bool bodies);
/* Looks at responses to bulk requests, too: whether all of their items were accepted. */
void stories_look_at_bulks(struct stories *s);
void stories_close(struct stories *s);

/*
 * Takes a frame in. The story that ends with it, which is the caller's to free; or NULL. A frame of
 * a story whose beginning is not there is counted, and forgotten.
 */
struct story *stories_take(struct stories *s, const struct reading *r);
void story_free(struct story *s);

/*
 * How many have begun and not ended; each of them, in no order. `r`: all of it was read, and those
 * whose process lives go on. NULL: nobody knows.
 */
uint64_t stories_open_n(const struct stories *s);
void stories_each_open(const struct stories *s, const struct reader *r,
		       void (*each)(void *user, const struct story *s), void *user);
/* For who follows: adds those that have begun, but those of series that are over, and sorts. */
void stories_position(const struct stories *s, const struct reader *r, struct position *to);
uint64_t stories_orphans(const struct stories *s);

/*
 * "accepted", "partly_accepted" (a bulk with items that were refused), "rejected", "failed",
 * "unknown", "not_sent"; without a record it is "open" while it goes on, then unknown.
 */
const char *outcome_word(const struct story *s);
/* Whether it is partly accepted; false also where its response is not here whole. */
bool story_is_partly_accepted(const struct story *s, struct bulk_counts *counts);
/* Of the request's first line; of the answer's, 0 when there is none. */
struct span story_method(const struct story *s);
struct span story_target(const struct story *s);
unsigned story_status(const struct story *s);
/* Of the answer's body, recorded or not. */
uint64_t story_answer_bytes(const struct story *s);

#endif
