#ifndef TESTS_SIM_TEXT_H
#define TESTS_SIM_TEXT_H

/* Bytes that grow. */

#include <stddef.h>
#include <stdint.h>

struct text {
	char *at; /* owned; NULL while it is empty */
	size_t n, room;
};

/* Room for `n` bytes more, which count as being there. */
char *text_extend(struct text *t, size_t n);
void text_add(struct text *t, const void *bytes, size_t n);
__attribute__((format(printf, 2, 3))) void text_print(struct text *t, const char *format, ...);
/* Empty, and its memory is given back. */
void text_drop(struct text *t);

#endif
