#ifndef SAMPLE_ACTION_H
#define SAMPLE_ACTION_H

/*
 * The line of a bulk's action as clients write it, {"index":{"_index":"a","_id":"1"}}, read where
 * it stands: by a JSON library that line takes as long as the document behind it.
 */

#include "sample/write.h"

/*
 * Sets action, index, id and routing of `o`, as far as the line says them; they are borrowed of it.
 * False: the line has something else (an escape, a number, a byte that is not ASCII), or is broken:
 * a library has to say which. Then `o` may have been changed.
 */
bool sample_action_read(struct span line, struct sample_operation *o);
/* "index", ... False: it is another word. */
bool sample_action_find(struct span word, enum sample_action *a);

#endif
