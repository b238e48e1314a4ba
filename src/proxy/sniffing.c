#include "proxy/sniffing.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "http/authority.h"
#include "http/percent.h"
#include "proxy/exchange.h"

/* --- what is asked --- */

/* "http", or "http,settings", and whatever else. */
static bool is_http(struct span metrics)
{
	struct span one;
	while (span_next_member(&metrics, &one))
		if (span_is(one, SPAN("http")))
			return true;
	return false;
}

/* All nodes, the one that is asked, or those that fit, as data:true; not one by its name. */
static bool is_many(struct span filter)
{
	struct span one;
	while (span_next_member(&filter, &one))
		if (span_is(one, SPAN("_all")) || span_is(one, SPAN("_local")) ||
		    span_is(one, SPAN("_master")) || span_is(one, SPAN("_cluster_manager")) ||
		    memchr(one.at, '*', one.n) || memchr(one.at, ':', one.n))
			return true;
	return false;
}

/* Empty ones are no segments: proxies merge slashes. */
static bool next_segment(struct span *rest, struct span *segment)
{
	while (rest->n && *rest->at == '/')
		rest->at++, rest->n--;
	const char *slash = memchr(rest->at, '/', rest->n);
	*segment = (struct span){ rest->at, slash ? (size_t)(slash - rest->at) : rest->n };
	rest->at += segment->n;
	rest->n -= segment->n;
	return segment->n > 0;
}

/* /_nodes/METRICS, /_nodes/FILTER/METRICS, /_nodes/FILTER/info/METRICS */
static bool path_asks(struct span path)
{
	struct span nodes, a, b, c, more;
	if (!next_segment(&path, &nodes) || !span_is(nodes, SPAN("_nodes")) ||
	    !next_segment(&path, &a))
		return false;
	if (!next_segment(&path, &b))
		return is_http(a);
	if (!next_segment(&path, &c))
		return is_many(a) && is_http(b);
	return is_many(a) && span_is(b, SPAN("info")) && is_http(c) && !next_segment(&path, &more);
}

/* Their clients alone ask this, and call nobody else's attention; people say /_nodes. */
static bool is_php(const struct msg *request, struct span path)
{
	static const struct span agents[] = { SPAN_INIT("elasticsearch-php/"),
					      SPAN_INIT("opensearch-php/") };
	struct span agent = msg_value(request, NAME_USER_AGENT);
	for (size_t i = 0; i < 2 && span_is(path, SPAN("/_nodes/")); i++)
		if (agent.n >= agents[i].n &&
		    span_is((struct span){ agent.at, agents[i].n }, agents[i]))
			return true;
	return false;
}

/*
 * Of what clusters decode, filters and metrics, codes make no difference; a proxy before a cluster
 * may decode the rest of it too.
 */
bool sniffing_asks(const struct msg *request)
{
	char path[SNIFFED_PATH_BYTES];
	struct span target = msg_target(request), decoded = { path, 0 };
	if (request->method != METHOD_GET || target.n < 8 || !strchr("_%/", target.at[1]) ||
	    (target.at[1] == '_' && target.at[2] != 'n' && target.at[2] != '%'))
		return false;
	const char *query = memchr(target.at, '?', target.n);
	if (query)
		target.n = (size_t)(query - target.at);
	return percent_decode(target, path, sizeof path, &decoded.n) &&
	       (path_asks(decoded) || is_php(request, target));
}

/* --- where the client came by --- */

static bool has_port(struct span authority)
{
	const char *colon = memrchr(authority.at, ':', authority.n);
	return colon && colon > authority.at && colon + 1 < authority.at + authority.n &&
	       !memchr(colon, ']', authority.n - (size_t)(colon - authority.at));
}

/* What the proxies before us say, the first of them; empty where they say nothing. */
static struct span said_of(const struct msg *m, enum name name, const struct sniffing_facts *facts)
{
	struct span all = msg_value(m, name), first = { "", 0 };
	if (facts->trusted && all.n)
		span_next_member(&all, &first);
	return first;
}

