#ifndef SAMPLE_READ_H
#define SAMPLE_READ_H

/* Documents as responses show them: members of an object, without its braces. */

#include "sample/sample.h"

/* `source`: with its _source. */
void sample_document_write(struct sample_text *to, const struct sample_index *x,
			   const struct sample_version *v, bool source);
void sample_missing_write(struct sample_text *to, struct span index, struct span id);

/* Unless the query says _source=false. */
bool sample_wants_source(const struct sample_call *c);

/* What a write's `refresh` asks for; `index` empty: all of them. */
void sample_refresh_if_asked(struct sample_call *c, struct span index);

#endif
