/*
 * Heads and trailers of HTTP/1. The first byte says of what kind the rest is, three more where it
 * is cut. However it is cut, the outcome is the same; and what is accepted is canonical text that,
 * once written, is accepted again and means the same.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/bug.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "base/limits.h"

#define CONTROL_BYTES 4

struct reading {
	struct slab slab;
	struct arena arena;
	struct msg msg;
	struct h1_parser parser;
	enum h1_progress progress;
	size_t used;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void reading_open(struct reading *r, unsigned kind)
{
	*r = (struct reading){ .progress = H1_MORE };
	slab_open(&r->slab, ARENA_CHUNK_BYTES, 4);
	arena_open(&r->arena, &r->slab);
	switch (kind % 5) {
	case 0:
		msg_open(&r->msg, &r->arena, MSG_REQUEST);
		h1_parse_request(&r->parser, &r->msg);
		break;
	case 1:
		msg_open(&r->msg, &r->arena, MSG_TRAILERS);
		h1_parse_trailers(&r->parser, &r->msg);
		break;
	default:
		msg_open(&r->msg, &r->arena, MSG_RESPONSE);
		h1_parse_response(&r->parser, &r->msg, kind % 5 == 2 ? METHOD_HEAD : METHOD_GET,
				  kind % 5 == 3, NULL);
	}
}

static void reading_close(struct reading *r)
{
	arena_close(&r->arena);
	slab_close(&r->slab);
}

/* Pieces have the three sizes in turn; 0 is all that is left. Each is memory of just its size. */
static void feed(struct reading *r, struct span bytes, const uint8_t sizes[3])
{
	size_t come = 0;
	for (size_t i = 0; r->progress == H1_MORE && come < bytes.n; i++) {
		size_t size = sizes[i % 3], left = bytes.n - come;
		come += size && size < left ? size : left;
		size_t n = come - r->used, now;
		char *exact = malloc(n);
		must(exact);
		memcpy(exact, bytes.at + r->used, n);
		r->progress = h1_parse(&r->parser, (struct span){ exact, n }, &now);
		free(exact);
		must(now <= n);
		r->used += now;
	}
	must((r->progress == H1_BAD) == (r->parser.err != ERR_NONE));
}

static const struct field *next_kept(const struct msg *m, size_t *i)
{
	while (*i < m->field_n && m->fields[*i].dropped)
		++*i;
	return *i < m->field_n ? &m->fields[(*i)++] : NULL;
}

static void check_same_fields(const struct msg *a, const struct msg *b)
{
	size_t i = 0, j = 0;
	const struct field *f, *g;
	do {
		f = next_kept(a, &i);
		g = next_kept(b, &j);
		must(!f == !g);
		must(!f || (span_is(field_name(a, f), field_name(b, g)) &&
			    span_is(field_value(a, f), field_value(b, g)) && f->name == g->name));
	} while (f);
}

static void check_same(const struct msg *a, const struct msg *b)
{
	must(a->first_n == b->first_n && memcmp(a->text, b->text, a->first_n) == 0);
	must(a->method == b->method && a->status == b->status);
	must(a->body == b->body && a->length == b->length);
	must(a->tunnel == b->tunnel && a->expects == b->expects);
	check_same_fields(a, b);
}

/* Lines of text without any control character but HTAB, with CR LF between them. */
static void check_canonical(const struct msg *m)
{
	for (size_t i = 0; i < m->text_n; i++) {
		unsigned char c = (unsigned char)m->text[i];
		if (c == '\r')
			must(i + 1 < m->text_n && m->text[++i] == '\n');
		else
			must((c >= ' ' && c != 0x7f) || c == '\t');
	}
	size_t hosts = 0;
	for (size_t i = 0; i < m->field_n; i++) {
		const struct field *f = &m->fields[i];
		hosts += f->name == NAME_HOST && !f->dropped;
		must(f->name_n > 0 && memcmp(m->text + f->at + f->name_n, ": ", 2) == 0);
		must(memcmp(m->text + f->at + f->name_n + 2 + f->value_n, "\r\n", 2) == 0);
	}
	must(m->kind != MSG_REQUEST || hosts == 1);
}

static void check_written(const struct reading *r, unsigned kind)
{
	struct bufs bufs;
	bufs_open(&bufs);
	struct chain out = { 0 };
	if (r->msg.kind == MSG_TRAILERS) {
		h1_write_last_chunk(&r->msg, &out, &bufs);
		chain_skip(&out, strlen("0\r\n"));
	} else {
		h1_write_head(&r->msg, (struct h1_write){ .chunked = r->parser.codings }, &out,
			      &bufs);
	}
	struct reading again;
	reading_open(&again, kind);
	/* A node gets no empty Host: who passes such a request on of HTTP/1.0 says which node it
	 * is. */
	bool named = r->msg.kind != MSG_REQUEST || msg_value(&r->msg, NAME_HOST).n ||
		     msg_target(&r->msg).at[0] == '*';
	if (named && out.bytes <= again.parser.head_max &&
	    r->msg.field_n <= again.parser.fields_max) {
		char *text = arena_take(&again.arena, out.bytes);
		chain_peek(&out, text, out.bytes);
		feed(&again, (struct span){ text, out.bytes }, (const uint8_t[3]){ 0 });
		must(again.progress == H1_DONE && again.used == out.bytes);
		check_same(&r->msg, &again.msg);
	}
	reading_close(&again);
	chain_drop(&out);
	bufs_close(&bufs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < CONTROL_BYTES)
		return 0;
	struct span bytes = { (const char *)data + CONTROL_BYTES, n - CONTROL_BYTES };
	struct reading whole, cut;
	reading_open(&whole, data[0]);
	reading_open(&cut, data[0]);
	feed(&whole, bytes, (const uint8_t[3]){ 0 });
	feed(&cut, bytes, data + 1);
	must(whole.progress == cut.progress && whole.used == cut.used);
	must(whole.parser.err == cut.parser.err && whole.msg.close == cut.msg.close);
	check_same_fields(&whole.msg, &cut.msg);
	if (whole.progress == H1_DONE) {
		check_same(&whole.msg, &cut.msg);
		check_canonical(&whole.msg);
		check_written(&whole, data[0]);
	}
	reading_close(&whole);
	reading_close(&cut);
	return 0;
}
