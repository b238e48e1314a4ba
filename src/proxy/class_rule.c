#include "proxy/class_rule.h"

#include <assert.h>
#include <stdio.h>

#include "base/bug.h"

#define IS(s, other) ((unsigned)(s) == (unsigned)(other))
#define MASK(s)                                                                                    \
	(IS(s, SEGMENT_id)							 ? 0x40ull         \
	 : IS(s, SEGMENT_index) || IS(s, SEGMENT_type) || IS(s, SEGMENT_context) ? 0xc0ull         \
										 : 0xffull)
#define MASKS(a, b, c, d, e, f)                                                                    \
	(MASK(a) | MASK(b) << 8 | MASK(c) << 16 | MASK(d) << 24 | MASK(e) << 32 | MASK(f) << 40 |  \
	 0xffffull << 48)
#define BYTES(a, b, c, d, e, f)                                                                    \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |          \
	 (uint64_t)(e) << 32 | (uint64_t)(f) << 40)
#define ROW(m, k, r, a, b, c, d, e, f)                                                             \
	{ MASKS(a, b, c, d, e, f),                                                                 \
	  BYTES(a, b, c, d, e, f) & MASKS(a, b, c, d, e, f),                                       \
	  METHOD_##m,                                                                              \
	  CLASS_##k,                                                                               \
	  r,                                                                                       \
	  { a, b, c, d, e, f } },
/* A row's missing segments are `end`. */
#define ENDED(m, k, r, a, b, c, d, e, f, ...)                                                      \
	ROW(m, k, r, SEGMENT_##a, SEGMENT_##b, SEGMENT_##c, SEGMENT_##d, SEGMENT_##e, SEGMENT_##f)
#define RULE(m, k, r, ...) ENDED(m, k, r, __VA_ARGS__, end, end, end, end, end, end)
static const struct class_rule rules[] = {
#include "proxy/class.def"
};
#undef RULE
#undef ENDED
#undef ROW

static_assert(sizeof rules / sizeof rules[0] == CLASS_RULES, "the count is of the same table");

/* Paths for which no rule is compared: most requests for documents. */
#define FIRST_TWO(a, b, ...)                                                                       \
	static_assert(!IS(SEGMENT_##a, SEGMENT_id) && !IS(SEGMENT_##b, SEGMENT_id),                \
		      "a keyword that no rule names fits none of a rule's first two segments");
#define RULE(m, k, r, ...) FIRST_TWO(__VA_ARGS__, end, end)
#include "proxy/class.def"
#undef RULE
#undef FIRST_TWO

static bool no_rule_fits(uint64_t path)
{
	return (uint8_t)path == SEGMENT_OTHER_KEYWORD ||
	       (uint8_t)(path >> 8) == SEGMENT_OTHER_KEYWORD;
}

const struct class_rule *class_rule_find(enum method method, uint64_t path)
{
	if (no_rule_fits(path))
		return NULL;
	for (const struct class_rule *r = rules; r < rules + CLASS_RULES; r++)
		if ((path & r->mask) == r->path && r->method == method)
			return r;
	return NULL;
}

unsigned class_rule_number(const struct class_rule *r)
{
	return (unsigned)(r - rules);
}

const struct class_rule *class_rule_at(unsigned number)
{
	must(number < CLASS_RULES);
	return &rules[number];
}

static const char *method_text(const struct class_rule *r)
{
	switch ((enum method)r->method) {
	case METHOD_POST:
		return "POST";
	case METHOD_PUT:
		return "PUT";
	case METHOD_DELETE:
		return "DELETE";
	default:
		return "GET";
	}
}

void class_rule_say(const struct class_rule *r, char to[CLASS_RULE_BYTES])
{
	int n = snprintf(to, CLASS_RULE_BYTES, "%s ", method_text(r));
	for (int i = 0; i < PATH_DEPTH && r->segments[i]; i++)
		n += snprintf(to + n, CLASS_RULE_BYTES - (size_t)n, "/%s",
			      path_segment_text(r->segments[i]));
	must(n < CLASS_RULE_BYTES);
}
