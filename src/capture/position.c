#include "capture/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/crc32c.h"

#define FIRST_LINE "crossfade follower 1\n"

/* --- lists --- */

void position_free(struct position *p)
{
	free(p->series);
	free(p->connections);
	*p = (struct position){ 0 };
}

static void *list_grown(void *list, size_t n, size_t *room, size_t item_bytes)
{
	if (n < *room)
		return list;
	*room = *room ? 2 * *room : 8;
	list = reallocarray(list, *room, item_bytes);
	must(list);
	return list;
}

void position_add_series(struct position *p, struct position_series s)
{
	p->series = list_grown(p->series, p->series_n, &p->series_room, sizeof s);
	p->series[p->series_n++] = s;
}

void position_add_connection(struct position *p, struct position_connection c)
{
	p->connections = list_grown(p->connections, p->connection_n, &p->connection_room, sizeof c);
	p->connections[p->connection_n++] = c;
}

static int compare_series(const void *a, const void *b)
{
	const struct position_series *x = a, *y = b;
	return compare_numbers(x->generation, y->generation);
}

static int position_compare_connections(const void *a, const void *b)
{
	const struct position_connection *x = a, *y = b;
	int c = compare_numbers(x->generation, y->generation);
	c = c ? c : compare_numbers(x->worker, y->worker);
	c = c ? c : compare_numbers(x->number, y->number);
	return c ? c : compare_numbers(x->ordinal, y->ordinal);
}

void position_sort(struct position *p)
{
	if (p->series_n)
		qsort(p->series, p->series_n, sizeof *p->series, compare_series);
	if (p->connection_n)
		qsort(p->connections, p->connection_n, sizeof *p->connections,
		      position_compare_connections);
}

/* --- questions --- */

static const struct position_series *find_series(const struct position *p, uint64_t generation)
{
	struct position_series key = { .generation = generation };
	if (!p->series_n)
		return NULL;
	return bsearch(&key, p->series, p->series_n, sizeof key, compare_series);
}

const struct position_connection *position_find(const struct position *p, uint64_t generation,
						uint16_t worker, uint64_t number, uint32_t ordinal)
{
	struct position_connection key = {
		.generation = generation, .worker = worker, .number = number, .ordinal = ordinal
	};
	if (!p->connection_n)
		return NULL;
	return bsearch(&key, p->connections, p->connection_n, sizeof key,
		       position_compare_connections);
}

uint64_t position_from(const struct position *p, uint64_t generation)
{
	const struct position_series *s = find_series(p, generation);
	if (!s)
		return generation <= p->passed ? UINT64_MAX : 0;
	uint64_t from = s->next;
	for (size_t i = 0; i < p->connection_n; i++) {
		const struct position_connection *c = &p->connections[i];
		if (c->generation == generation && c->from < from)
			from = c->from;
	}
	return from;
}

bool position_wants(const struct position *p, uint64_t generation, const struct frame *f)
{
	const struct position_series *s = find_series(p, generation);
	if (!s)
		return generation > p->passed;
	if (f->sequence >= s->next)
		return true;
	const struct position_connection *c =
		position_find(p, generation, f->worker, f->connection, f->ordinal);
	if (!c && f->ordinal)
		c = position_find(p, generation, f->worker, f->connection, 0);
	return c && f->sequence >= c->from;
}

/* --- as a text --- */

static void text_print(struct bytes *to, const char *line, int n)
{
	bytes_add(to, (struct span){ line, (size_t)n });
}

void position_write(const struct position *p, struct bytes *to)
{
	char line[160];
	bytes_add(to, SPAN(FIRST_LINE));
	text_print(to, line,
		   snprintf(line, sizeof line, "passed %" PRIu64 " %" PRIu64 "\n", p->passed,
			    p->wall_ns));
	for (size_t i = 0; i < p->series_n; i++)
		text_print(to, line,
			   snprintf(line, sizeof line, "series %" PRIu64 " %" PRIu64 " %s\n",
				    p->series[i].generation, p->series[i].next, p->series[i].node));
	for (size_t i = 0; i < p->connection_n; i++) {
		const struct position_connection *c = &p->connections[i];
		if (c->ordinal) {
			text_print(to, line,
				   snprintf(line, sizeof line,
					    "exchange %" PRIu64 " %u %" PRIu64 " %" PRIu32
					    " %" PRIu64 "\n",
					    c->generation, c->worker, c->number, c->ordinal,
					    c->from));
			continue;
		}
		text_print(to, line,
			   snprintf(line, sizeof line,
				    "connection %" PRIu64 " %u %" PRIu64 " %" PRIu32 " %" PRIu32
				    " %" PRIu64 "\n",
				    c->generation, c->worker, c->number, c->records, c->requests,
				    c->from));
	}
	text_print(to, line,
		   snprintf(line, sizeof line, "crc32c %08" PRIx32 "\n", crc32c(0, to->at, to->n)));
}

