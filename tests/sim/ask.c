#include "sim/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "sim/scenario.h"

#define HEAD(method) method " /r/@ HTTP/1.1\r\n"
#define HOST "Host: shop.example\r\n"
#define CHUNKED HEAD("POST") HOST "X-Request-Id: @\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct flaw flaws[] = {
	{ "GET  /r/@ HTTP/1.1\r\n" HOST "\r\n", 400, false },
	{ "GET /r/@\r\n" HOST "\r\n", 400, false },
	{ "G(T /r/@ HTTP/1.1\r\n" HOST "\r\n", 400, false },
	{ "GET /r/@ HTTP/1.1\n" HOST "\n", 400, false },
	{ HEAD("GET") HOST "X: a\rb\r\n\r\n", 400, false },
	{ HEAD("GET") HOST "X: a\001b\r\n\r\n", 400, false },
	{ HEAD("GET") HOST "X : a\r\n\r\n", 400, false },
	{ HEAD("GET") HOST "X: a\r\n b\r\n\r\n", 400, false },
	{ HEAD("GET") HOST ": a\r\n\r\n", 400, false },
	{ HEAD("GET") "X: a\r\n\r\n", 400, false },
	{ HEAD("GET") HOST HOST "\r\n", 400, false },
	{ HEAD("GET") "Host: a/b\r\n\r\n", 400, false },
	{ "GET http://other.example/r/@ HTTP/1.1\r\n" HOST "\r\n", 400, false },
	{ HEAD("POST") HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, false },
	{ HEAD("POST") HOST "Content-Length: 5, 5\r\n\r\nhello", 400, false },
	{ HEAD("POST") HOST "Content-Length: +5\r\n\r\nhello", 400, false },
	{ HEAD("POST") HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
	  false },
	{ HEAD("POST") HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, false },
	{ "POST /r/@ HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false },
	{ HEAD("POST") HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, false },
	{ HEAD("POST") HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, false },
	{ HEAD("POST") HOST "Expect: miracles\r\nContent-Length: 0\r\n\r\n", 417, false },
	{ "CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example:80\r\n\r\n", 501, false },
	{ "GET /r/@ HTTP/2.0\r\n" HOST "\r\n", 505, false },
	{ "GET /r/@?~ HTTP/1.1\r\n" HOST "\r\n", 414, false },
	{ HEAD("GET") HOST "X: ~\r\n\r\n", 431, false },
	{ HEAD("GET") HOST "^\r\n", 431, false },
	{ CHUNKED "zz\r\n", 400, true },
	{ CHUNKED "5\r\nhelloo\r\n0\r\n\r\n", 400, true },
	{ CHUNKED "5\nhello\r\n0\r\n\r\n", 400, true },
	{ CHUNKED "fffffffffffffffff\r\n", 400, true },
	{ CHUNKED "5\r\nhello\r\n0\r\nHost: x\r\n\r\n", 400, true },
	{ CHUNKED "0\r\nX y\r\n\r\n", 400, true },
	/* heads and bodies that end too early */
	{ HEAD("GET") "Host:", 408, false },
	{ HEAD("POST") HOST "X-Request-Id: @\r\nContent-Length: 9\r\n\r\nhello", 408, true },
	{ CHUNKED "5\r\nhello\r\n", 408, true },
};

uint64_t ask_key(const struct ask *a)
{
	return 2 * a->id;
}

uint64_t ask_response_key(const struct ask *a)
{
	return 2 * a->id + 1;
}

bool ask_is_head(const struct ask *a)
{
	return strcmp(a->method, "HEAD") == 0;
}

static void make_framing(struct ask *a, struct dice *d, const struct scenario *t)
{
	bool usual = strcmp(a->method, "PUT") == 0 || strcmp(a->method, "POST") == 0;
	if (!usual && !dice_chance(d, 200))
		return;
	a->framing = a->minor == 1 && dice_chance(d, 500) ? FRAMED_CHUNKED : FRAMED_LENGTH;
	a->body_n = dice_size(d, t->body_max);
	a->trailers = a->framing == FRAMED_CHUNKED && dice_chance(d, 300);
	a->expects = a->minor == 1 && a->body_n > 0 && dice_chance(d, 200);
}

