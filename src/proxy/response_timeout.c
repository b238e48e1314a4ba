#include "proxy/response_timeout.h"

#include "base/limits.h"
#include "capture/skip.h"
#include "http/percent.h"

/* Longest name of a wait parameter, and longest value, in bytes. */
#define WAIT_BYTES 64

/* A unit is `ms` milliseconds, or one `part`-th of a millisecond. */
static const struct {
	struct span name;
	uint64_t ms, part;
} units[] = {
	{ SPAN_INIT("nanos"), 1, 1000000 },  { SPAN_INIT("micros"), 1, 1000 },
	{ SPAN_INIT("ms"), 1, 1 },	     { SPAN_INIT("s"), 1000, 1 },
	{ SPAN_INIT("m"), 60 * 1000, 1 },    { SPAN_INIT("h"), 3600 * 1000, 1 },
	{ SPAN_INIT("d"), 86400 * 1000, 1 },
};

/* "75s", "500ms", "1.5h", "-1". The cluster refuses anything else. */
static uint64_t duration_ms(struct span s)
{
	if (span_is(s, SPAN("-1")))
		return UINT64_MAX;
	size_t digits = 0;
	while (digits < s.n && s.at[digits] >= '0' && s.at[digits] <= '9')
		digits++;
	unsigned long long n;
	if (!span_to_u64((struct span){ s.at, digits }, UINT32_MAX, &n))
		return 0;
	struct span unit = { s.at + digits, s.n - digits };
	/* A fraction counts as a whole unit. */
	if (unit.n && *unit.at == '.') {
		n++;
		do
			unit.at++, unit.n--;
		while (unit.n && *unit.at >= '0' && *unit.at <= '9');
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (span_is_nocase(unit, units[i].name))
			return n * units[i].ms / units[i].part;
	return 0;
}

static bool is_wait(struct span name)
{
	static const struct span names[] = {
		SPAN_INIT("timeout"),
		SPAN_INIT("master_timeout"),
		SPAN_INIT("cluster_manager_timeout"),
		SPAN_INIT("wait_for_completion_timeout"),
	};
	/* All names end in "timeout", and few other parameters do. */
	if (name.n < names[0].n || memcmp(name.at + name.n - names[0].n, "timeout", 7) != 0)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_is(name, names[i]))
			return true;
	return false;
}

static uint64_t asked_by(struct span name, struct span value)
{
	return is_wait(name) ? duration_ms(value) : 0;
}

/* A decoded name or value that is longer than WAIT_BYTES is no wait. */
static uint64_t asked_by_coded(struct span name, struct span value)
{
	char text[2][WAIT_BYTES];
	struct span names = { text[0], 0 }, values = { text[1], 0 };
	return percent_decode(name, text[0], WAIT_BYTES, &names.n) &&
			       percent_decode(value, text[1], WAIT_BYTES, &values.n)
		       ? asked_by(names, values)
		       : 0;
}

/* Clusters split the name from its value first, and decode afterwards. */
static uint64_t asked_by_parameter(struct span p)
{
	const char *equals = memchr(p.at, '=', p.n);
	if (!equals)
		return 0;
	struct span name = { p.at, (size_t)(equals - p.at) };
	struct span value = { equals + 1, p.n - name.n - 1 };
	return memchr(p.at, '%', p.n) ? asked_by_coded(name, value) : asked_by(name, value);
}

/* Clusters split parameters at '&' and at ';'. */
static struct span take_parameter(struct span *query)
{
	const char *end = memchr(query->at, '&', query->n);
	size_t n = end ? (size_t)(end - query->at) : query->n;
	if ((end = memchr(query->at, ';', n)))
		n = (size_t)(end - query->at);
	struct span parameter = { query->at, n };
	size_t skip = n < query->n ? n + 1 : n;
	query->at += skip;
	query->n -= skip;
	return parameter;
}

uint64_t response_timeout_requested_ms(struct span target)
{
	const char *mark = memchr(target.at, '?', target.n);
	uint64_t sum_ms = 0;
	if (!mark)
		return 0;
	struct span query = { mark + 1, (size_t)(target.at + target.n - mark - 1) };
	while (query.n) {
		uint64_t ms = asked_by_parameter(take_parameter(&query));
		sum_ms = ms > UINT64_MAX - sum_ms ? UINT64_MAX : sum_ms + ms;
	}
	return sum_ms;
}

static bool timeout_rule_fits(const struct response_timeout_rule *r, const struct msg *m,
			      struct span path)
{
	return (!r->method.n || span_is(r->method, msg_method(m))) &&
	       (!r->path.n || skip_fits(r->path, path));
}

static uint32_t configured_ms(const struct response_timeouts *p, const struct msg *m)
{
	struct span target = msg_target(m);
	const char *query = p->rule_n ? memchr(target.at, '?', target.n) : NULL;
	struct span path = { target.at, query ? (size_t)(query - target.at) : target.n };
	for (size_t i = 0; i < p->rule_n; i++)
		if (timeout_rule_fits(&p->rules[i], m, path))
			return p->rules[i].response_ms;
	return p->response_ms;
}

uint32_t response_timeout_of(const struct response_timeouts *p, const struct msg *request)
{
	uint32_t ms = configured_ms(p, request);
	uint64_t asked_ms =
		p->asked_max_ms ? response_timeout_requested_ms(msg_target(request)) : 0;
	if (!asked_ms)
		return ms;
	/* The spare time lets the cluster's own timeout response come first. */
	if (asked_ms > p->asked_max_ms)
		asked_ms = p->asked_max_ms;
	asked_ms += ASKED_SPARE_MS;
	return asked_ms > ms ? (uint32_t)asked_ms : ms;
}
