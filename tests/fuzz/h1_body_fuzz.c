/*
 * Bodies of HTTP/1. The first byte says how the body ends, the second how much of it is taken at a
 * time, two more how it is cut into slices. However that is, the same bytes come out; and a body
 * with its trailers, once written in chunks, reads as it was.
 */

#include <stdint.h>

#include "base/bug.h"
#include "http/h1_body.h"
#include "http/h1_write.h"
#include "base/limits.h"

#define CONTROL_BYTES 4

struct reading {
	struct slab slab;
	struct arena arena;
	struct bufs bufs;
	struct h1_body body;
	struct chain in, out;
	enum h1_progress progress;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void reading_open(struct reading *r, unsigned kind)
{
	*r = (struct reading){ .progress = H1_MORE };
	slab_open(&r->slab, ARENA_CHUNK_BYTES, 4);
	arena_open(&r->arena, &r->slab);
	bufs_open(&r->bufs);
	struct msg m;
	msg_open(&m, &r->arena, kind % 4 == 3 ? MSG_REQUEST : MSG_RESPONSE);
	m.body = kind % 4 == 1 ? BODY_LENGTH : BODY_UNKNOWN;
	m.length = kind;
	h1_body_open(&r->body, &m, kind % 4 != 2);
}

static void reading_close(struct reading *r)
{
	chain_drop(&r->in);
	chain_drop(&r->out);
	bufs_close(&r->bufs);
	arena_close(&r->arena);
	slab_close(&r->slab);
}

/* A block of its own, the bytes at its very end. */
static void add_slice(struct reading *r, const char *at, size_t n)
{
	struct block *k = block_take(&r->bufs, n < 1024 ? BLOCK_SMALL : BLOCK_LARGE, NULL);
	must(n <= k->size);
	uint8_t *to = k->data + k->size - n;
	memcpy(to, at, n);
	chain_add(&r->in, k, to, n);
}

static void take(struct reading *r, size_t max)
{
	while (r->progress == H1_MORE) {
		size_t in = r->in.bytes, out = r->out.bytes;
		r->progress = h1_body_read(&r->body, &r->arena, &r->in, &r->out, max);
		size_t moved = r->out.bytes - out;
		must(moved <= max && in - r->in.bytes >= moved);
		if (r->progress == H1_MORE && moved < max)
			must(chain_empty(&r->in));
		if (chain_empty(&r->in))
			break;
	}
	must((r->progress == H1_BAD) == (r->body.err != ERR_NONE));
}

/* Slices have the two sizes in turn; 0 is all that is left. */
static void feed(struct reading *r, struct span bytes, size_t max, const uint8_t sizes[2])
{
	size_t come = 0;
	for (size_t i = 0; r->progress == H1_MORE && come < bytes.n; i++) {
		size_t left = bytes.n - come, n = sizes[i % 2] ? sizes[i % 2] : left;
		n = n < left ? n : left;
		n = n < BLOCK_LARGE_BYTES ? n : BLOCK_LARGE_BYTES;
		add_slice(r, bytes.at + come, n);
		come += n;
		/* Now and then two slices are there at once. */
		if (i % 3 || come == bytes.n)
			take(r, max);
	}
	for (; r->progress != H1_MORE && come < bytes.n; come++)
		add_slice(r, bytes.at + come, 1);
}

static void check_same_bytes(struct reading *a, const struct chain *x, struct reading *b,
			     const struct chain *y)
{
	must(x->bytes == y->bytes);
	char *p = arena_take(&a->arena, x->bytes + 1), *q = arena_take(&b->arena, y->bytes + 1);
	chain_peek(x, p, x->bytes);
	chain_peek(y, q, y->bytes);
	must(memcmp(p, q, x->bytes) == 0);
}

static void check_same_trailers(struct reading *a, struct reading *b)
{
	must(a->body.has_trailers == b->body.has_trailers);
	if (!a->body.has_trailers)
		return;
	struct chain x = { 0 }, y = { 0 };
	h1_write_last_chunk(a->body.trailers, &x, &a->bufs);
	h1_write_last_chunk(b->body.trailers, &y, &b->bufs);
	check_same_bytes(a, &x, b, &y);
	chain_drop(&x);
	chain_drop(&y);
}

static void check_written(struct reading *r, size_t size)
{
	struct reading again;
	reading_open(&again, 0);
	size_t n = r->out.bytes;
	char *bytes = arena_take(&r->arena, n + 1);
	chain_peek(&r->out, bytes, n);
	for (size_t at = 0; at < n; at += size) {
		struct chain data = { 0 };
		chain_copy_in(&data, &again.bufs, bytes + at, n - at < size ? n - at : size);
		h1_write_chunk(&data, &again.in, &again.bufs);
	}
	h1_write_last_chunk(r->body.has_trailers ? r->body.trailers : NULL, &again.in, &again.bufs);
	take(&again, SIZE_MAX);
	must(again.progress == H1_DONE && chain_empty(&again.in));
	check_same_bytes(r, &r->out, &again, &again.out);
	check_same_trailers(r, &again);
	reading_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < CONTROL_BYTES)
		return 0;
	struct span bytes = { (const char *)data + CONTROL_BYTES, n - CONTROL_BYTES };
	struct reading whole, cut;
	reading_open(&whole, data[0]);
	reading_open(&cut, data[0]);
	feed(&whole, bytes, SIZE_MAX, (const uint8_t[2]){ 0 });
	feed(&cut, bytes, data[1] + 1u, data + 2);
	must(whole.progress == cut.progress && whole.body.err == cut.body.err);
	check_same_bytes(&whole, &whole.out, &cut, &cut.out);
	if (whole.progress == H1_DONE) {
		must(whole.body.state == H1_BODY_NONE || whole.body.state == H1_BODY_CLOSE);
		check_same_bytes(&whole, &whole.in, &cut, &cut.in);
		check_same_trailers(&whole, &cut);
		check_written(&whole, data[1] + 1u);
	}
	reading_close(&whole);
	reading_close(&cut);
	return 0;
}
