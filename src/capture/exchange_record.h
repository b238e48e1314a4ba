#ifndef CAPTURE_EXCHANGE_RECORD_H
#define CAPTURE_EXCHANGE_RECORD_H

/* A recorded exchange, put together from its frames. */

#include <stdbool.h>
#include <stdint.h>

#include "capture/bulk.h"
#include "capture/reader.h"

struct exchange_record_text {
	char *at; /* owned */
	size_t n, room;
};

struct exchange_record {
	uint64_t generation;
	struct frame first;	       /* the request head's: names, times, epoch, flags */
	char node[SEGMENT_NODE_BYTES]; /* the host that recorded it */
	struct record_request request;
	struct exchange_record_text listener;
	struct exchange_record_text request_head, request_trailers;
	struct exchange_record_text response_heads, response_trailers; /* interim ones too */
	size_t response_at; /* where the last head begins in response_heads */
	struct exchange_record_text request_body, response_body; /* only if bodies are wanted */
	uint64_t request_bytes, response_bytes;			 /* of bodies, as far as recorded */
	bool request_whole, response_whole;
	struct bulk *bulk; /* owned; NULL: it is no bulk, or bulks are not examined */
	bool goes_on;	   /* it has no outcome yet, and its process lives */
	bool has_outcome;  /* its outcome was read: `outcome` is set */
	struct record_outcome outcome;
	struct exchange_record_text back, why; /* the node's name, the reason's word */
};

struct exchange_records;

struct exchange_records *exchange_records_open(bool bodies);
/* Examines responses to bulk requests, too: whether all of their items were accepted. */
void exchange_records_look_at_bulks(struct exchange_records *s);
void exchange_records_close(struct exchange_records *s);

/*
 * Takes a frame in. Returns the exchange that ends with it, which is the caller's to free; or NULL.
 * A frame of an exchange whose beginning is not in the log is counted as an orphan, and ignored.
 */
struct exchange_record *exchange_records_take(struct exchange_records *s, const struct reading *r);
void exchange_record_free(struct exchange_record *s);

/*
 * The number of open exchanges; a call for each of them, in no order. `r` has read the whole log:
 * open exchanges whose process lives get `goes_on`. NULL: that is not known.
 */
uint64_t exchange_records_open_n(const struct exchange_records *s);
void exchange_records_each_open(const struct exchange_records *s, const struct reader *r,
				void (*each)(void *user, const struct exchange_record *s),
				void *user);
/*
 * For a follower's position: adds the open exchanges, except those of series that are over, and
 * sorts it.
 */
void exchange_records_position(const struct exchange_records *s, const struct reader *r,
			       struct position *to);
uint64_t exchange_records_orphans(const struct exchange_records *s);

/*
 * "accepted", "partly_accepted" (a bulk with items that were refused), "rejected", "failed",
 * "unknown", "not_sent". Without an outcome it is "open" while its process lives, then "unknown".
 */
const char *outcome_word(const struct exchange_record *s);
/* Whether the outcome is "partly_accepted". False also where the response is not recorded whole. */
bool exchange_record_is_partly_accepted(const struct exchange_record *s,
					struct bulk_counts *counts);
/*
 * Method and target: from the request's first line. Status: of the response, 0 when there is none.
 */
struct span exchange_record_method(const struct exchange_record *s);
struct span exchange_record_target(const struct exchange_record *s);
unsigned exchange_record_status(const struct exchange_record *s);
/* "HTTP/1.1"; "": the version that recorded it did not record that. */
const char *exchange_record_protocol(const struct exchange_record *s);
/* "source", "target": the cluster that the request went to. */
const char *exchange_record_cluster(const struct exchange_record *s);
/* "http", "https": of the client's connection. */
const char *exchange_record_scheme(const struct exchange_record *s);
/* Of the response's body, whether it was recorded or not. */
uint64_t exchange_record_response_bytes(const struct exchange_record *s);

#endif