struct path {
	const char *text;
	enum kind posted, got; /* the kind for POST; for GET, HEAD and OPTIONS */
};

/* Paths for `profile: opensearch`, where r is the index and the id is the type. */
static const struct path paths[] = {
	{ "", KIND_WRITE, KIND_REPEATABLE },
	{ "/_search", KIND_REPEATABLE, KIND_REPEATABLE },
	{ "/_search?scroll=1m", KIND_ONCE, KIND_ONCE },
	{ "//_search", KIND_WRITE, KIND_REPEATABLE },
	{ "/%5fsearch", KIND_WRITE, KIND_REPEATABLE },
	{ "/../_search", KIND_WRITE, KIND_WRITE },
};

static void make_path(struct ask *a, struct dice *d)
{
	const struct path *p = &dice_pick(d, paths);
	bool gets = strcmp(a->method, "GET") == 0, posts = strcmp(a->method, "POST") == 0;
	bool looks = strcmp(a->method, "HEAD") == 0 || strcmp(a->method, "OPTIONS") == 0;
	a->path = p->text;
	if (gets || posts)
		a->kind = gets ? p->got : p->posted;
	else if (looks)
		a->kind = p->text[0] && p->text[1] == '.' ? KIND_WRITE : KIND_REPEATABLE;
	else
		a->kind = KIND_WRITE;
}

static void make_routing(struct ask *a, struct dice *d, const struct scenario *t)
{
	a->user = t->sticky_users && dice_chance(d, 700)
			  ? (unsigned)dice_between(d, 1, SIM_USERS_MAX)
			  : 0;
	a->names = t->names && dice_chance(d, 300);
	a->named = (enum arm)dice_roll(d, ARMS);
}

void ask_make(struct ask *a, struct dice *d, const struct scenario *t, bool last)
{
	static const char *const methods[] = { "GET",  "GET",	 "HEAD",    "PUT",     "POST",
					       "POST", "DELETE", "OPTIONS", "PROPFIND" };
	a->method = t->alternates ? methods[a->id % 2 ? 0 : 3] : dice_pick(d, methods);
	a->minor = !dice_chance(d, 120);
	if (t->peers_misbehave && last && dice_chance(d, 200))
		a->flaw = &dice_pick(d, flaws);
	else
		a->closes = last && dice_chance(d, 200);
	a->keeps = a->minor == 0 && !a->closes && (!last || dice_chance(d, 500));
	a->upgrades = last && a->minor == 1 && !a->closes && !a->flaw && dice_chance(d, 250);
	a->relayed = dice_chance(d, 150);
	if (a->upgrades)
		a->method = "GET";
	else if (!a->flaw)
		make_framing(a, d, t);
	make_path(a, d);
	if (!a->flaw)
		make_routing(a, d, t);
	a->too_large = t->allowed && a->body_n > t->allowed;
	action_make(&a->action, a, d, t);
	if (a->upgrades && a->action.tunnel)
		a->body_n = dice_size(d, t->body_max);
}

/* --- the bytes of a request --- */

static void write_flaw(const struct ask *a, struct text *to)
{
	for (const char *c = a->flaw->text; *c; c++) {
		if (*c == '@')
			text_print(to, "%llu", (unsigned long long)a->id);
		else if (*c == '~')
			memset(text_extend(to, 17 * 1024), 'x', 17 * 1024);
		else if (*c == '^')
			for (int i = 0; i < 300; i++)
				text_print(to, "X-%d: a\r\n", i);
		else
			text_add(to, c, 1);
	}
}

static void write_framing(const struct ask *a, struct text *to)
{
	if (a->expects)
		text_print(to, "Expect: 100-continue\r\n");
	if (a->framing == FRAMED_LENGTH)
		text_print(to, "Content-Length: %llu\r\n", (unsigned long long)a->body_n);
	else if (a->framing == FRAMED_CHUNKED)
		text_print(to, "%s: chunked\r\n",
			   a->id % 2 ? "Transfer-Encoding" : "transfer-encoding");
}

