#ifndef HTTP_H1_BLAME_H
#define HTTP_H1_BLAME_H

/*
 * What is wrong with a message that is no HTTP/1, for who has to mend its sender. Nothing of it may
 * be secret: values are shown of those fields alone that say how a message is framed or where it
 * goes, of a target all before its query and without a user's name.
 */

#include "http/h1_body.h"
#include "http/h1_parse.h"

struct h1_blame {
	char advice[160];  /* a sentence about a byte, and what to do with it; "": nothing to say */
	char excerpt[400]; /* of the line, in printable ASCII without quotes, others as \xHH */
};

/* After H1_BAD of h1_parse(); `rest`: what it has not used, which begins with the line. */
void h1_blame_head(struct h1_blame *b, const struct h1_parser *p, struct span rest);
/* After H1_BAD of h1_body_read(). */
void h1_blame_body(struct h1_blame *b, const struct h1_body *body);

#define H1_BLAME_TEXT_BYTES 720
/* All of it: the rule that was broken, the advice, the excerpt. */
void h1_blame_text(const struct h1_blame *b, enum err why, char to[H1_BLAME_TEXT_BYTES]);

/* What of `rest` is looked at. */
#define H1_BLAME_LOOK_BYTES 512

#endif
