#include "proxy/sniffing.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "http/authority.h"
#include "proxy/exchange.h"

/* --- what is asked --- */

/* "http", or "http,settings" in any order. */
static bool is_http(struct span metrics)
{
	struct span one;
	bool http = false;
	while (span_next_member(&metrics, &one)) {
		http |= span_is(one, SPAN("http"));
		if (!span_is(one, SPAN("http")) && !span_is(one, SPAN("settings")))
			return false;
	}
	return http;
}

/* All nodes, or those with an attribute, as data:true; not one by its name. */
static bool is_many(struct span filter)
{
	return span_is(filter, SPAN("_all")) || span_is(filter, SPAN("*")) ||
	       memchr(filter.at, ':', filter.n);
}

bool sniffing_asks(enum method method, struct span target)
{
	static const char prefix[] = "/_nodes/";
	size_t skip = sizeof prefix - 1;
	if (method != METHOD_GET || target.n <= skip || memcmp(target.at, prefix, skip) != 0)
		return false;
	struct span rest = { target.at + skip, target.n - skip };
	const char *query = memchr(rest.at, '?', rest.n);
	if (query)
		rest.n = (size_t)(query - rest.at);
	if (rest.n && rest.at[rest.n - 1] == '/')
		rest.n--;
	const char *slash = memchr(rest.at, '/', rest.n);
	if (!slash)
		return is_http(rest);
	size_t n = (size_t)(slash - rest.at);
	return is_many((struct span){ rest.at, n }) &&
	       is_http((struct span){ slash + 1, rest.n - n - 1 });
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
