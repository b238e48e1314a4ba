#ifndef BASE_ERR_H
#define BASE_ERR_H

/* What a peer or the world may do: one row each in err.def. */

#include "base/span.h"

enum err {
#define ERR(name, side, status, word, sentence) ERR_##name,
#include "base/err.def"
#undef ERR
	ERRS,
};

/* The side that causes the error. */
enum side { SIDE_NONE, SIDE_OURS, SIDE_CLIENT, SIDE_NODE };

enum side err_side(enum err e);
/* The status of our response to the error; 0: no response is possible or due. */
int err_status(enum err e);
/*
 * One word for logs, metrics and the X-Crossfade-Error field: lower-case letters, digits,
 * underscores.
 */
const char *err_word(enum err e);
/* A sentence for the reader of the response. */
const char *err_sentence(enum err e);

/* The error of that word; ERR_NONE: none has it. */
enum err err_find(struct span word);

#endif
