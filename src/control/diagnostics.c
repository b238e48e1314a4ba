#include "control/diagnostics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/plain.h"

void diagnostics_open(struct diagnostics *c, const char *file, struct span text)
{
	*c = (struct diagnostics){ .file = file, .text = text };
}

void diagnostics_close(struct diagnostics *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->list[i].message);
	for (size_t i = 0; i < c->warning_n; i++)
		free(c->warnings[i].message);
	free(c->shown);
	c->shown = NULL;
	c->n = c->more = c->warning_n = 0;
}

static size_t user_bytes(struct span line);

/*
 * A name and a password may be in front of a '@' or in a query: then nothing of the value is shown.
 */
static void hide_quoted(char *text)
{
	char *from = strchr(text, '\''), *to = strrchr(text, '\'');
	if (!from || to - from < 3)
		return;
	size_t n = (size_t)(to - from);
	bool query = memchr(from, '?', n) && (memchr(from, '=', n) || memmem(from, n, "://", 3));
	if (query || memchr(from, '@', n))
		memset(from + 1, '*', n - 1);
}

/*
 * A message often quotes a part of the text. What it quotes is hidden in the same way as in the
 * excerpt.
 */
static void diagnostic_add(struct diagnostic *to, size_t at, const char *format, va_list args)
{
	char *text;
	to->at = at;
	if (vasprintf(&text, format, args) < 0)
		abort();
	for (char *c = text; *c; c++) {
		size_t n = user_bytes(span_of(c));
		if (n)
			memset(c + 3, '*', n - 3);
	}
	hide_quoted(text);
	size_t room = 4 * strlen(text) + 1;
	to->message = malloc(room);
	if (!to->message)
		abort();
	plain_copy(to->message, room, text);
	free(text);
}

void diagnose(struct diagnostics *c, size_t at, const char *format, ...)
{
	if (c->n == DIAGNOSTICS_MAX) {
		c->more++;
		return;
	}
	va_list args;
	va_start(args, format);
	diagnostic_add(&c->list[c->n++], at, format, args);
	va_end(args);
}

void warn_at(struct diagnostics *c, size_t at, const char *format, ...)
{
	if (c->warning_n == DIAGNOSTICS_MAX)
		return;
	va_list args;
	va_start(args, format);
	diagnostic_add(&c->warnings[c->warning_n++], at, format, args);
	va_end(args);
}

void diagnostics_hide(struct diagnostics *c)
{
	c->shown = calloc(c->text.n + 1, sizeof *c->shown);
	if (!c->shown)
		abort();
}

void diagnostics_show(struct diagnostics *c, size_t at, const char *word)
{
	size_t n = strlen(word);
	if (!c->shown || at > c->text.n || n > c->text.n - at || strpbrk(word, " \t\r\n@?") ||
	    memcmp(c->text.at + at, word, n) != 0)
		return;
	for (size_t i = 0; i < n; i++)
		c->shown[at + i] = true;
}

static bool begins_a_character(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

static size_t line_start(struct span text, size_t at)
{
	while (at > 0 && text.at[at - 1] != '\n')
		at--;
	return at;
}

void diagnostic_place(const struct diagnostics *c, size_t at, size_t *line, size_t *column)
{
	*line = *column = 0;
	if (at == NOWHERE)
		return;
	at = at < c->text.n ? at : c->text.n;
	size_t start = line_start(c->text, at);
	*line = *column = 1;
	for (size_t i = 0; i < start; i++)
		*line += c->text.at[i] == '\n';
	for (size_t i = start; i < at; i++)
		*column += begins_a_character(c->text.at[i]);
}

/*
 * The bytes at the beginning of `line` after which a credential follows: the name of an
 * authentication scheme.
 */
static size_t scheme_bytes(struct span line)
{
	static const char *const schemes[] = { "Basic ", "Bearer ", "ApiKey " };
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t n = strlen(schemes[i]);
		if (line.n > n && !strncasecmp(line.at, schemes[i], n))
			return n;
	}
	return 0;
}

/* Brackets, quotes, and marks before a space: a dash of a list, a colon, a comma. */
static bool is_structure(struct span line, size_t i)
{
	bool last = i + 1 == line.n || strchr(" \t", line.at[i + 1]);
	if (line.at[i] == '-')
		return last && (i == 0 || strchr(" \t", line.at[i - 1]));
	return strchr(last ? " \t{}[]'\",:" : " \t{}[]'\"", line.at[i]) != NULL;
}

/*
 * The bytes of "://user:password" in a URL such as "https://user:password@host". 0: there is no
 * user.
 */
