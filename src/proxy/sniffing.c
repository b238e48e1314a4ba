#include "proxy/sniffing.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "http/authority.h"
#include "http/percent.h"
#include "proxy/exchanges.h"
#include "proxy/request.h"

/* --- the request --- */

/* "http" is among the metrics, as in "http" or "http,settings". */
static bool has_http_metric(struct span metrics)
{
	struct span one;
	while (span_next_member(&metrics, &one))
		if (span_is(one, SPAN("http")))
			return true;
	return false;
}

/*
 * The filter is for all nodes, for the node that answers, or for nodes with an attribute, as
 * data:true; not for one node by its name.
 */
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

/* Empty segments are skipped: proxies merge slashes. */
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
		return has_http_metric(a);
	if (!next_segment(&path, &c))
		return is_many(a) && has_http_metric(b);
	return is_many(a) && span_is(b, SPAN("info")) && has_http_metric(c) &&
	       !next_segment(&path, &more);
}

/* Only PHP clients ask for "/_nodes/" with a slash at the end; people ask for /_nodes. */
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
 * Clusters decode filters and metrics, so percent codes make no difference there; a proxy in front
 * of the cluster may decode the rest of the path too.
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

/* --- the address that the client used --- */

static bool sniffing_has_port(struct span authority)
{
	const char *colon = memrchr(authority.at, ':', authority.n);
	return colon && colon > authority.at && colon + 1 < authority.at + authority.n &&
	       !memchr(colon, ']', authority.n - (size_t)(colon - authority.at));
}

/* The first value that the proxies before us give; empty if there is none. */
static struct span forwarded_value(const struct msg *m, enum name name,
				   const struct sniffing_facts *facts)
{
	struct span all = msg_value(m, name), first = { "", 0 };
	if (facts->trusted && all.n)
		span_next_member(&all, &first);
	return first;
}

static struct span default_port(const struct msg *m, const struct sniffing_facts *facts)
{
	struct span port = forwarded_value(m, NAME_X_FORWARDED_PORT, facts);
	struct span proto = forwarded_value(m, NAME_X_FORWARDED_PROTO, facts);
	unsigned long long n;
	if (port.n && span_to_u64(port, 65535, &n) && n)
		return port;
	bool tls = proto.n ? span_is_nocase(proto, SPAN("https")) : facts->tls;
	return tls ? SPAN("443") : SPAN("80");
}

struct span sniffing_address(const struct msg *request, const struct sniffing_facts *facts)
{
	struct span host = forwarded_value(request, NAME_X_FORWARDED_HOST, facts);
	if (!host.n || !authority_valid(host))
		host = msg_value(request, NAME_HOST);
	if (!host.n || host.n > SNIFFED_HOST_BYTES)
		return (struct span){ "", 0 };
	if (sniffing_has_port(host))
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

/* --- the response --- */

/*
 * All clients want the address; those in JavaScript want the roles too, in Java the roles and a
 * version, Hadoop an ip. Names and addresses of the cluster's nodes are not revealed.
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

static void sniffing_log_once(struct exchanges *d, const struct request *r, enum sniffing what)
{
	static const char *const sentences[] = {
		[SNIFFING_PASS] = "the request was passed on (sniffing: pass): the client may now "
				  "talk to the nodes directly, where its requests are neither "
				  "captured nor moved",
		[SNIFFING_RESPOND] =
			"the response has the address that the client used (sniffing: respond)",
		[SNIFFING_REFUSE] = "the request was refused (sniffing: refuse)",
	};
	char text[ADDR_TEXT_BYTES];
	counter_add(&d->counters->sniffing[what], 1);
	if (d->sniffing_said)
		return;
	d->sniffing_said = true;
	addr_host_text(&r->client, text);
	log_line(what == SNIFFING_PASS ? LOG_WARN : LOG_INFO,
		 "worker %u: %s asked for the addresses of the cluster's nodes: %s; further such "
		 "requests are counted, not logged",
		 d->worker, text, sentences[what]);
}

enum sniffing sniffing_meets(struct exchanges *d, const struct request *r, struct span *address)
{
	struct sniffing_facts facts = { r->trusted, r->tls };
	enum sniffing what = r->plan->sniffing;
	*address = sniffing_address(r->head, &facts);
	if (what == SNIFFING_RESPOND && !address->n)
		what = SNIFFING_REFUSE;
	sniffing_log_once(d, r, what);
	return what;
}
