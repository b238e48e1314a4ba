#ifndef UNIT_EFFECTS_KIT_H
#define UNIT_EFFECTS_KIT_H

/* Exchanges told to effects.h in pieces, and the effects as a text. */

#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/limits.h"
#include "replay/effects.h"

#define SAID_BYTES (SWEEP_QUERY_BYTES + 64 * 1024)

struct said {
	char text[SAID_BYTES];
	size_t n;
};

static void said_put(struct said *s, const char *before, struct span what)
{
	assert_true(s->n + what.n + 32 < sizeof s->text);
	s->n += (size_t)sprintf(s->text + s->n, "%s", before);
	memcpy(s->text + s->n, what.n ? what.at : "", what.n);
	s->n += what.n;
	s->text[s->n] = 0;
}

static void said_put_if(struct said *s, const char *before, struct span what, bool is)
{
	if (is)
		said_put(s, before, what);
}

/* "key i/1 routing=r, uncertain; scan i" */
static void said_hear(void *user, const struct effect *e)
{
	static const char *const kinds[EFFECT_KINDS] = { "key",	  "scan", "surroundings", "fence",
							 "sweep", "walk", "unknown",	  "lost" };
	struct said *s = user;
	struct span none = { NULL, 0 };
	said_put(s, s->n ? "; " : "", span_of(kinds[e->kind]));
	said_put_if(s, " ", e->index, e->index.n);
	said_put_if(s, "/", e->id, e->kind == EFFECT_KEY);
	said_put_if(s, " for ", e->name, e->name.n);
	said_put_if(s, " routing=", e->routing, e->routing.n);
	said_put_if(s, " type=", e->type, e->type.n);
	said_put_if(s, " query=", e->query, e->query.n);
	said_put_if(s, " task=", e->task, e->is_task);
	said_put_if(s, ", by request", none, e->by_request);
	said_put_if(s, ", stream", none, e->is_stream);
	said_put_if(s, ", external", none, e->external_version);
	said_put_if(s, ", uncertain", none, e->uncertain);
}

/* What of a body was not used yet. */
struct recorded {
	struct span left;
	bool ended;
};

/* In a copy of just its size, so that a byte too far, or one kept too long, is seen. */
static void recorded_give(struct effects *e, struct recorded *r, size_t piece, bool request)
{
	size_t n = r->left.n < piece ? r->left.n : piece;
	bool end = n == r->left.n;
	char *copy = malloc(n + !n);
	memcpy(copy, r->left.n ? r->left.at : "", n);
	struct span bytes = { copy, n };
	assert_false(r->ended);
	size_t used = request ? effects_request(e, bytes, end) : effects_response(e, bytes, end);
	free(copy);
	assert_true(used <= n);
	r->ended = end && used == n;
	r->left = (struct span){ r->left.at + used, r->left.n - used };
}

static void said_exchange(struct said *s, const struct effects_facts *facts, struct span request,
			  struct span response, size_t piece)
{
	struct effects *e = effects_make(said_hear, s);
	struct recorded ask = { request, false }, answer = { response, false };
	s->n = 0;
	s->text[0] = 0;
	effects_open(e, facts);
	enum effects_want want;
	while ((want = effects_want(e)) != EFFECTS_DONE)
		recorded_give(e, want == EFFECTS_REQUEST ? &ask : &answer, piece,
			      want == EFFECTS_REQUEST);
	effects_free(e);
}

static struct span compressed(struct span s)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t room = deflateBound(&z, s.n);
	char *to = malloc(room);
	z.next_in = (unsigned char *)(uintptr_t)s.at;
	z.avail_in = (unsigned)s.n;
	z.next_out = (unsigned char *)to;
	z.avail_out = (unsigned)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return (struct span){ to, room - z.avail_out };
}

/* Clear and compressed, in pieces of several sizes, it is always the same. */
static void said_in_any_way(struct effects_facts facts, struct span request, struct span response,
			    const char *expected)
{
	static const size_t pieces[] = { 1, 3, 64, 1 << 20 };
	static struct said s;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		said_exchange(&s, &facts, request, response, pieces[i]);
		if (strcmp(s.text, expected))
			fail_msg("%.*s by %zu:\n%.3000s\n, not\n%.3000s", (int)facts.target.n,
				 facts.target.at, pieces[i], s.text, expected);
	}
	if (facts.request_coding.n || facts.response_coding.n)
		return;
	struct span packed = compressed(request), back = compressed(response);
	facts.request_coding = facts.response_coding = SPAN("gzip");
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		said_exchange(&s, &facts, packed, back, pieces[i]);
		if (strcmp(s.text, expected))
			fail_msg("gzip, %.*s by %zu: %.3000s", (int)facts.target.n, facts.target.at,
				 pieces[i], s.text);
	}
	free((void *)(uintptr_t)packed.at);
	free((void *)(uintptr_t)back.at);
}

struct exchange_row {
	const char *method, *target;
	unsigned status;			   /* 0: it was sent and not answered */
	const char *request, *response, *expected; /* NULL: not recorded */
};

static enum outcome outcome_of(unsigned status)
{
	if (!status)
		return OUTCOME_UNKNOWN;
	return status < 400 ? OUTCOME_ACCEPTED : status < 500 ? OUTCOME_REJECTED : OUTCOME_FAILED;
}

static struct effects_facts facts_of(const struct exchange_row *row)
{
	return (struct effects_facts){
		.method = method_find(span_of(row->method)),
		.target = span_of(row->target),
		.request_type = SPAN("application/x-ndjson"),
		.response_type = SPAN("application/json; charset=UTF-8"),
		.outcome = outcome_of(row->status),
		.status = row->status,
		.request_recorded = row->request != NULL,
		.response_recorded = row->response != NULL,
	};
}

static void said_check(const struct exchange_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		said_in_any_way(facts_of(&rows[i]), span_of(rows[i].request),
				span_of(rows[i].response), rows[i].expected);
}

#define SAID_CHECK(rows) said_check(rows, sizeof(rows) / sizeof((rows)[0]))

/* As Elasticsearch 7.10 responds. */
#define SHARDS "\"_shards\":{\"total\":2,\"successful\":1,\"failed\":0}"
#define DONE_OF(index, id, result)                                                                 \
	"{\"_index\":\"" index "\",\"_type\":\"_doc\",\"_id\":\"" id                               \
	"\",\"_version\":1,\"result\":\"" result "\"," SHARDS                                      \
	",\"_seq_no\":0,\"_primary_term\":1}"
#define ERROR_OF(type, status)                                                                     \
	"{\"error\":{\"root_cause\":[{\"type\":\"other\",\"reason\":\"r\"}],\"type\":\"" type      \
	"\",\"reason\":\"r\"},\"status\":" status "}"

#endif
