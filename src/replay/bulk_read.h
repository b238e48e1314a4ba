#ifndef REPLAY_BULK_READ_H
#define REPLAY_BULK_READ_H

/*
 * The replica's response to a bulk request, read as it comes: what became of each operation, in
 * their order. Of the response one item is held at a time.
 */

#include "replay/cluster_error.h"
#include "replay/copy.h"
#include "replay/json_scan.h"

enum bulk_read_step {
	BULK_READ_MORE, /* all bytes were taken */
	BULK_READ_ITEM, /* what became of the next one is in `verdict`, `status` and `error` */
	BULK_READ_END,	/* all are read, and there are as many as were sent */
	BULK_READ_BAD,	/* it is no such response, or of other operations: nothing of it counts */
};

enum bulk_read_field {
	BULK_READ_OTHER,
	BULK_READ_INDEX,
	BULK_READ_ID,
	BULK_READ_STATUS,
	BULK_READ_ERROR,
	BULK_READ_FIELDS,
};

struct bulk_read {
	/* Borrowed: those with an action, in their order, were sent; of the last one of
	 * BULK_READ_ITEM the number is `at`. */
	const struct copy *sent;
	size_t sent_n, at;
	enum copy_verdict verdict;
	unsigned status;
	struct cluster_error error;
	/* The rest is the reader's own. */
	struct json_scan json;
	size_t next;
	enum bulk_read_step over; /* END and BAD stay */
	bool in_items, wants_text, is_type;
	uint8_t field; /* enum bulk_read_field: the last name in an item */
	bool names_action, names_index, names_id;
};

/* The response to a request for those of them that have an action. */
void bulk_read_begin(struct bulk_read *r, const struct copy *sent, size_t n);
/* Takes bytes from the front of *s; `last`: there are none behind them. */
enum bulk_read_step bulk_read(struct bulk_read *r, struct span *s, bool last);

/* What an item says of a copy with an action. */
enum copy_verdict bulk_read_verdict(const struct copy *c, unsigned status,
				    const struct cluster_error *error);

#endif
