#include "proxy/recipient.h"

#include "base/limits.h"

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
	/*
	 * Larger values count as MAX_FORWARDS, which no chain of proxies reaches; also a number
	 * that does not fit.
	 */
	if (!span_to_u64(value, MAX_FORWARDS, left))
		*left = MAX_FORWARDS;
	if (!*left)
		return HOPS_END;
	--*left;
	return HOPS_LEFT;
}

static bool recipient_is_trace(const struct msg *m)
{
	if (m->method == METHOD_TRACE)
		return true;
	struct span method = msg_method(m);
	return m->method == METHOD_OTHER &&
	       (span_is_nocase(method, SPAN("trace")) || span_is_nocase(method, SPAN("track")));
}

enum recipient recipient_of(const struct msg *request)
{
	unsigned long long left;
	if (recipient_is_trace(request))
		return RECIPIENT_TRACE;
	switch (recipient_hops(request, &left)) {
	case HOPS_BAD:
		return RECIPIENT_BAD_HOPS;
	case HOPS_END:
		return RECIPIENT_HERE;
	case HOPS_ANY:
	case HOPS_LEFT:
		break;
	}
	return RECIPIENT_CLUSTER;
}
