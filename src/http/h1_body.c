#include "http/h1_body.h"

#include "base/bug.h"
#include "http/scan.h"
#include "base/limits.h"

/* The longest trailer line: a longer one is refused. */
#define TRAILER_LINE_BYTES ((size_t)FIELD_LINE_BYTES + 2)

static_assert(2 * TRAILER_LINE_BYTES <= UINT16_MAX, "the room of a line is 16 bits");

void h1_body_open(struct h1_body *b, const struct msg *m, bool chunked)
{
	*b = (struct h1_body){ .state = H1_BODY_NONE };
	if (m->body == BODY_LENGTH && m->length > 0) {
		b->state = H1_BODY_LENGTH;
		b->left = m->length;
	} else if (m->body == BODY_UNKNOWN) {
		must(chunked || m->kind == MSG_RESPONSE);
		b->state = chunked ? H1_BODY_CHUNK_LINE : H1_BODY_CLOSE;
		b->has_slack = m->kind == MSG_REQUEST;
		b->slack = CHUNK_SLACK_BYTES;
	}
}

static enum h1_progress body_bad(struct h1_body *b, enum err err)
{
	b->err = err;
	return H1_BAD;
}

/* Returns the number of body bytes that were moved. */
static size_t move_data(struct chain *in, struct chain *out, uint64_t left, size_t *max)
{
	size_t n = in->bytes < *max ? in->bytes : *max;
	if (n > left)
		n = (size_t)left;
	chain_gather(out, in, n);
	*max -= n;
	return n;
}

