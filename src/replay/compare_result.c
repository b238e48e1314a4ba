#include "replay/compare_result.h"

#include "base/bug.h"

static const char *const result_kinds[] = {
	[JUDGE_EQUAL] = "equal",  [JUDGE_DIFFERENT] = "different", [JUDGE_MISSING] = "missing",
	[JUDGE_EXTRA] = "extra",  [JUDGE_MOVING] = "moving",	   [JUDGE_UNKNOWN] = "unknown",
	[JUDGE_PASSED] = "equal",
};

void compare_result_begin(struct compare_result *r)
{
	compare_result_free(r);
	*r = (struct compare_result){ .differences = json_array(), .hints = json_array() };
	must(r->differences && r->hints);
}

void compare_result_free(struct compare_result *r)
{
	json_decref(r->differences);
	json_decref(r->hints);
	*r = (struct compare_result){ 0 };
}

static void result_tell(struct compare_result *r, json_t *one /* moved in */)
{
	if (one && json_array_size(r->differences) < COMPARE_TOLD_MAX)
		json_array_append(r->differences, one);
	json_decref(one);
}

void compare_result_take(struct compare_result *r, const struct judge_key *k,
			 enum judge_verdict verdict, const char *what, bool repaired)
{
	uint64_t *const numbers[] = {
		[JUDGE_EQUAL] = &r->n.equal,	 [JUDGE_DIFFERENT] = &r->n.different,
		[JUDGE_MISSING] = &r->n.missing, [JUDGE_EXTRA] = &r->n.extra,
		[JUDGE_MOVING] = &r->n.moving,	 [JUDGE_UNKNOWN] = &r->n.unknown,
	};
	if (verdict == JUDGE_PASSED)
		return;
	r->n.checked++;
	++*numbers[verdict];
	r->n.repaired += repaired && verdict == JUDGE_EQUAL;
	if (verdict == JUDGE_EQUAL)
		return;
	json_t *one = json_pack("{s:s,s:s%,s:s%,s:s}", "kind", result_kinds[verdict], "index",
				k->index.at, k->index.n, "id", k->id.at, k->id.n, "what", what);
	if (one && k->routing.n)
		json_object_set_new(one, "routing", json_stringn(k->routing.at, k->routing.n));
	result_tell(r, one);
}

void compare_result_around(struct compare_result *r, const char *index, const char *what)
{
	r->n.around++;
	result_tell(r, json_pack("{s:s,s:s*,s:s}", "kind", "surroundings", "index", index, "what",
				 what));
}

void compare_result_unknown(struct compare_result *r, const char *index, const char *what)
{
	r->n.unknown++;
	result_tell(r,
		    json_pack("{s:s,s:s*,s:s}", "kind", "unknown", "index", index, "what", what));
}

void compare_result_hint(struct compare_result *r, const char *text)
{
	if (json_array_size(r->hints) < COMPARE_TOLD_MAX)
		json_array_append_new(r->hints, json_string(text));
}

const char *compare_result_word(const struct compare_result *r)
{
	if (r->n.different || r->n.missing || r->n.extra || r->n.around)
		return "different";
	return r->n.unknown ? "unknown" : "equal";
}

static json_t *result_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

json_t *compare_result_numbers(const struct compare_result *r)
{
	const struct compare_numbers *n = &r->n;
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "expected",
			 result_number(n->expected), "checked", result_number(n->checked), "equal",
			 result_number(n->equal), "different", result_number(n->different),
			 "missing", result_number(n->missing), "extra", result_number(n->extra),
			 "moving", result_number(n->moving), "unknown", result_number(n->unknown),
			 "repaired", result_number(n->repaired), "indices",
			 result_number(n->indices), "surroundings", result_number(n->around));
}
