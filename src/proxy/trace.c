#include "proxy/trace.h"

#include <string.h>

#include "base/fmt.h"
#include "base/limits.h"
#include "base/span.h"

/*
 * A trace id, in hex. In an id that Crossfade makes, the first eight digits are the time in
 * seconds, as X-Ray wants it.
 */
#define ID_DIGITS 32
#define TIME_DIGITS 8
#define SPAN_DIGITS 16

/* "1-", eight digits, "-", 24 digits */
#define ROOT_BYTES (2 + TIME_DIGITS + 1 + ID_DIGITS - TIME_DIGITS)
/* "00-", the trace, "-", the span, "-", flags */
#define PARENT_BYTES (3 + ID_DIGITS + 1 + SPAN_DIGITS + 3)

/* --- hex --- */

/* Capital letters are not valid: level 1, 3.2.2. */
static bool trace_is_hex(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(at[i] >= '0' && at[i] <= '9') && !(at[i] >= 'a' && at[i] <= 'f'))
			return false;
	return true;
}

static bool is_zero(const char *at, size_t n)
{
	size_t zeros = 0;
	while (zeros < n && at[zeros] == '0')
		zeros++;
	return zeros == n;
}

/* An id of all zeros is not valid. */
static uint64_t trace_nonzero(struct rng *c)
{
	uint64_t n = rng_next(c);
	return n ? n : 1;
}

static void make_id(char id[ID_DIGITS], uint64_t wall_ns, struct rng *rng)
{
	char *at = fmt_hex_wide(id, wall_ns / 1000000000u, TIME_DIGITS);
	at = fmt_hex_wide(at, trace_nonzero(rng), 16);
	fmt_hex_wide(at, rng_next(rng), 8);
}

/* --- traceparent --- */

/* Of a newer version, only the part that level 1 defines is checked (4.3). */
static bool is_parent(struct span s)
{
	return s.n >= PARENT_BYTES && trace_is_hex(s.at, 2) && s.at[2] == '-' &&
	       memcmp(s.at, "ff", 2) != 0 && trace_is_hex(s.at + 3, ID_DIGITS) && s.at[35] == '-' &&
	       trace_is_hex(s.at + 36, SPAN_DIGITS) && s.at[52] == '-' &&
	       trace_is_hex(s.at + 53, 2) && !is_zero(s.at + 3, ID_DIGITS) &&
	       !is_zero(s.at + 36, SPAN_DIGITS) &&
	       (s.n == PARENT_BYTES || (memcmp(s.at, "00", 2) != 0 && s.at[PARENT_BYTES] == '-'));
}

static bool stands_once(const struct msg *m, enum name name)
{
	unsigned n = 0;
	for (unsigned i = 0; i < m->field_n; i++)
		n += m->fields[i].name == name && !m->fields[i].dropped;
	return n == 1;
}

static bool has_parent(const struct msg *m)
{
	return msg_find(m, NAME_TRACEPARENT) && stands_once(m, NAME_TRACEPARENT) &&
	       is_parent(msg_value(m, NAME_TRACEPARENT));
}

static bool begin_parent(struct msg *m, const char id[ID_DIGITS], struct rng *rng)
{
	char text[PARENT_BYTES];
	memcpy(text, "00-", 3);
	memcpy(text + 3, id, ID_DIGITS);
	text[35] = '-';
	fmt_hex_wide(text + 36, trace_nonzero(rng), SPAN_DIGITS);
	memcpy(text + 52, "-01", 3);
	msg_drop(m, NAME_TRACESTATE);
	return msg_set(m, NAME_TRACEPARENT, (struct span){ text, sizeof text });
}

/* --- X-Amzn-Trace-Id --- */

/* Semicolons separate members; space around a member is ignored. */
static struct span trace_take_member(struct span *list)
{
	const char *end = memchr(list->at, ';', list->n);
	size_t n = end ? (size_t)(end - list->at) : list->n, skip = end ? n + 1 : n;
	struct span member = { list->at, n };
	*list = (struct span){ list->at + skip, list->n - skip };
	return span_trim(member);
}

static bool member_has_name(struct span member, struct span name)
{
	return member.n >= name.n && memcmp(member.at, name.at, name.n) == 0;
}

/* The client's members that are kept: all but Self, and members without a value. */
struct members {
	char *text; /* each with a semicolon in front */
	size_t n;
	struct span root; /* the first Root's value; empty: there is none */
};

static struct members read_members(struct span list, struct arena *arena)
{
	struct members to = { .text = arena_take(arena, list.n + 1) };
	while (list.n) {
		struct span member = trace_take_member(&list);
		if (!member.n || member_has_name(member, SPAN("Self=")) ||
		    span_is(member, SPAN("Root=")))
			continue;
		if (!to.root.n && member_has_name(member, SPAN("Root=")))
			to.root = (struct span){ member.at + 5, member.n - 5 };
		to.text[to.n++] = ';';
		memcpy(to.text + to.n, member.at, member.n);
		to.n += member.n;
	}
	return to;
}

/* The trace id in a Root. False: the Root has another format, and gives no id. */
static bool root_id(struct span root, char id[ID_DIGITS])
{
	if (root.n != ROOT_BYTES || memcmp(root.at, "1-", 2) != 0 || root.at[10] != '-' ||
	    !trace_is_hex(root.at + 2, TIME_DIGITS) ||
	    !trace_is_hex(root.at + 11, ID_DIGITS - TIME_DIGITS))
		return false;
	memcpy(id, root.at + 2, TIME_DIGITS);
	memcpy(id + TIME_DIGITS, root.at + 11, ID_DIGITS - TIME_DIGITS);
	return !is_zero(id, ID_DIGITS);
}

static bool set_amzn(struct msg *m, const char *name, const char id[ID_DIGITS],
		     const struct members *rest)
{
	size_t n = 5 + ROOT_BYTES;
	char *text = arena_take(m->arena, n + rest->n);
	memcpy(text, name, 5);
	memcpy(text + 5, "1-", 2);
	memcpy(text + 7, id, TIME_DIGITS);
	text[15] = '-';
	memcpy(text + 16, id + TIME_DIGITS, ID_DIGITS - TIME_DIGITS);
	if (rest->n)
		memcpy(text + n, rest->text, rest->n);
	return msg_set(m, NAME_X_AMZN_TRACE_ID, (struct span){ text, n + rest->n });
}

/* --- both --- */

bool trace_add(struct msg *m, uint64_t wall_ns, struct rng *rng)
{
	char id[ID_DIGITS], own[ID_DIGITS];
	struct span amzn = msg_value(m, NAME_X_AMZN_TRACE_ID);
	struct members rest = { 0 };
	if (amzn.n && amzn.n <= TRACE_BYTES)
		rest = read_members(amzn, m->arena);
	bool parent = has_parent(m);
	if (parent)
		memcpy(id, msg_value(m, NAME_TRACEPARENT).at + 3, ID_DIGITS);
	else if (!root_id(rest.root, id))
		make_id(id, wall_ns, rng);
	if (rest.root.n)
		make_id(own, wall_ns, rng);
	return set_amzn(m, rest.root.n ? "Self=" : "Root=", rest.root.n ? own : id, &rest) &&
	       (parent || begin_parent(m, id, rng));
}
