#ifndef REPLAY_BATCH_H
#define REPLAY_BATCH_H

/*
 * A batch of keys on its way from the owner to the replica: what is said to both clusters, and
 * what they say. It sends nothing itself.
 *
 *     batch_begin()
 *     batch_add() ...            until it is full, or no more keys wait
 *     send batch_question() to the owner's /_mget; a response other than 200 is the caller's
 *     while the step of batch_read_documents() is not END or BAD:
 *         MORE: give it more of the response
 *         SEND: send batch_operations() to the replica's /_bulk?pipeline=_none, and read
 *               batch_read_results() to its END or BAD, or say batch_no_results(); then go on with
 *               what was left of the response's bytes
 *     after END and BAD: send what batch_operations() has, if anything, in the same way
 *     batch_copy() of each: what became of it
 *
 * So a bulk has at most the bytes that were asked for, or one document, however much the keys
 * together bring: while a bulk is under way the rest of the owner's response is not read. Who will
 * not wait so long, or has lost a response, may begin anew at any time: the verdict of what is not
 * done is COPY_AGAIN.
 *
 * Memory: one bulk and one document, each in a buffer that has twice their bytes of room at most;
 * and some 600 bytes for each key of which a cluster has told an error.
 */

#include <stdbool.h>
#include <stddef.h>

#include "replay/cluster_error.h"
#include "replay/copy.h"

struct copy_batch;

struct copy_batch_config {
	size_t bulk_bytes; /* of a bulk with more than one document; at most REPLAY_BATCH_BYTES_MAX
			    */
	size_t keys_max;   /* 1 to REPLAY_BATCH_OPERATIONS_MAX */
};

struct copy_batch *batch_open(const struct copy_batch_config *config);
void batch_close(struct copy_batch *b);

/* Empty. */
void batch_begin(struct copy_batch *b);

enum batch_added {
	BATCH_ADDED, /* its number is that of those that were added before it */
	BATCH_FULL,
	BATCH_NO_TEXT, /* index, id, routing or stream is no UTF-8: it can be named to no cluster */
};

/* Its texts are borrowed until the batch is begun anew or closed. */
enum batch_added batch_add(struct copy_batch *b, const struct copy_of *of);
size_t batch_n(const struct copy_batch *b);

/* The body of a request for all of them; borrowed until the next call but batch_copy(). */
struct span batch_question(struct copy_batch *b);

enum batch_step {
	BATCH_MORE, /* all bytes were taken */
	BATCH_SEND, /* of documents: what there is must be sent before more are read */
	BATCH_END,
	BATCH_BAD, /* it is no such response, or not to this request; what was sent before stays so
		    */
};

/* Takes bytes from the front of *s; `last`: there are none behind them. */
enum batch_step batch_read_documents(struct copy_batch *b, struct span *s, bool last);

/* The body of a bulk request; empty: there is nothing to do. Borrowed until its results are read.
 */
struct span batch_operations(const struct copy_batch *b);
size_t batch_operation_n(const struct copy_batch *b);

/* The same of the response to that. */
enum batch_step batch_read_results(struct copy_batch *b, struct span *s, bool last);
/* There was no response, or none with status 200: all that was sent stays COPY_AGAIN. */
void batch_no_results(struct copy_batch *b);

/* What became of the i-th; borrowed until the batch is begun anew. */
const struct copy *batch_copy(const struct copy_batch *b, size_t i);
/* What a cluster said of it; NULL: nothing. Borrowed until the next call but this one. */
const struct cluster_error *batch_error(struct copy_batch *b, const struct copy *c);

#endif
