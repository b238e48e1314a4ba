#include "sim/http_reader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "sim/pattern.h"

#define HEAD_BYTES_MAX (256 * 1024)

void http_reader_open(struct http_reader *r, const struct http_reader_user *user, bool responses)
{
	*r = (struct http_reader){ .user = user, .responses = responses };
}

void http_reader_close(struct http_reader *r)
{
	text_drop(&r->lines);
	text_drop(&r->head);
	text_drop(&r->trailers);
}

static void reader_fail(struct http_reader *r, const char *why)
{
	r->state = READ_BAD;
	r->bad = why;
}

/* --- lines --- */

static bool is_token(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)at[i]) && (!at[i] || !strchr("!#$%&'*+-.^_`|~", at[i])))
			return false;
	return n > 0;
}

static bool is_value(const char *at)
{
	for (; *at; at++)
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 127)
			return false;
	return true;
}

/* Replaces each CR LF by NUL; false if a CR or an LF is alone, or a NUL is in the text. */
static bool split_lines(struct text *t)
{
	if (memchr(t->at, 0, t->n))
		return false;
	size_t to = 0;
	for (size_t i = 0; i < t->n; i++) {
		bool cr = t->at[i] == '\r', lf = t->at[i] == '\n';
		if (lf || (cr && (i + 1 == t->n || t->at[i + 1] != '\n')))
			return false;
		t->at[to++] = cr ? 0 : t->at[i];
		i += cr;
	}
	t->n = to;
	return true;
}

/* "Name: value", with one space, as in canonical form. */
static bool is_field(const char *line)
{
	const char *colon = strchr(line, ':');
	return colon && is_token(line, (size_t)(colon - line)) && colon[1] == ' ' &&
	       is_value(colon + 2);
}

static const char *reader_next_line(const struct text *t, const char *line)
{
	line += strlen(line) + 1;
	return line < t->at + t->n ? line : NULL;
}

