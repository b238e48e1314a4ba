#include "proxy/recipient.h"

#include "base/limits.h"
#include "proxy/exchange.h"

static const struct field *second_field(const struct msg *m, const struct field *first)
{
	for (const struct field *f = first + 1; f < m->fields + m->field_n; f++)
		if (f->name == first->name && !f->dropped)
			return f;
	return NULL;
}

static bool is_digits(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return s.n > 0;
}

enum hops recipient_hops(const struct msg *request, unsigned long long *left)
{
	const struct field *f = NULL;
	if (request->method == METHOD_OPTIONS)
		f = msg_find(request, NAME_MAX_FORWARDS);
	if (!f)
		return HOPS_ANY;
	struct span value = field_value(request, f);
	if (second_field(request, f) || !is_digits(value))
		return HOPS_BAD;
	/* As many as nobody has; also where it is a number that does not fit. */
	if (!span_to_u64(value, MAX_FORWARDS, left))
		*left = MAX_FORWARDS;
	if (!*left)
		return HOPS_END;
	--*left;
	return HOPS_LEFT;
}

static bool traces(const struct msg *m)
{
	if (m->method == METHOD_TRACE)
		return true;
	struct span method = msg_method(m);
	return m->method == METHOD_OTHER &&
	       (span_is_nocase(method, SPAN("trace")) || span_is_nocase(method, SPAN("track")));
}

bool recipient_meets(struct exchange *ex)
{
	unsigned long long left;
	if (traces(ex->request)) {
		exchange_answer(ex, ERR_METHOD_TRACE);
		return true;
	}
	switch (recipient_hops(ex->request, &left)) {
	case HOPS_BAD:
		exchange_answer(ex, ERR_MAX_FORWARDS);
		return true;
	case HOPS_END:
		exchange_answer_options(ex);
		return true;
	case HOPS_ANY:
	case HOPS_LEFT:
		break;
	}
	return false;
}
