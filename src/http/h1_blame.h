#ifndef HTTP_H1_BLAME_H
#define HTTP_H1_BLAME_H

/*
 * Says what is wrong with a message that is not valid HTTP/1, for the engineer who repairs its
 * sender. It reveals no secret: it shows values only of fields that say how a message is framed or
 * where it goes, and of a target only what stands before the query, without a user name.
 */

#include "http/h1_body.h"
#include "http/h1_parse.h"

struct h1_blame {
	char advice[160];  /* a sentence about a byte and what to do about it; "": nothing to say */
	char excerpt[400]; /* of the line: printable ASCII without quotes, other bytes as \xHH */
};

/* After H1_BAD of h1_parse(). `rest`: the unused bytes, which begin with the bad line. */
void h1_blame_head(struct h1_blame *b, const struct h1_parser *p, struct span rest);
/* After H1_BAD of h1_body_read(). */
void h1_blame_body(struct h1_blame *b, const struct h1_body *body);

#define H1_BLAME_TEXT_BYTES 720
/* The whole text: the broken rule, the advice, the excerpt. */
void h1_blame_text(const struct h1_blame *b, enum err why, char to[H1_BLAME_TEXT_BYTES]);

/* At most so many bytes of `rest` are read. */
#define H1_BLAME_LOOK_BYTES 512

#endif
