#ifndef BASE_ERR_H
#define BASE_ERR_H

/* What a peer or the world may do to us: one row each in err.def. */

enum err {
#define ERR(name, side, status, word, sentence) ERR_##name,
#include "base/err.def"
#undef ERR
	ERRS,
};

/* Whose trouble it is. */
enum side { SIDE_NONE, SIDE_OURS, SIDE_CLIENT, SIDE_NODE };

enum side err_side(enum err e);
/* The status of the answer that we make for it; 0: no answer can be made or is due. */
int err_status(enum err e);
/* One word for logs, metrics and the X-Crossfade-Error field: lower case, digits, underscores. */
const char *err_word(enum err e);
/* A sentence for the person who reads the answer. */
const char *err_sentence(enum err e);

#endif
