#ifndef TESTS_SIM_TEXT_H
#define TESTS_SIM_TEXT_H

/* A growing buffer of bytes. */

#include <stddef.h>
#include <stdint.h>

struct text {
	char *at; /* owned; NULL while empty */
	size_t n, room;
};

/* Appends `n` uninitialised bytes and returns their address. */
char *text_extend(struct text *t, size_t n);
void text_add(struct text *t, const void *bytes, size_t n);
__attribute__((format(printf, 2, 3))) void text_print(struct text *t, const char *format, ...);
/* Empties the text and frees its memory. */
void text_drop(struct text *t);

#endif
