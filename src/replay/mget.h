#ifndef REPLAY_MGET_H
#define REPLAY_MGET_H

/*
 * Documents as the owner has them now: what is asked by `POST /_mget`, and its response, read as
 * it comes. Of the response one document is held at a time.
 */

#include "replay/cluster_error.h"
#include "replay/copy.h"
#include "replay/document.h"
#include "replay/json_scan.h"

/* The body of a request for all of these. */
void mget_write(struct bytes *to, const struct copy *copies, size_t n);

enum mget_found {
	MGET_FOUND,
	MGET_ABSENT,
	/* It is there, and the owner does not give its text; or its routing is longer than is kept.
	 */
	MGET_NO_SOURCE,
	MGET_TOO_LONG,
	MGET_ERROR, /* as `error` says */
};

struct mget_document {
	enum mget_found found;
	struct document source; /* of FOUND; the text may be taken away */
	size_t routing_n;	/* 0: it has none */
	char routing[REPLAY_ROUTING_BYTES];
	uint64_t version, seq_no, primary_term; /* UINT64_MAX: it was not told */
	struct cluster_error error;
};

enum mget_step {
	MGET_MORE,     /* all bytes were taken */
	MGET_DOCUMENT, /* the next one is in `document` */
	MGET_END,      /* all are read */
	/* It is no such response: what was not read is unknown. One document that no reader of JSON
	 * can read makes this of all that were asked for with it. */
	MGET_BAD,
};

enum mget_field {
	MGET_OTHER,
	MGET_INDEX,
	MGET_ID,
	MGET_ROUTING,
	MGET_VERSION,
	MGET_SEQ_NO,
	MGET_PRIMARY_TERM,
	MGET_IS_FOUND,
	MGET_SOURCE,
	MGET_ERROR_FIELD,
	MGET_FIELDS,
};

enum mget_told { MGET_NOT_TOLD, MGET_TOLD_FOUND, MGET_TOLD_ABSENT };

struct mget {
	const struct copy *asked; /* borrowed */
	size_t asked_n, next;	  /* next: of the document that is read */
	struct mget_document document;
	/* The rest is the reader's own. */
	struct json_scan json;
	enum mget_step over; /* END and BAD stay */
	bool in_docs, in_source;
	bool wants_text, is_type; /* of an error */
	uint8_t field;		  /* enum mget_field: the last name in a document */
	uint8_t told;		  /* enum mget_told */
	bool names_index, names_id, has_source, unfit;
};

/* The owner does not look for it without a routing. */
bool mget_lacks_routing(const struct mget_document *d);

void mget_open(struct mget *m);
void mget_close(struct mget *m);
/* There is no response to read; memory for a document of more than `bytes` goes back. */
void mget_rest(struct mget *m, size_t bytes);

/* The response to a request for these. */
void mget_begin(struct mget *m, const struct copy *asked, size_t n);
/* Takes bytes from the front of *s; `last`: there are none behind them. */
enum mget_step mget_read(struct mget *m, struct span *s, bool last);

#endif