static bool line_has_name(const char *line, const char *name)
{
	size_t n = strlen(name);
	return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

unsigned http_reader_count(const struct text *head, const char *name)
{
	unsigned n = 0;
	for (const char *l = head->n ? head->at : NULL; l; l = reader_next_line(head, l))
		n += line_has_name(l, name);
	return n;
}

const char *http_reader_field(const struct text *head, const char *name)
{
	const char *value = NULL;
	if (http_reader_count(head, name) != 1)
		return NULL;
	for (const char *l = head->at; l && !value; l = reader_next_line(head, l))
		if (line_has_name(l, name))
			value = l + strlen(name) + 2;
	return value;
}

bool http_reader_lists(const char *value, const char *member)
{
	size_t n = strlen(member);
	while (value && *value) {
		value += strspn(value, ", ");
		size_t this = strcspn(value, ", ");
		if (this == n && strncasecmp(value, member, n) == 0)
			return true;
		value += this;
	}
	return false;
}

bool http_reader_closes(const struct http_reader *r)
{
	return r->state == READ_UNTIL_CLOSE ||
	       http_reader_lists(http_reader_field(&r->head, "Connection"), "close");
}

/* --- the head --- */

static bool read_request_line(struct http_reader *r, const char *line)
{
	char version;
	int end = 0;
	if (sscanf(line, "%15s %63s HTTP/1.%c%n", r->method, r->target, &version, &end) != 3)
		return false;
	r->minor = (unsigned)(version - '0');
	return line[end] == 0 && r->minor <= 1 && is_token(r->method, strlen(r->method));
}

static bool read_status_line(struct http_reader *r, const char *line)
{
	if (strncmp(line, "HTTP/1.1 ", 9) != 0 || !isdigit(line[9]) || !isdigit(line[10]) ||
	    !isdigit(line[11]) || line[12] != ' ')
		return false;
	r->status = (unsigned)atoi(line + 9);
	return r->status >= 100 && r->status <= 599 && is_value(line + 13);
}

static bool are_fields(const struct text *t, const char *line)
{
	for (; line; line = reader_next_line(t, line))
		if (!is_field(line))
			return false;
	return true;
}

/* RFC 9112, 6.3. */
static void begin_body(struct http_reader *r)
{
	const char *length = http_reader_field(&r->head, "Content-Length");
	const char *coding = http_reader_field(&r->head, "Transfer-Encoding");
	r->chunked = coding != NULL;
	if (http_reader_count(&r->head, "Content-Length") +
		    http_reader_count(&r->head, "Transfer-Encoding") >
	    1)
		reader_fail(r, "two framings");
	else if (r->bodiless)
		r->state = READ_LENGTH;
	else if (coding && strcmp(coding, "chunked") == 0)
		r->state = READ_CHUNK_SIZE;
	else if (coding)
		reader_fail(r, "a transfer coding that is not chunked");
	else if (length && (!*length || strspn(length, "0123456789") != strlen(length)))
		reader_fail(r, "a length that is no number");
	else if (length || !r->responses)
		r->state = READ_LENGTH;
	else
		r->state = READ_UNTIL_CLOSE;
	r->left =
		r->state == READ_LENGTH && length && !r->bodiless ? strtoull(length, NULL, 10) : 0;
}

/* Another message may follow. */
static void reader_end_message(struct http_reader *r)
{
	r->state = READ_HEAD;
	r->user->end(r);
}

static void head_is_whole(struct http_reader *r)
{
	text_drop(&r->head);
	r->head = r->lines;
	r->lines = (struct text){ 0 };
	text_drop(&r->trailers);
	r->body_n = r->key = 0;
	r->equal = true;
	r->bodiless = r->chunked = false;
	bool right = split_lines(&r->head) && (r->responses ? read_status_line(r, r->head.at)
							    : read_request_line(r, r->head.at));
	if (!right || !are_fields(&r->head, reader_next_line(&r->head, r->head.at))) {
		reader_fail(r, "a malformed head");
		return;
	}
	bool interim = r->responses && r->status < 200 && r->status != 101;
	r->user->head(r);
	if (interim || r->state != READ_HEAD)
		return;
	begin_body(r);
	if (r->state == READ_LENGTH && r->left == 0)
		reader_end_message(r);
}

/* Takes one byte of a head or of trailers; true when the empty line at the end has come. */
static bool take_line_byte(struct http_reader *r, char c)
{
	struct text *t = &r->lines;
	text_add(t, &c, 1);
	bool empty = t->n == 2 && memcmp(t->at, "\r\n", 2) == 0;
	bool whole = t->n >= 4 && memcmp(t->at + t->n - 4, "\r\n\r\n", 4) == 0;
	if (t->n > HEAD_BYTES_MAX)
		reader_fail(r, "an endless head");
	if (whole || empty)
		t->n -= 2;
	return whole || empty;
}

static void take_head_byte(struct http_reader *r, char c)
{
	if (!take_line_byte(r, c))
		return;
	if (r->lines.n == 0)
		reader_fail(r, "an empty line for a head");
	else
		head_is_whole(r);
}

/* --- chunks --- */

static void trailers_are_whole(struct http_reader *r)
{
	r->trailers = r->lines;
	r->lines = (struct text){ 0 };
	if (r->trailers.n &&
	    (!split_lines(&r->trailers) || !are_fields(&r->trailers, r->trailers.at)))
		reader_fail(r, "malformed trailers");
	else
		reader_end_message(r);
}

static void chunk_size_is_whole(struct http_reader *r)
{
	struct text *t = &r->lines;
	t->at[t->n - 2] = 0;
	size_t digits = strspn(t->at, "0123456789abcdefABCDEF");
	if (digits == 0 || digits > 8 || digits != t->n - 2) {
		reader_fail(r, "a bad chunk size");
		return;
	}
	r->left = strtoull(t->at, NULL, 16);
	r->state = r->left ? READ_CHUNK : READ_TRAILERS;
	text_drop(t);
}

static void take_framing_byte(struct http_reader *r, char c)
{
	struct text *t = &r->lines;
	text_add(t, &c, 1);
	bool whole = t->n >= 2 && memcmp(t->at + t->n - 2, "\r\n", 2) == 0;
	if (t->n > 64) {
		reader_fail(r, "an endless chunk line");
	} else if (whole && r->state == READ_CHUNK_SIZE) {
		chunk_size_is_whole(r);
	} else if (r->state == READ_CHUNK_END && t->n == 2) {
		text_drop(t);
		if (whole)
			r->state = READ_CHUNK_SIZE;
		else
			reader_fail(r, "no line end behind a chunk");
	}
}

/* --- bytes --- */

static size_t take_body(struct http_reader *r, const uint8_t *bytes, size_t n)
{
	if (r->state != READ_UNTIL_CLOSE) {
		n = n < r->left ? n : (size_t)r->left;
		r->left -= n;
	}
	r->equal &= pattern_is(r->key, r->body_n, bytes, n);
	r->body_n += n;
	if (r->state == READ_CHUNK && r->left == 0)
		r->state = READ_CHUNK_END;
	bool end = r->state == READ_LENGTH && r->left == 0;
	if (r->user->body)
		r->user->body(r);
	if (end && r->state == READ_LENGTH)
		reader_end_message(r);
	return n;
}

static size_t reader_take(struct http_reader *r, const uint8_t *bytes, size_t n)
{
	switch (r->state) {
	case READ_HEAD:
		take_head_byte(r, (char)*bytes);
		return 1;
	case READ_CHUNK_SIZE:
	case READ_CHUNK_END:
		take_framing_byte(r, (char)*bytes);
		return 1;
	case READ_TRAILERS:
		if (take_line_byte(r, (char)*bytes))
			trailers_are_whole(r);
		return 1;
	case READ_LENGTH:
	case READ_CHUNK:
	case READ_UNTIL_CLOSE:
		return take_body(r, bytes, n);
	case READ_RAW:
		r->user->raw(r, bytes, n);
		return n;
	case READ_BAD:
		break;
	}
	return n;
}

void http_reader_feed(struct http_reader *r, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		size_t now = reader_take(r, bytes, n);
		bytes += now;
		n -= now;
	}
}

bool http_reader_finish(struct http_reader *r)
{
	if (r->state == READ_UNTIL_CLOSE) {
		r->user->end(r);
		return true;
	}
	return r->state == READ_RAW || (r->state == READ_HEAD && r->lines.n == 0);
}

void http_reader_pass(struct http_reader *r)
{
	must(r->state == READ_HEAD);
	r->state = READ_RAW;
}
