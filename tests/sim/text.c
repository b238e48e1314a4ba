#include "sim/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

char *text_extend(struct text *t, size_t n)
{
	if (t->n + n > t->room) {
		t->room = 2 * (t->n + n);
		t->at = realloc(t->at, t->room);
		must(t->at);
	}
	t->n += n;
	return t->at + t->n - n;
}

void text_add(struct text *t, const void *bytes, size_t n)
{
	if (n)
		memcpy(text_extend(t, n), bytes, n);
}

void text_print(struct text *t, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	must(n >= 0 && (size_t)n < sizeof line);
	text_add(t, line, (size_t)n);
}

void text_drop(struct text *t)
{
	free(t->at);
	*t = (struct text){ 0 };
}
