#include "replay/unpack.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/bug.h"
#include "base/limits.h"

/* What inflateInit2() calls a window of any size: with gzip's head, zlib's, and none. */
enum { WINDOW_GZIP = 15 + 16, WINDOW_ZLIB = 15, WINDOW_RAW = -15 };

enum unpack_state {
	UNPACK_CLEAR,
	UNPACK_BEGINS, /* nothing of the coded body was read */
	UNPACK_TRIES,  /* its first byte fits zlib's head: `first` */
	UNPACK_RUNS,
	UNPACK_IS_OVER, /* what may follow is passed over */
	UNPACK_FAILED,
};

struct unpack {
	enum coding coding;
	enum unpack_state state;
	z_stream z;
	bool made;	   /* `z` is */
	struct span piece; /* borrowed */
	size_t piece_n;	   /* that were put */
	bool last;
	unsigned char first;
	bool full;	   /* `out` was: zlib may have more of what it has read */
	struct span clear; /* of `out`: not used yet */
	char out[UNPACKED_BYTES];
};

enum coding coding_of(struct span content_encoding)
{
	struct span s = span_trim(content_encoding);
	if (!s.n || span_is_nocase(s, SPAN("identity")))
		return CODING_NONE;
	if (span_is_nocase(s, SPAN("gzip")) || span_is_nocase(s, SPAN("x-gzip")))
		return CODING_GZIP;
	return span_is_nocase(s, SPAN("deflate")) ? CODING_DEFLATE : CODING_UNKNOWN;
}

/* --- a life --- */

struct unpack *unpack_make(void)
{
	struct unpack *u = calloc(1, sizeof *u);
	must(u);
	return u;
}

void unpack_free(struct unpack *u)
{
	if (u->made)
		inflateEnd(&u->z);
	free(u);
}

static void unpack_begin(struct unpack *u, int window)
{
	int said = u->made ? inflateReset2(&u->z, window) : inflateInit2(&u->z, window);
	must(said == Z_OK);
	u->made = true;
	u->state = UNPACK_RUNS;
}

void unpack_open(struct unpack *u, enum coding coding)
{
	u->coding = coding;
	u->state = coding == CODING_UNKNOWN ? UNPACK_FAILED
		   : coding == CODING_NONE  ? UNPACK_CLEAR
					    : UNPACK_BEGINS;
	u->piece = u->clear = SPAN("");
	u->piece_n = 0;
	u->last = u->full = false;
}

void unpack_put(struct unpack *u, struct span piece, bool last)
{
	must(!u->piece.n);
	u->piece = piece.n ? piece : SPAN("");
	u->piece_n = piece.n;
	u->last = last;
}

size_t unpack_take_back(struct unpack *u)
{
	size_t used = u->piece_n - u->piece.n;
	u->last = u->last && !u->piece.n;
	u->piece = SPAN("");
	u->piece_n = 0;
	return used;
}

/* --- the coding undone --- */

/* The first two bytes of zlib's format (RFC 1950, 2.2). */
static bool unpack_is_zlib(unsigned char a, unsigned char b)
{
	return (a & 15) == Z_DEFLATED && (a << 8 | b) % 31 == 0;
}

static void unpack_drop(struct unpack *u, size_t n)
{
	u->piece.at += n;
	u->piece.n -= n;
}

/* `in` is read, and its bytes become clear ones as far as there is room. */
static void unpack_run(struct unpack *u, const void *in, size_t n, size_t *used)
{
	size_t room = sizeof u->out - u->clear.n;
	u->z.next_in = (unsigned char *)(uintptr_t)in;
	u->z.avail_in = n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
	u->z.next_out = (unsigned char *)u->out + u->clear.n;
	u->z.avail_out = (unsigned)room;
	unsigned given = u->z.avail_in;
	int said = inflate(&u->z, Z_NO_FLUSH);
	*used = given - u->z.avail_in;
	u->clear = (struct span){ u->out, sizeof u->out - u->z.avail_out };
	u->full = u->z.avail_out == 0;
	if (said == Z_STREAM_END)
		u->state = UNPACK_IS_OVER;
	else if (said != Z_OK && said != Z_BUF_ERROR)
		u->state = UNPACK_FAILED;
}

/* The two bytes that tell zlib's format from a raw one are there, maybe in two pieces. */
static void unpack_begin_deflate(struct unpack *u)
{
	if (u->state == UNPACK_BEGINS) {
		u->first = (unsigned char)*u->piece.at;
		unpack_drop(u, 1);
		u->state = UNPACK_TRIES;
	}
	if (!u->piece.n && !u->last)
		return;
	bool zlib = u->piece.n && unpack_is_zlib(u->first, (unsigned char)*u->piece.at);
	size_t used;
	unpack_begin(u, zlib ? WINDOW_ZLIB : WINDOW_RAW);
	unpack_run(u, &u->first, 1, &used);
}

/* RFC 1952, 2.2: a body may have several members, which follow each other. */
static bool unpack_is_member(const struct unpack *u)
{
	return u->coding == CODING_GZIP && u->piece.n && (unsigned char)*u->piece.at == 0x1f;
}

static void unpack_step(struct unpack *u)
{
	size_t used;
	if (u->state == UNPACK_BEGINS && u->coding == CODING_GZIP)
		unpack_begin(u, WINDOW_GZIP);
	if (u->state == UNPACK_BEGINS || u->state == UNPACK_TRIES) {
		unpack_begin_deflate(u);
	} else if (u->state == UNPACK_IS_OVER && unpack_is_member(u)) {
		unpack_begin(u, WINDOW_GZIP);
	} else if (u->state == UNPACK_IS_OVER) {
		unpack_drop(u, u->piece.n);
	} else {
		unpack_run(u, u->piece.at, u->piece.n, &used);
		unpack_drop(u, used);
	}
}

/* Whether another step can bring clear bytes. */
static bool unpack_can_step(const struct unpack *u)
{
	if (u->state == UNPACK_FAILED || u->clear.n)
		return false;
	return u->piece.n || (u->state == UNPACK_RUNS && u->full) ||
	       (u->state == UNPACK_TRIES && u->last);
}

static enum unpacked unpack_rest(const struct unpack *u)
{
	if (u->state == UNPACK_FAILED)
		return UNPACK_BROKEN;
	if (!u->last)
		return UNPACK_MORE;
	/* A body without a byte has no coding either. */
	return u->state == UNPACK_IS_OVER || u->state == UNPACK_BEGINS ? UNPACK_END : UNPACK_BROKEN;
}

enum unpacked unpack_look(struct unpack *u, struct span *clear)
{
	if (u->state == UNPACK_CLEAR) {
		*clear = u->piece;
		return clear->n ? UNPACK_BYTES : u->last ? UNPACK_END : UNPACK_MORE;
	}
	bool stuck = false;
	while (unpack_can_step(u) && !stuck) {
		size_t before = u->piece.n;
		enum unpack_state state = u->state;
		unpack_step(u);
		stuck = u->piece.n == before && u->state == state;
	}
	*clear = u->clear;
	return clear->n ? UNPACK_BYTES : unpack_rest(u);
}

void unpack_use(struct unpack *u, size_t n)
{
	struct span *s = u->state == UNPACK_CLEAR ? &u->piece : &u->clear;
	must(n <= s->n);
	s->at += n;
	s->n -= n;
}
