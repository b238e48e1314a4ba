#include <arpa/inet.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/capture.h"
#include "base/bug.h"
#include "base/clock.h"

/* Bytes that are not UTF-8 go as base64, under a name that says so. */
static void set_bytes(json_t *j, const char *name, struct exchange_record_text t)
{
	char base64_name[64];
	json_t *text = json_stringn(t.at ? t.at : "", t.n);
	if (text) {
		json_object_set_new(j, name, text);
		return;
	}
	char *base64 = malloc(t.n / 3 * 4 + 5);
	must(base64);
	int n = EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)t.at, (int)t.n);
	snprintf(base64_name, sizeof base64_name, "%s_base64", name);
	json_object_set_new(j, base64_name, json_stringn(base64, (size_t)n));
	free(base64);
}

static json_t *text_of(struct span s)
{
	json_t *j = json_stringn(s.at ? s.at : "", s.n);
	return j ? j : json_string("?");
}

static json_t *client_of(const struct exchange_record *s)
{
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *a = s->request.address;
	bool v4 = !memcmp(a, mapped, sizeof mapped);
	if (!s->request.known)
		return json_null();
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a + 12 : a, host, sizeof host);
	snprintf(text, sizeof text, v4 ? "%s:%u" : "[%s]:%u", host, s->request.port);
	return json_string(text);
}

/* The name of a connection, unique in the directory. */
static json_t *connection_of(const struct exchange_record *s)
{
	return json_sprintf("%llu-%u-%llu", (unsigned long long)s->generation, s->first.worker,
			    (unsigned long long)s->first.connection);
}

static json_t *protocol_of(const struct exchange_record *s)
{
	const char *word = exchange_record_protocol(s);
	return *word ? json_string(word) : json_null();
}

static json_t *seconds_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? json_real((double)(to_ns - from_ns) / 1e9) : json_null();
}

static void set_outcome(json_t *j, const struct exchange_record *s)
{
	const struct record_outcome *o = &s->outcome;
	json_object_set_new(j, "node",
			    s->back.n ? text_of((struct span){ s->back.at, s->back.n })
				      : json_null());
	struct bulk_counts items;
	if (exchange_record_is_partly_accepted(s, &items) && items.counted)
		json_object_set_new(j, "items",
				    json_pack("{s:I,s:I}", "accepted", (json_int_t)items.accepted,
					      "refused", (json_int_t)items.refused));
	json_object_set_new(j, "attempts", json_integer(o->attempts));
	json_object_set_new(j, "reason",
			    s->why.n ? text_of((struct span){ s->why.at, s->why.n }) : json_null());
	json_object_set_new(j, "released",
			    seconds_between(o->arrived_mono_ns, o->released_mono_ns));
	json_object_set_new(j, "latency",
			    seconds_between(o->arrived_mono_ns, o->responded_mono_ns));
}

static void set_bodies(json_t *j, const struct exchange_record *s)
{
	set_bytes(j, "request_head", s->request_head);
	set_bytes(j, "request_body", s->request_body);
	if (s->request_trailers.n)
		set_bytes(j, "request_trailers", s->request_trailers);
	set_bytes(j, "response_head", s->response_heads);
	set_bytes(j, "response_body", s->response_body);
	if (s->response_trailers.n)
		set_bytes(j, "response_trailers", s->response_trailers);
}

json_t *exchange_record_json(const struct exchange_record *s, bool bodies)
{
	char time[CLOCK_TEXT_BYTES];
	clock_text(s->first.wall_ns, time);
	unsigned status = exchange_record_status(s);
	json_t *j = json_pack(
		"{s:s,s:o,s:I,s:o,s:o,s:o,s:o,s:s,s:o,s:s,s:I,s:I,s:b,s:b}", "time", time,
		"connection", connection_of(s), "request", (json_int_t)s->first.ordinal, "client",
		client_of(s), "listener", text_of((struct span){ s->listener.at, s->listener.n }),
		"method", text_of(exchange_record_method(s)), "path",
		text_of(exchange_record_target(s)), "kind",
		s->first.flags & FRAME_WRITE ? "write" : "read", "status",
		status ? json_integer(status) : json_null(), "outcome", outcome_word(s),
		"request_bytes", (json_int_t)s->request_bytes, "response_bytes",
		(json_int_t)exchange_record_response_bytes(s), "request_whole", s->request_whole,
		"response_recorded", s->response_whole);
	must(j);
	json_object_set_new(j, "sequence",
			    json_sprintf("%llu:%llu", (unsigned long long)s->generation,
					 (unsigned long long)s->first.sequence));
	json_object_set_new(j, "cluster", json_string(exchange_record_cluster(s)));
	json_object_set_new(j, "protocol", protocol_of(s));
	json_object_set_new(j, "scheme", json_string(exchange_record_scheme(s)));
	json_object_set_new(j, "epoch", json_integer((json_int_t)s->first.epoch));
	set_outcome(j, s);
	if (bodies)
		set_bodies(j, s);
	return j;
}