static void write_connection(const struct ask *a, struct dice *d, struct text *to)
{
	bool hop = dice_chance(d, 200);
	if (a->upgrades)
		text_print(to, "Connection: %sUpgrade\r\nUpgrade: websocket\r\n",
			   hop ? "x-hop, " : "");
	else if (a->closes)
		text_print(to, "Connection: %sclose\r\n", hop ? "x-hop, " : "");
	else if (a->keeps)
		text_print(to, "Connection: %skeep-alive\r\n", hop ? "x-hop, " : "");
	else if (hop)
		text_print(to, "Connection: x-hop\r\n");
	if (hop)
		text_print(to, "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n");
}

void ask_write_head(const struct ask *a, struct dice *d, struct text *to)
{
	if (a->flaw) {
		write_flaw(a, to);
		return;
	}
	unsigned long long id = a->id;
	text_print(to, "%s %s/r/%llu%s HTTP/1.%u\r\n", a->method,
		   dice_chance(d, 100) ? "http://shop.example" : "", id, a->path, a->minor);
	text_print(to, "Host: shop.example\r\nX-Request-Id: %llu\r\n", id);
	if (a->relayed)
		text_print(to, "X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\n");
	if (a->user)
		text_print(to, "X-User: %u\r\n", a->user);
	if (a->names)
		text_print(to, "X-Crossfade-Cluster: %s\r\n",
			   a->named == ARM_TARGET ? "target" : "source");
	write_connection(a, d, to);
	write_framing(a, to);
	for (uint64_t fill = dice_chance(d, 100) ? dice_size(d, 60) : 0; fill; fill--)
		text_print(to, "X-Fill-%llu:%*s\r\n", (unsigned long long)fill,
			   (int)dice_roll(d, 200), "x ");
	text_print(to, "\r\n");
}

void ask_write_body(const struct ask *a, struct dice *d, struct text *to)
{
	if (a->framing == FRAMED_NONE)
		return;
	framing_write(a->framing, ask_key(a), d, to, 0, a->body_n);
	framing_write_end(a->framing, a->trailers, a->id, to);
}

void ask_describe(const struct ask *a, char *text, size_t room)
{
	static const char *const framings[] = { "none", "length", "chunked", "close" };
	static const char *const moments[] = { "at head", "in body", "at end" };
	static const char *const fates[] = { "whole",	  "reset before", "fin before",
					     "rubbish",	  "reset in",	  "fin in",
					     "bad chunk", "silent",	  "stuck" };
	const struct action *d = &a->action;
	snprintf(text, room,
		 "%llu: %s%s 1.%u, %s %llu%s%s%s%s%s -> %s %s, %u ms, 1.%u %u, %s %llu%s%s%s%s%s, "
		 "%s at %llu",
		 (unsigned long long)a->id, a->flaw ? a->flaw->text : a->method, a->path, a->minor,
		 framings[a->framing], (unsigned long long)a->body_n,
		 a->trailers ? " trailers" : "", a->expects ? " expects" : "",
		 a->upgrades ? " upgrades" : "", a->closes ? " closes" : "",
		 a->keeps ? " keeps" : "", moments[d->moment], d->both_ways ? "both ways" : "",
		 d->delay_ms, d->minor, d->status, framings[d->framing],
		 (unsigned long long)d->body_n, d->trailers ? " trailers" : "",
		 d->interims ? " interims" : "", d->tunnel ? " tunnel" : "",
		 d->closes ? " closes" : "", d->closes_silently ? " closes silently" : "",
		 fates[d->fate], (unsigned long long)d->cut_at);
}

/* --- what follows from the script --- */

bool ask_must_close(const struct ask *a)
{
	return a->closes || a->flaw || (a->minor == 0 && !a->keeps);
}

bool ask_may_leave_rest(const struct ask *a)
{
	const struct action *d = &a->action;
	bool responded_first = d->fate != FATE_WHOLE || action_is_early(d) || a->too_large;
	return responded_first && (a->body_n > DROPPED_BODY_BYTES || a->trailers);
}

/* True too where the response to an HTTP/1.0 request has no length. */
bool ask_may_close(const struct ask *a)
{
	const struct action *d = &a->action;
	bool no_length =
		a->minor == 0 && (d->framing == FRAMED_CHUNKED || d->framing == FRAMED_CLOSE);
	return ask_must_close(a) || no_length || ask_may_leave_rest(a) || a->action.tunnel;
}