static struct span default_port(const struct msg *m, const struct sniffing_facts *facts)
{
	struct span port = said_of(m, NAME_X_FORWARDED_PORT, facts);
	struct span proto = said_of(m, NAME_X_FORWARDED_PROTO, facts);
	unsigned long long n;
	if (port.n && span_to_u64(port, 65535, &n) && n)
		return port;
	bool tls = proto.n ? span_is_nocase(proto, SPAN("https")) : facts->tls;
	return tls ? SPAN("443") : SPAN("80");
}

struct span sniffing_address(const struct msg *request, const struct sniffing_facts *facts)
{
	struct span host = said_of(request, NAME_X_FORWARDED_HOST, facts);
	if (!host.n || !authority_valid(host))
		host = msg_value(request, NAME_HOST);
	if (!host.n || host.n > SNIFFED_HOST_BYTES)
		return (struct span){ "", 0 };
	if (has_port(host))
		return host;
	if (host.at[host.n - 1] == ':')
		host.n--;
	struct span port = default_port(request, facts);
	char *text = arena_take(request->arena, host.n + 1 + port.n);
	memcpy(text, host.at, host.n);
	text[host.n] = ':';
	memcpy(text + host.n + 1, port.at, port.n);
	return (struct span){ text, host.n + 1 + port.n };
}

/* --- what is answered --- */

/*
 * Clients want the address; those in JavaScript the roles, in Java the roles and a version, Hadoop
 * an ip. Node names and addresses of clusters are not told.
 */
struct span sniffing_text(struct arena *arena, struct span address)
{
	static const char format[] =
		"{\"_nodes\":{\"total\":1,\"successful\":1,\"failed\":0},"
		"\"cluster_name\":\"crossfade\",\"nodes\":{\"crossfade\":{\"name\":\"crossfade\","
		"\"transport_address\":\"%.*s\",\"host\":\"%.*s\",\"ip\":\"%.*s\","
		"\"version\":\"7.10.2\",\"roles\":[\"data\",\"ingest\",\"master\"],"
		"\"attributes\":{},\"settings\":{},\"http\":{\"bound_address\":[\"%.*s\"],"
		"\"publish_address\":\"%.*s\",\"max_content_length_in_bytes\":104857600}}}}\n";
	size_t room = sizeof format + 5 * address.n;
	char *text = arena_take(arena, room);
	const char *colon = memrchr(address.at, ':', address.n);
	int all = (int)address.n, host = (int)(colon - address.at);
	int n = snprintf(text, room, format, all, address.at, host, address.at, host, address.at,
			 all, address.at, all, address.at);
	must(n > 0 && (size_t)n < room);
	return (struct span){ text, (size_t)n };
}

static void say_once(struct exchange *ex, enum sniffing what)
{
	static const char *const sentences[] = {
		[SNIFFING_PASS] = "passed on (sniffing: pass): it may go to the nodes themselves, "
				  "where nothing of it is recorded or moved",
		[SNIFFING_ANSWER] = "told the address that it came by (sniffing: answer)",
		[SNIFFING_REFUSE] = "refused (sniffing: refuse)",
	};
	char text[ADDR_TEXT_BYTES];
	counter_add(&ex->desk->counters->sniffing[what], 1);
	if (ex->desk->sniffing_said)
		return;
	ex->desk->sniffing_said = true;
	addr_host_text(&ex->client, text);
	log_line(what == SNIFFING_PASS ? LOG_WARN : LOG_INFO,
		 "worker %u: %s asks where the cluster's nodes are: %s; more of these are counted "
		 "and not told",
		 ex->desk->worker, text, sentences[what]);
}

bool sniffing_meets(struct exchange *ex)
{
	struct msg *m = ex->request;
	struct sniffing_facts facts = { ex->trusted, ex->tls };
	struct span address = sniffing_address(m, &facts);
	enum sniffing what = ex->plan->sniffing;
	if (what == SNIFFING_ANSWER && !address.n)
		what = SNIFFING_REFUSE;
	say_once(ex, what);
	if (what == SNIFFING_PASS)
		return false;
	if (what == SNIFFING_REFUSE)
		exchange_answer(ex, ERR_SNIFFING);
	else
		exchange_answer_text(ex, SPAN("application/json"),
				     sniffing_text(&ex->arena, address));
	return true;
}