static char body_take_byte(struct h1_body *b, struct chain *in)
{
	char c = (char)*in->first->at;
	b->last = (uint8_t)c;
	chain_skip(in, 1);
	return c;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Leading zeros are limited only by the line's length. */
static enum err take_size_digit(struct h1_body *b, int digit)
{
	if (b->left > CHUNK_BYTES_MAX >> 4)
		return ERR_CHUNK_SIZE;
	b->part = H1_CHUNK_SIZE;
	b->left = b->left << 4 | (unsigned)digit;
	return ERR_NONE;
}

static void begin_chunk_line(struct h1_body *b)
{
	b->state = H1_BODY_CHUNK_LINE;
	b->left = 0;
	b->line_n = 0;
	b->part = H1_CHUNK_SIZE_DUE;
}

static bool is_bws(char c)
{
	return c == ' ' || c == '\t';
}

/* The part after a size, a name or a value. */
static enum h1_chunk_part part_behind(enum h1_chunk_part gap, char c)
{
	return is_bws(c) ? gap : c == ';' ? H1_CHUNK_NAME_DUE : H1_CHUNK_BAD;
}

/*
 * RFC 9112, 7.1.1: each extension is BWS ";" BWS NAME [ BWS "=" BWS VALUE ]; a value is a token or
 * a quoted string. White space with nothing after it is allowed: old servers pad the size with it.
 */
static enum h1_chunk_part part_next(enum h1_chunk_part part, char c)
{
	bool token = scan_classes[(unsigned char)c] & SCAN_TOKEN;
	bool text = scan_classes[(unsigned char)c] & SCAN_VALUE;
	switch (part) {
	case H1_CHUNK_SIZE:
	case H1_CHUNK_GAP:
		return part_behind(H1_CHUNK_GAP, c);
	case H1_CHUNK_NAME_DUE:
		return is_bws(c) ? part : token ? H1_CHUNK_NAME : H1_CHUNK_BAD;
	case H1_CHUNK_NAME:
	case H1_CHUNK_NAME_GAP:
		if (token && part == H1_CHUNK_NAME)
			return part;
		return c == '=' ? H1_CHUNK_VALUE_DUE : part_behind(H1_CHUNK_NAME_GAP, c);
	case H1_CHUNK_VALUE_DUE:
		if (c == '"')
			return H1_CHUNK_QUOTED;
		return is_bws(c) ? part : token ? H1_CHUNK_VALUE : H1_CHUNK_BAD;
	case H1_CHUNK_VALUE:
		return token ? part : part_behind(H1_CHUNK_GAP, c);
	case H1_CHUNK_QUOTED:
		if (c == '"')
			return H1_CHUNK_GAP;
		return c == '\\' ? H1_CHUNK_ESCAPED : text ? part : H1_CHUNK_BAD;
	case H1_CHUNK_ESCAPED:
		return text ? H1_CHUNK_QUOTED : H1_CHUNK_BAD;
	case H1_CHUNK_SIZE_DUE:
	case H1_CHUNK_BAD:
		break;
	}
	return H1_CHUNK_BAD;
}

static bool part_may_be_last(enum h1_chunk_part part)
{
	return part == H1_CHUNK_SIZE || part == H1_CHUNK_GAP || part == H1_CHUNK_NAME ||
	       part == H1_CHUNK_NAME_GAP || part == H1_CHUNK_VALUE;
}

/* RFC 9112, 7.1: SIZE [EXTENSIONS] CR LF. Extensions are checked and not used. */
static enum err take_chunk_line(struct h1_body *b, char c)
{
	if (b->cr) {
		b->cr = false;
		b->line_n = 0;
		b->state = b->left ? H1_BODY_CHUNK_DATA : H1_BODY_TRAILERS;
		return c == '\n' ? ERR_NONE : ERR_BARE_CR;
	}
	if (c == '\n')
		return ERR_BARE_LF;
	enum h1_chunk_part part = b->part;
	if (c == '\r' && part_may_be_last(part)) {
		b->cr = true;
		return ERR_NONE;
	}
	if (++b->line_n > CHUNK_LINE_BYTES)
		return ERR_CHUNK_LINE;
	int digit = part <= H1_CHUNK_SIZE ? hex_digit(c) : -1;
	if (digit >= 0)
		return take_size_digit(b, digit);
	b->part = part_next(part, c);
	if (b->part != H1_CHUNK_BAD)
		return ERR_NONE;
	return part <= H1_CHUNK_SIZE ? ERR_CHUNK_SIZE : ERR_CHUNK_EXTENSION;
}

static enum err take_chunk_end(struct h1_body *b, char c)
{
	if (c != (b->cr ? '\n' : '\r'))
		return ERR_CHUNK_END;
	b->cr = !b->cr;
	if (!b->cr)
		begin_chunk_line(b);
	return ERR_NONE;
}

static void open_trailers(struct h1_body *b, struct arena *arena)
{
	b->trailers = arena_take(arena, sizeof *b->trailers);
	msg_open(b->trailers, arena, MSG_TRAILERS);
	b->parser = arena_take(arena, sizeof *b->parser);
	h1_parse_trailers(b->parser, b->trailers);
}

/* Takes the bytes of at most one line, from one slice. */
static void take_trailer_bytes(struct h1_body *b, struct arena *arena, struct chain *in)
{
	struct span front = chain_front(in);
	must(front.at);
	const char *lf = memchr(front.at, '\n', front.n);
	size_t n = lf ? (size_t)(lf - front.at) + 1 : front.n;
	size_t left = TRAILER_LINE_BYTES - b->line_n;
	if (n > left)
		n = left;
	must(n > 0);
	if (n > (size_t)b->line_room - b->line_n) {
		size_t room = 2 * (b->line_n + n);
		b->line = arena_grow(arena, b->line, b->line_room, room);
		b->line_room = (uint16_t)room;
	}
	memcpy(b->line + b->line_n, front.at, n);
	b->line_n += (uint16_t)n;
	chain_skip(in, n);
}

static enum err take_trailers(struct h1_body *b, struct arena *arena, struct chain *in)
{
	if (!b->parser)
		open_trailers(b, arena);
	take_trailer_bytes(b, arena, in);
	size_t used;
	enum h1_progress progress = h1_parse(b->parser, (struct span){ b->line, b->line_n }, &used);
	if (progress == H1_BAD)
		return b->parser->err;
	must(used == 0 || used == b->line_n);
	b->line_n -= (uint16_t)used;
	if (progress == H1_DONE)
		b->state = H1_BODY_NONE;
	return ERR_NONE;
}

/* Most bodies have no trailers; then nothing is taken from the arena. */
static enum err take_end(struct h1_body *b, struct arena *arena, struct chain *in)
{
	if (b->cr) {
		b->state = H1_BODY_NONE;
		return body_take_byte(b, in) == '\n' ? ERR_NONE : ERR_BARE_CR;
	}
	if (!b->parser && *in->first->at == '\r') {
		b->cr = true;
		chain_skip(in, 1);
		return ERR_NONE;
	}
	return take_trailers(b, arena, in);
}

static bool body_has_field(const struct msg *m)
{
	for (size_t i = 0; i < m->field_n; i++)
		if (!m->fields[i].dropped)
			return true;
	return false;
}

/* One step of a chunked body; `in` is not empty. */
static enum err take_chunked(struct h1_body *b, struct arena *arena, struct chain *in,
			     struct chain *out, size_t *max)
{
	switch (b->state) {
	case H1_BODY_CHUNK_LINE:
		return take_chunk_line(b, body_take_byte(b, in));
	case H1_BODY_CHUNK_DATA:
		b->left -= move_data(in, out, b->left, max);
		if (b->left == 0)
			b->state = H1_BODY_CHUNK_END;
		return ERR_NONE;
	case H1_BODY_CHUNK_END:
		return take_chunk_end(b, body_take_byte(b, in));
	default:
		must(b->state == H1_BODY_TRAILERS);
		return take_end(b, arena, in);
	}
}

/* `n` bytes were taken, and `body_n` of them are body bytes. Trailers have their own limit. */
static bool is_mostly_framing(struct h1_body *b, size_t n, size_t body_n)
{
	if (!b->has_slack || b->state == H1_BODY_TRAILERS)
		return false;
	int64_t slack = b->slack + CHUNK_OVERHEAD * (int64_t)body_n - (int64_t)(n - body_n);
	b->slack = (int32_t)(slack < CHUNK_SLACK_BYTES ? slack : CHUNK_SLACK_BYTES);
	return b->slack < 0;
}

static enum h1_progress read_chunks(struct h1_body *b, struct arena *arena, struct chain *in,
				    struct chain *out, size_t max)
{
	while (b->state != H1_BODY_NONE && !chain_empty(in)) {
		if (b->state == H1_BODY_CHUNK_DATA && max == 0)
			return H1_MORE;
		enum err err = take_chunked(b, arena, in, out, &max);
		if (err)
			return body_bad(b, err);
	}
	if (b->state != H1_BODY_NONE)
		return H1_MORE;
	b->has_trailers = b->trailers && body_has_field(b->trailers);
	return H1_DONE;
}

/* Usually a few bytes: a size and its CR LF. */
enum err h1_body_look(struct h1_body *b, const struct chain *in)
{
	struct h1_body ahead = *b;
	char line[CHUNK_LOOK_BYTES];
	size_t n = in->bytes < sizeof line ? in->bytes : sizeof line;
	if (b->state != H1_BODY_CHUNK_LINE)
		return ERR_NONE;
	chain_peek(in, line, n);
	for (size_t i = 0; i < n && ahead.state == H1_BODY_CHUNK_LINE; i++) {
		ahead.last = (uint8_t)line[i];
		enum err err = take_chunk_line(&ahead, line[i]);
		if (!err)
			continue;
		b->last = ahead.last;
		return b->err = err;
	}
	return ERR_NONE;
}

static enum h1_progress read_chunked(struct h1_body *b, struct arena *arena, struct chain *in,
				     struct chain *out, size_t max)
{
	size_t in_n = in->bytes, out_n = out->bytes;
	enum h1_progress p = read_chunks(b, arena, in, out, max);
	if (p == H1_MORE && is_mostly_framing(b, in_n - in->bytes, out->bytes - out_n))
		return body_bad(b, ERR_CHUNK_OVERHEAD);
	return p;
}

enum h1_progress h1_body_read(struct h1_body *b, struct arena *arena, struct chain *in,
			      struct chain *out, size_t max)
{
	must(b->err == ERR_NONE);
	switch (b->state) {
	case H1_BODY_NONE:
		return H1_DONE;
	case H1_BODY_LENGTH:
		b->left -= move_data(in, out, b->left, &max);
		if (b->left == 0)
			b->state = H1_BODY_NONE;
		return b->left ? H1_MORE : H1_DONE;
	case H1_BODY_CLOSE:
		move_data(in, out, UINT64_MAX, &max);
		return H1_MORE;
	default:
		return read_chunked(b, arena, in, out, max);
	}
}
