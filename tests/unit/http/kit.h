#ifndef UNIT_HTTP_KIT_H
#define UNIT_HTTP_KIT_H

/* What the tests of this floor share: memory, messages fed whole or in pieces, and text to compare.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/h1_parse.h"
#include "base/limits.h"

#define ARRAY_N(a) (sizeof(a) / sizeof *(a))

struct kit {
	struct slab slab;
	struct arena arena;
	struct bufs bufs;
	struct msg msg;
	struct h1_parser parser;
};

static inline void kit_open(struct kit *k)
{
	slab_open(&k->slab, ARENA_CHUNK_BYTES, 4);
	arena_open(&k->arena, &k->slab);
	bufs_open(&k->bufs);
}

static inline void kit_close(struct kit *k)
{
	arena_close(&k->arena);
	slab_close(&k->slab);
	bufs_close(&k->bufs);
}

static inline void kit_request(struct kit *k)
{
	msg_open(&k->msg, &k->arena, MSG_REQUEST);
	h1_parse_request(&k->parser, &k->msg);
}

static inline void kit_respond(struct kit *k, enum method method, bool upgrade_asked)
{
	msg_open(&k->msg, &k->arena, MSG_RESPONSE);
	h1_parse_response(&k->parser, &k->msg, method, upgrade_asked, NULL);
}

static inline void kit_trailers(struct kit *k)
{
	msg_open(&k->msg, &k->arena, MSG_TRAILERS);
	h1_parse_trailers(&k->parser, &k->msg);
}

/*
 * Feeds `bytes` in pieces of `step`, each time from memory of exactly the size of what is unused,
 * so that AddressSanitizer sees every step beyond it. *used is what was consumed of all.
 */
static inline enum h1_progress kit_feed(struct kit *k, struct span bytes, size_t step, size_t *used)
{
	enum h1_progress progress = H1_MORE;
	size_t come = 0;
	*used = 0;
	while (progress == H1_MORE && come < bytes.n) {
		come = bytes.n - come < step ? bytes.n : come + step;
		size_t n = come - *used, now;
		char *exact = malloc(n);
		assert_non_null(exact);
		memcpy(exact, bytes.at + *used, n);
		progress = h1_parse(&k->parser, (struct span){ exact, n }, &now);
		free(exact);
		assert_true(now <= n);
		*used += now;
	}
	return progress;
}

/* What of a message is neither dropped nor added behind it, as text in the arena. */
static inline struct span kit_text(struct arena *a, const struct msg *m)
{
	char *text = arena_take(a, m->text_n + 1);
	size_t n = m->first_n;
	memcpy(text, m->text, n);
	for (size_t i = 0; i < m->field_n; i++) {
		const struct field *f = &m->fields[i];
		if (f->dropped)
			continue;
		size_t bytes = f->name_n + 2u + f->value_n + 2u;
		memcpy(text + n, m->text + f->at, bytes);
		n += bytes;
	}
	return (struct span){ text, n };
}

static inline void assert_span(struct span is, struct span expected)
{
	assert_int_equal(is.n, expected.n);
	if (is.n)
		assert_memory_equal(is.at, expected.at, is.n);
}

/* `n` times the same byte, in the arena. */
static inline struct span kit_repeat(struct arena *a, char c, size_t n)
{
	char *text = arena_take(a, n + 1);
	memset(text, c, n);
	return (struct span){ text, n };
}

static inline struct span kit_join(struct arena *a, struct span x, struct span y, struct span z)
{
	char *text = arena_take(a, x.n + y.n + z.n + 1);
	memcpy(text, x.at, x.n);
	memcpy(text + x.n, y.at, y.n);
	memcpy(text + x.n + y.n, z.at, z.n);
	return (struct span){ text, x.n + y.n + z.n };
}

#endif
