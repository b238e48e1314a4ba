#include "control/complaints.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"

void complaints_open(struct complaints *c, const char *file, struct span text)
{
	*c = (struct complaints){ .file = file, .text = text };
}

void complaints_close(struct complaints *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->list[i].message);
	for (size_t i = 0; i < c->caution_n; i++)
		free(c->cautions[i].message);
	free(c->shown);
	c->shown = NULL;
	c->n = c->more = c->caution_n = 0;
}

static size_t user_bytes(struct span line);

/* Who signs in is said before a '@' or in a query: then nothing of the value is shown. */
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

/* What was written is often a part of it: what it holds is shown as the excerpt shows it. */
static void add(struct complaint *to, size_t at, const char *format, va_list args)
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

void complain(struct complaints *c, size_t at, const char *format, ...)
{
	if (c->n == COMPLAINTS_MAX) {
		c->more++;
		return;
	}
	va_list args;
	va_start(args, format);
	add(&c->list[c->n++], at, format, args);
	va_end(args);
}

void caution(struct complaints *c, size_t at, const char *format, ...)
{
	if (c->caution_n == COMPLAINTS_MAX)
		return;
	va_list args;
	va_start(args, format);
	add(&c->cautions[c->caution_n++], at, format, args);
	va_end(args);
}

void complaints_hide(struct complaints *c)
{
	c->shown = calloc(c->text.n + 1, sizeof *c->shown);
	if (!c->shown)
		abort();
}

void complaints_show(struct complaints *c, size_t at, const char *word)
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

void complaint_place(const struct complaints *c, size_t at, size_t *line, size_t *column)
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

/* Bytes of a credential that stand at `line`: what follows the name of an authentication scheme. */
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

/* Brackets and quotes, and what is followed by a space: a dash of a list, a colon, a comma. */
static bool is_structure(struct span line, size_t i)
{
	bool last = i + 1 == line.n || strchr(" \t", line.at[i + 1]);
	if (line.at[i] == '-')
		return last && (i == 0 || strchr(" \t", line.at[i - 1]));
	return strchr(last ? " \t{}[]'\",:" : " \t{}[]'\"", line.at[i]) != NULL;
}

/* Who a URL says that one is: "https://user:password@host". 0: nobody. */
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

static void hide(bool hidden[], size_t from, size_t to)
{
	for (; from < to; from++)
		hidden[from] = true;
}

/* Complaints go to logs: credentials are shown as '*', whatever key they stand at. */
static void find_hidden(const struct complaints *c, size_t start, struct span line, bool hidden[])
{
	for (size_t i = 0; i < line.n; i++) {
		struct span rest = { line.at + i, line.n - i };
		size_t scheme_n = scheme_bytes(rest), user_n = user_bytes(rest), to = i + scheme_n;
		while (scheme_n && to < line.n && !strchr(" \t'\",}]", line.at[to]))
			to++;
		hide(hidden, i + scheme_n, to);
		hide(hidden, i + 3, user_n ? i + user_n : 0);
	}
	for (size_t i = 0; c->shown && i < line.n; i++)
		hidden[i] |= !c->shown[start + i] && !is_structure(line, i);
}

/* What a terminal must not get from a file is shown as '?', a character as one. */
static void print_line(const struct complaints *c, size_t start, struct span line, FILE *to)
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

/* The caret's line repeats the tabs of the text's, so that it stands right however wide they are.
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

static void print_excerpt(const struct complaints *c, size_t at, FILE *to)
{
	at = at < c->text.n ? at : c->text.n;
	size_t start = line_start(c->text, at);
	const char *from = c->text.at + start;
	const char *end = memchr(from, '\n', c->text.n - start);
	struct span line = { from, end ? (size_t)(end - from) : c->text.n - start };
	if (line.n && line.at[line.n - 1] == '\r')
		line.n--;
	fputs("    ", to);
	print_line(c, start, line, to);
	fputs("\n    ", to);
	print_caret((struct span){ from, at - start }, to);
}

static int in_text_order(const void *a, const void *b)
{
	const struct complaint *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

void complaints_sort(struct complaints *c)
{
	qsort(c->list, c->n, sizeof c->list[0], in_text_order);
}

void complaint_line(const struct complaints *c, const struct complaint *one, char *to, size_t bytes)
{
	size_t line, column;
	complaint_place(c, one->at, &line, &column);
	if (one->at == NOWHERE)
		snprintf(to, bytes, "%s: %s", c->file, one->message);
	else
		snprintf(to, bytes, "%s:%zu:%zu: %s", c->file, line, column, one->message);
}

/* It may come from anywhere, and what is printed may end on a terminal by way of the log. */
static void print_file(const struct complaints *c, FILE *to)
{
	plain_put(c->file, strlen(c->file), to);
}

static void print_one(const struct complaints *c, const struct complaint *one, const char *kind,
		      FILE *to)
{
	size_t line, column;
	complaint_place(c, one->at, &line, &column);
	print_file(c, to);
	if (one->at == NOWHERE) {
		fprintf(to, ": %s%s\n", kind, one->message);
		return;
	}
	fprintf(to, ":%zu:%zu: %s%s\n", line, column, kind, one->message);
	print_excerpt(c, one->at, to);
}

void complaints_print(struct complaints *c, FILE *to)
{
	complaints_sort(c);
	for (size_t i = 0; i < c->n; i++)
		print_one(c, &c->list[i], "", to);
	if (c->more) {
		print_file(c, to);
		fprintf(to, ": and %zu more\n", c->more);
	}
	for (size_t i = 0; i < c->caution_n; i++)
		print_one(c, &c->cautions[i], "warning: ", to);
}
