#ifndef REPLAY_BULK_WRITE_H
#define REPLAY_BULK_WRITE_H

/*
 * The body of a bulk request: for each operation a line, and one with the document where there is
 * one. The request's path is to have `pipeline=_none`. No line names a type.
 */

#include "replay/copy.h"
#include "replay/mget.h"

/* What is to be done at the replica; NOTHING: the document is no such that it can be. */
enum copy_action bulk_write_action(const struct copy_of *of, const struct mget_document *d);

/* The operation's own line, with its end. */
void bulk_write_line(struct bytes *to, const struct copy_of *of, const struct mget_document *d,
		     enum copy_action action);

#endif
