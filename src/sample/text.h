#ifndef SAMPLE_TEXT_H
#define SAMPLE_TEXT_H

/* JSON text that a sample cluster makes: a response, or a line of its log of operations. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct sample_text {
	char *at; /* owned; not terminated by NUL */
	size_t n, room;
};

void sample_text_free(struct sample_text *t);

void sample_text_add(struct sample_text *t, struct span bytes);
#define SAMPLE_ADD(t, literal) sample_text_add((t), SPAN(literal))

/* A JSON string with its quotes. `s` is UTF-8. */
void sample_text_string(struct sample_text *t, struct span s);
void sample_text_number(struct sample_text *t, uint64_t n);
/* ,"name": and a value; the comma is left out behind an opening bracket. */
void sample_text_name(struct sample_text *t, struct span name);
void sample_text_member(struct sample_text *t, struct span name, struct span value);
void sample_text_count(struct sample_text *t, struct span name, uint64_t n);
/* `j` is borrowed. */
void sample_text_json(struct sample_text *t, const json_t *j);

#endif
