#include "proxy/forward.h"

#include "base/bug.h"
#include "base/fmt.h"
#include "proxy/recipient.h"
#include "proxy/trace.h"

/* An empty field adds no member to the list. */
static bool has_members(const struct field *f, enum name name)
{
	return f->name == name && !f->dropped && f->value_n;
}

/*
 * Joins the values of all fields of that name in one field, with `value` as the last member (RFC
 * 9110, 5.3).
 */
static bool append_to(struct msg *m, enum name name, struct span value)
{
	struct field *first = msg_find(m, name);
	if (!first)
		return msg_add(m, name, value);
	size_t n = value.n;
	for (unsigned i = 0; i < m->field_n; i++)
		if (has_members(&m->fields[i], name))
			n += m->fields[i].value_n + 2u;
	char *joined = arena_take(m->arena, n), *at = joined;
	for (unsigned i = 0; i < m->field_n; i++) {
		if (!has_members(&m->fields[i], name))
			continue;
		struct span old = field_value(m, &m->fields[i]);
		memcpy(at, old.at, old.n);
		memcpy(at + old.n, ", ", 2);
		at += old.n + 2;
	}
	memcpy(at, value.at, value.n);
	return msg_set(m, name, (struct span){ joined, n });
}

static bool add_hop(struct msg *m, const struct hop *hop)
{
	if (msg_find(m, NAME_X_CROSSFADE_HOP))
		return append_to(m, NAME_X_CROSSFADE_HOP, hop_id(hop));
	return msg_add_line(m, NAME_X_CROSSFADE_HOP, hop_line(hop));
}

static bool forward_set(struct msg *m, enum name name, struct span value, bool unless_set)
{
	return (unless_set && msg_find(m, name)) || msg_set(m, name, value);
}

static bool add_forwarded(struct msg *m, const struct forward_facts *facts)
{
	const struct listener *l = facts->listener;
	if (l->forwarded == FORWARDED_PRESERVE)
		return true;
	if (l->forwarded == FORWARDED_REMOVE) {
		msg_drop(m, NAME_X_FORWARDED_FOR);
		msg_drop(m, NAME_X_FORWARDED_PROTO);
		msg_drop(m, NAME_X_FORWARDED_PORT);
		return true;
	}
	char host[ADDR_TEXT_BYTES], port[FMT_DECIMAL_BYTES];
	addr_host_text(facts->peer, host);
	size_t n = fmt_decimal(port, l->port);
	return append_to(m, NAME_X_FORWARDED_FOR, span_of(host)) &&
	       forward_set(m, NAME_X_FORWARDED_PROTO, l->tls ? SPAN("https") : SPAN("http"),
			   facts->trusted) &&
	       forward_set(m, NAME_X_FORWARDED_PORT, (struct span){ port, n }, facts->trusted);
}

/* --- the client's address --- */

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80" */
static bool read_hop(struct span s, struct addr *a)
{
	if (s.n && s.at[0] == '[') {
		const char *close = memchr(s.at, ']', s.n);
		return close &&
		       addr_parse((struct span){ s.at + 1, (size_t)(close - s.at) - 1 }, 0, a);
	}
	const char *colon = memchr(s.at, ':', s.n);
	bool port = colon && !memchr(colon + 1, ':', s.n - (size_t)(colon - s.at) - 1);
	return addr_parse(port ? (struct span){ s.at, (size_t)(colon - s.at) } : s, 0, a);
}

static struct span take_last_member(struct span *list)
{
	const char *comma = memrchr(list->at, ',', list->n);
	size_t before = comma ? (size_t)(comma - list->at) : 0, skip = comma ? before + 1 : 0;
	struct span last = { list->at + skip, list->n - skip };
	list->n = before;
	return span_trim(last);
}

struct addr forward_origin(const struct msg *request, const struct networks *trust,
			   const struct addr *peer)
{
	struct addr origin = *peer, hop;
	unsigned hops = 0;
	for (unsigned i = request->field_n; i-- > 0;) {
		const struct field *f = &request->fields[i];
		if (f->name != NAME_X_FORWARDED_FOR || f->dropped)
			continue;
		for (struct span list = field_value(request, f); list.n;) {
			struct span last = take_last_member(&list);
			if (hops++ == FORWARDED_HOPS_MAX || (last.n && !read_hop(last, &hop)))
				return origin;
			/* RFC 9110, 5.6.1.2 */
			if (!last.n)
				continue;
			origin = hop;
			if (!networks_have(trust, &hop))
				return origin;
		}
	}
	return origin;
}

/* Decrements Max-Forwards of an OPTIONS request. */
static bool count_hop(struct msg *m)
{
	unsigned long long left;
	char text[FMT_DECIMAL_BYTES];
	if (recipient_hops(m, &left) != HOPS_LEFT)
		return true;
	size_t n = fmt_decimal(text, left);
	return msg_set(m, NAME_MAX_FORWARDS, (struct span){ text, n });
}

bool forward_client(struct msg *request, const struct forward_facts *facts)
{
	must(request->kind == MSG_REQUEST);
	return (request->method != METHOD_OPTIONS || count_hop(request)) &&
	       add_hop(request, facts->hop) && add_forwarded(request, facts) &&
	       (facts->listener->trace == TRACE_KEEP ||
		trace_add(request, facts->wall_ns, facts->rng));
}

static void edit_drop(struct msg *m, const struct cluster *cluster, const struct edit *e)
{
	if (e->id != NAME_OTHER)
		msg_drop(m, (enum name)e->id);
	else if (cluster->underscores)
		msg_drop_named(m, e->name);
	else
		msg_drop_alike(m, e->name);
}

void forward_unmask(struct msg *request, const struct cluster *cluster)
{
	if (!cluster->underscores)
		msg_drop_disguised(request);
}

void forward_trailers(struct msg *trailers, const struct cluster *cluster)
{
	forward_unmask(trailers, cluster);
	for (size_t i = 0; i < cluster->edit_n; i++)
		edit_drop(trailers, cluster, &cluster->edits[i]);
}

bool forward_edit(struct msg *request, const struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->edit_n; i++) {
		const struct edit *e = &cluster->edits[i];
		edit_drop(request, cluster, e);
		if (e->value.at && !msg_add_named(request, e->name, e->value))
			return false;
	}
	return true;
}

void forward_response(struct msg *response)
{
	static const struct span ours = SPAN_INIT("x-crossfade-");
	for (size_t i = 0; i < response->field_n; i++) {
		struct field *f = &response->fields[i];
		struct span name = field_name(response, f);
		if (name.n > ours.n && (name.at[0] | 0x20) == 'x' &&
		    name_is_alike((struct span){ name.at, ours.n }, ours))
			f->dropped = true;
	}
}

bool forward_host(struct msg *request, const struct cluster *cluster, const struct node *node)
{
	if (cluster->host == HOST_PRESERVE && msg_value(request, NAME_HOST).n)
		return true;
	const char *host = cluster->host == HOST_NAME ? cluster->host_name : node->name;
	return msg_set(request, NAME_HOST, span_of(host));
}
