#include "http/h1_write.h"

#include <string.h>

#include "base/bug.h"
#include "base/fmt.h"

static void write_text(struct chain *out, struct bufs *bufs, struct span s)
{
	chain_copy_in(out, bufs, s.at, s.n);
}

/* Name, colon, space, value, CR LF. */
static size_t field_bytes(const struct field *f)
{
	return f->name_n + 2u + f->value_n + 2u;
}

/* The first line and the fields, in runs of text between dropped fields. */
static void write_runs(const struct msg *m, struct chain *out, struct bufs *bufs)
{
	size_t from = 0, to = m->first_n;
	for (size_t i = 0; i < m->field_n; i++) {
		const struct field *f = &m->fields[i];
		if (f->dropped)
			continue;
		if (f->at != to) {
			write_text(out, bufs, (struct span){ m->text + from, to - from });
			from = f->at;
		}
		to = f->at + field_bytes(f);
	}
	write_text(out, bufs, (struct span){ m->text + from, to - from });
}

void h1_write_head(const struct msg *m, struct h1_write how, struct chain *out, struct bufs *bufs)
{
	must(m->kind != MSG_TRAILERS && m->first_n > 0);
	write_runs(m, out, bufs);
	if (m->body == BODY_UNKNOWN && how.chunked)
		write_text(out, bufs, SPAN("Transfer-Encoding: chunked\r\n"));
	if (m->tunnel)
		write_text(out, bufs, SPAN("Connection: upgrade\r\n"));
	else if (how.close)
		write_text(out, bufs, SPAN("Connection: close\r\n"));
	else if (how.keep)
		write_text(out, bufs, SPAN("Connection: keep-alive\r\n"));
	bool kept = !m->tunnel && !how.close && !how.keep && how.kept.n;
	write_text(out, bufs, kept ? how.kept : SPAN("\r\n"));
}

void h1_write_chunk(struct chain *data, struct chain *out, struct bufs *bufs)
{
	if (chain_empty(data))
		return;
	char line[FMT_HEX_BYTES + 2];
	size_t n = fmt_hex(line, data->bytes);
	memcpy(line + n, "\r\n", 2);
	write_text(out, bufs, (struct span){ line, n + 2 });
	chain_move(out, data);
	write_text(out, bufs, SPAN("\r\n"));
}

void h1_write_last_chunk(const struct msg *trailers, struct chain *out, struct bufs *bufs)
{
	write_text(out, bufs, SPAN("0\r\n"));
	if (trailers) {
		must(trailers->kind == MSG_TRAILERS);
		write_runs(trailers, out, bufs);
	}
	write_text(out, bufs, SPAN("\r\n"));
}
