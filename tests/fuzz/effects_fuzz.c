/*
 * What a recorded exchange changed. The input is a head of ten bytes, a target, a request's body
 * and a response's, parted by bytes of 0xfe, which no JSON has. Whole and in pieces the effects are
 * the same, and names are within their limits.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"
#include "replay/effects.h"

#define HEAD_BYTES 10
#define ROUNDS_MAX 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What was told: its size, and a sum in which the order counts. */
struct sum {
	uint64_t value;
	size_t effects;
};

static void sum_byte(struct sum *s, uint8_t byte)
{
	s->value = (s->value ^ byte) * 0x100000001b3;
}

static void sum_span(struct sum *s, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		sum_byte(s, (uint8_t)text.at[i]);
	sum_byte(s, 0xff);
}

static void sum_effect(void *user, const struct effect *e)
{
	struct sum *s = user;
	must((unsigned)e->kind < EFFECT_LOST);
	must(e->kind != EFFECT_KEY || (e->index.n && e->id.n));
	must(e->kind != EFFECT_KEY || e->index.n <= INDEX_NAME_BYTES_MAX);
	must(e->id.n <= DOCUMENT_ID_BYTES && e->query.n <= SWEEP_QUERY_BYTES);
	must((e->kind != EFFECT_UNKNOWN && e->kind != EFFECT_WALK) || e->name.n);
	must(e->kind == EFFECT_KEY || !e->id.n);
	sum_byte(s, (uint8_t)e->kind);
	sum_byte(s, (uint8_t)(e->by_request | e->external_version << 1 | e->uncertain << 2 |
			      e->is_task << 3));
	sum_span(s, e->index);
	sum_span(s, e->id);
	sum_span(s, e->routing);
	sum_span(s, e->type);
	sum_span(s, e->query);
	sum_span(s, e->name);
	sum_span(s, e->task);
	s->effects++;
}

/* What stands before the next mark. */
static struct span cut(struct span *rest)
{
	const char *mark = rest->n ? memchr(rest->at, 0xfe, rest->n) : NULL;
	struct span first = { rest->at, mark ? (size_t)(mark - rest->at) : rest->n };
	size_t used = first.n + (mark != NULL);
	*rest = (struct span){ rest->at + used, rest->n - used };
	return first;
}

/* Pieces of sizes by chance, each a copy of just its size. `seed` 0: all at once. */
static size_t give(struct effects *e, struct span left, uint32_t *seed, bool request)
{
	size_t n = left.n;
	if (*seed) {
		*seed = *seed * 1103515245 + 12345;
		size_t piece = 1 + (*seed >> 16) % (*seed & 0x8000 ? 5 : 200);
		n = n < piece ? n : piece;
	}
	char *copy = malloc(n + !n);
	must(copy);
	memcpy(copy, left.n ? left.at : "", n);
	struct span bytes = { copy, n };
	size_t used = request ? effects_request(e, bytes, n == left.n)
			      : effects_response(e, bytes, n == left.n);
	free(copy);
	must(used <= n);
	return used;
}

static struct sum told_in_pieces(const struct effects_facts *facts, struct span request,
				 struct span response, uint32_t seed)
{
	struct sum s = { 0xcbf29ce484222325, 0 };
	struct effects *e = effects_make(sum_effect, &s);
	effects_open(e, facts);
	enum effects_want want;
	for (unsigned round = 0; (want = effects_want(e)) != EFFECTS_DONE; round++) {
		must(round < ROUNDS_MAX);
		struct span *left = want == EFFECTS_REQUEST ? &request : &response;
		size_t used = give(e, *left, &seed, want == EFFECTS_REQUEST);
		*left = (struct span){ left->at + used, left->n - used };
	}
	effects_free(e);
	return s;
}

static const struct span types[] = { SPAN_INIT(""), SPAN_INIT("application/json"),
				     SPAN_INIT("application/x-ndjson"),
				     SPAN_INIT("application/cbor") };
static const struct span codings[] = { SPAN_INIT(""), SPAN_INIT("gzip"), SPAN_INIT("deflate"),
				       SPAN_INIT("br") };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum method methods[] = { METHOD_PUT, METHOD_POST,	  METHOD_POST,
					       METHOD_GET, METHOD_DELETE, METHOD_PATCH };
	static const unsigned statuses[] = { 200, 201, 400, 404, 409, 429, 503, 0 };
	if (n < HEAD_BYTES)
		return 0;
	struct span rest = { (const char *)data + HEAD_BYTES, n - HEAD_BYTES };
	struct span target = cut(&rest), request = cut(&rest);
	uint32_t seed;
	memcpy(&seed, data + 6, sizeof seed);
	struct effects_facts facts = {
		.method = methods[data[0] % 6],
		.target = target,
		.status = statuses[data[1] % 8],
		.outcome = (enum outcome)(data[2] % OUTCOMES),
		.request_type = types[data[3] % 4],
		.request_coding = codings[data[3] / 4 % 4],
		.response_type = types[data[4] % 4],
		.response_coding = codings[data[4] / 4 % 4],
		.request_recorded = !(data[5] & 1),
		.response_recorded = !(data[5] & 2),
	};
	struct sum whole = told_in_pieces(&facts, request, rest, 0);
	struct sum pieces = told_in_pieces(&facts, request, rest, seed | 1);
	must(whole.value == pieces.value && whole.effects == pieces.effects);
	return 0;
}