static size_t user_bytes(struct span line)
{
	size_t n = 3;
	if (line.n < n || memcmp(line.at, "://", n) != 0)
		return 0;
	while (n < line.n && !strchr(" \t'\",}]/", line.at[n]))
		if (line.at[n++] == '@')
			return n - 1;
	return 0;
}

static void hide_range(bool hidden[], size_t from, size_t to)
{
	for (; from < to; from++)
		hidden[from] = true;
}

/* Diagnostics go to logs: credentials are shown as '*' at every key. */
static void find_hidden(const struct diagnostics *c, size_t start, struct span line, bool hidden[])
{
	for (size_t i = 0; i < line.n; i++) {
		struct span rest = { line.at + i, line.n - i };
		size_t scheme_n = scheme_bytes(rest), user_n = user_bytes(rest), to = i + scheme_n;
		while (scheme_n && to < line.n && !strchr(" \t'\",}]", line.at[to]))
			to++;
		hide_range(hidden, i + scheme_n, to);
		hide_range(hidden, i + 3, user_n ? i + user_n : 0);
	}
	for (size_t i = 0; c->shown && i < line.n; i++)
		hidden[i] |= !c->shown[start + i] && !is_structure(line, i);
}

/* Characters that a terminal must not get from a file are shown as '?', one for each character. */
static void diagnostic_print_line(const struct diagnostics *c, size_t start, struct span line,
				  FILE *to)
{
	bool *hidden = calloc(line.n + 1, sizeof *hidden), shown;
	if (!hidden)
		abort();
	find_hidden(c, start, line, hidden);
	for (size_t i = 0, n; i < line.n; i += n) {
		n = plain_character(line.at + i, line.n - i, &shown);
		if (!shown && line.at[i] != '\t')
			putc('?', to);
		else if (hidden[i])
			putc('*', to);
		else
			fwrite(line.at + i, 1, n, to);
	}
	free(hidden);
}

/*
 * The caret's line repeats the tabs of the text's line, so that its position is right for every tab
 * width.
 */
static void print_caret(struct span before, FILE *to)
{
	for (size_t i = 0; i < before.n; i++)
		if (before.at[i] == '\t')
			putc('\t', to);
		else if (begins_a_character(before.at[i]))
			putc(' ', to);
	fputs("^\n", to);
}

static void print_excerpt(const struct diagnostics *c, size_t at, FILE *to)
{
	at = at < c->text.n ? at : c->text.n;
	size_t start = line_start(c->text, at);
	const char *from = c->text.at + start;
	const char *end = memchr(from, '\n', c->text.n - start);
	struct span line = { from, end ? (size_t)(end - from) : c->text.n - start };
	if (line.n && line.at[line.n - 1] == '\r')
		line.n--;
	fputs("    ", to);
	diagnostic_print_line(c, start, line, to);
	fputs("\n    ", to);
	print_caret((struct span){ from, at - start }, to);
}

static int in_text_order(const void *a, const void *b)
{
	const struct diagnostic *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

void diagnostics_sort(struct diagnostics *c)
{
	qsort(c->list, c->n, sizeof c->list[0], in_text_order);
}

void diagnostic_line(const struct diagnostics *c, const struct diagnostic *one, char *to,
		     size_t bytes)
{
	size_t line, column;
	diagnostic_place(c, one->at, &line, &column);
	if (one->at == NOWHERE)
		snprintf(to, bytes, "%s: %s", c->file, one->message);
	else
		snprintf(to, bytes, "%s:%zu:%zu: %s", c->file, line, column, one->message);
}

/* The file's name may come from anywhere, and the output may reach a terminal through the log. */
static void print_file(const struct diagnostics *c, FILE *to)
{
	plain_put(c->file, strlen(c->file), to);
}

static void print_one(const struct diagnostics *c, const struct diagnostic *one, const char *kind,
		      FILE *to)
{
	size_t line, column;
	diagnostic_place(c, one->at, &line, &column);
	print_file(c, to);
	if (one->at == NOWHERE) {
		fprintf(to, ": %s%s\n", kind, one->message);
		return;
	}
	fprintf(to, ":%zu:%zu: %s%s\n", line, column, kind, one->message);
	print_excerpt(c, one->at, to);
}

void diagnostics_print(struct diagnostics *c, FILE *to)
{
	diagnostics_sort(c);
	for (size_t i = 0; i < c->n; i++)
		print_one(c, &c->list[i], "", to);
	if (c->more) {
		print_file(c, to);
		fprintf(to, ": and %zu more\n", c->more);
	}
	for (size_t i = 0; i < c->warning_n; i++)
		print_one(c, &c->warnings[i], "warning: ", to);
}
