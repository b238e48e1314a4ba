#ifndef SAMPLE_SEARCH_H
#define SAMPLE_SEARCH_H

/* What searches and scrolls of a sample cluster share. */

#include "sample/sample.h"

struct sample_hit {
	const struct sample_index *index;
	const struct sample_version *version;
};

/* What a hit shows besides its index, id and routing. */
struct sample_hit_parts {
	bool source, version, seq_no;
};

void sample_hit_parts_read(const struct sample_call *c, const json_t *body,
			   struct sample_hit_parts *p);
void sample_hit_write(struct sample_text *to, const struct sample_hit *h,
		      const struct sample_hit_parts *p, bool sorted);

/*
 * The first page of a scroll. Its id says where the next one begins, so that nothing is kept: a
 * document that is changed meanwhile may be shown twice, none is left out.
 */
void sample_scroll_begin(struct sample_call *c, const json_t *body, struct span indices);

#endif