/* The next word of the line, or an empty one. */
static struct span line_take_word(struct span *line)
{
	const char *blank = line->n ? memchr(line->at, ' ', line->n) : NULL;
	size_t n = blank ? (size_t)(blank - line->at) : line->n, skip = blank ? n + 1 : n;
	struct span word = { line->at, n };
	*line = (struct span){ line->at + skip, line->n - skip };
	return word;
}

static bool take_numbers(struct span *line, unsigned n, unsigned long long to[])
{
	for (unsigned i = 0; i < n; i++)
		if (!span_to_u64(line_take_word(line), UINT64_MAX, &to[i]))
			return false;
	return true;
}

static bool read_series(struct position *p, struct span line)
{
	unsigned long long n[2];
	struct position_series s = { 0 };
	if (!take_numbers(&line, 2, n) || line.n >= sizeof s.node)
		return false;
	s.generation = n[0];
	s.next = n[1];
	memcpy(s.node, line.at, line.n);
	position_add_series(p, s);
	return true;
}

static bool read_connection(struct position *p, struct span line)
{
	unsigned long long n[6];
	if (!take_numbers(&line, 6, n) || line.n || n[1] > UINT16_MAX || n[3] > UINT32_MAX ||
	    n[4] > UINT32_MAX)
		return false;
	position_add_connection(p, (struct position_connection){
					   .generation = n[0],
					   .worker = (uint16_t)n[1],
					   .number = n[2],
					   .records = (uint32_t)n[3],
					   .requests = (uint32_t)n[4],
					   .from = n[5],
				   });
	return true;
}

static bool read_exchange(struct position *p, struct span line)
{
	unsigned long long n[5];
	if (!take_numbers(&line, 5, n) || line.n || n[1] > UINT16_MAX || !n[3] || n[3] > UINT32_MAX)
		return false;
	position_add_connection(p, (struct position_connection){ .generation = n[0],
								 .worker = (uint16_t)n[1],
								 .number = n[2],
								 .ordinal = (uint32_t)n[3],
								 .from = n[4] });
	return true;
}

static bool read_passed(struct position *p, struct span line)
{
	unsigned long long n[2];
	if (!take_numbers(&line, 2, n) || line.n)
		return false;
	p->passed = n[0];
	p->wall_ns = n[1];
	return true;
}

static bool read_line(struct position *p, struct span line)
{
	struct span word = line_take_word(&line);
	if (span_is(word, SPAN("passed")))
		return read_passed(p, line);
	if (span_is(word, SPAN("series")))
		return read_series(p, line);
	if (span_is(word, SPAN("exchange")))
		return read_exchange(p, line);
	return span_is(word, SPAN("connection")) && read_connection(p, line);
}

/* Takes the last line off, if it is the checksum of the text before it. */
static bool take_checksum(struct span *text)
{
	char line[32];
	size_t n = sizeof "crc32c 00000000\n" - 1;
	if (text->n < n)
		return false;
	text->n -= n;
	snprintf(line, sizeof line, "crc32c %08" PRIx32 "\n", crc32c(0, text->at, text->n));
	return !memcmp(text->at + text->n, line, n);
}

static bool read_lines(struct position *p, struct span text)
{
	size_t first = sizeof FIRST_LINE - 1;
	if (text.n < first || memcmp(text.at, FIRST_LINE, first) != 0)
		return false;
	text = (struct span){ text.at + first, text.n - first };
	while (text.n) {
		const char *end = memchr(text.at, '\n', text.n);
		if (!end || !read_line(p, (struct span){ text.at, (size_t)(end - text.at) }))
			return false;
		text = (struct span){ end + 1, text.n - (size_t)(end + 1 - text.at) };
	}
	return true;
}

bool position_read(struct position *p, struct span text)
{
	*p = (struct position){ 0 };
	if (take_checksum(&text) && read_lines(p, text)) {
		position_sort(p);
		return true;
	}
	position_free(p);
	return false;
}
