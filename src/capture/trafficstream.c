#include "capture/trafficstream.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

/* --- protobuf --- */

enum { VARINT = 0, LENGTH = 2 };

static void put_varint(struct bytes *b, uint64_t n)
{
	char byte;
	for (; n >= 128; n >>= 7) {
		byte = (char)(n | 128);
		bytes_add(b, (struct span){ &byte, 1 });
	}
	byte = (char)n;
	bytes_add(b, (struct span){ &byte, 1 });
}

static size_t varint_bytes(uint64_t n)
{
	size_t bytes = 1;
	while (n >>= 7)
		bytes++;
	return bytes;
}

static void put_number(struct bytes *b, unsigned field, uint64_t n)
{
	put_varint(b, field << 3 | VARINT);
	put_varint(b, n);
}

static void put_length(struct bytes *b, unsigned field, size_t n)
{
	put_varint(b, field << 3 | LENGTH);
	put_varint(b, n);
}

static void put_bytes(struct bytes *b, unsigned field, struct span s)
{
	put_length(b, field, s.n);
	bytes_add(b, s);
}

/* As in proto3: a field that is 0 is left out. */
static void put_some(struct bytes *b, unsigned field, uint64_t n)
{
	if (n)
		put_number(b, field, n);
}

static size_t some_bytes(uint64_t n)
{
	return n ? 1 + varint_bytes(n) : 0;
}

/* --- observations --- */

/*
 * Puts the time, and then the field of the kind with its length `n`: the caller adds the `n` bytes.
 */
static void begin_observation(struct trafficstream *t, enum observation what, uint64_t wall_ns,
			      size_t n)
{
	uint64_t s = wall_ns / 1000000000u, ns = wall_ns % 1000000000u;
	size_t time_n = some_bytes(s) + some_bytes(ns);
	size_t kind_n = varint_bytes((uint64_t)what << 3 | LENGTH) + varint_bytes(n) + n;
	struct bytes *b = &t->observations;
	put_length(b, 2, 1 + varint_bytes(time_n) + time_n + kind_n);
	put_length(b, 1, time_n);
	put_some(b, 1, s);
	put_some(b, 2, ns);
	put_length(b, what, n);
}

static unsigned data_field(enum observation what)
{
	return what == OBSERVE_READ_SEGMENT || what == OBSERVE_WRITE_SEGMENT ? 2 : 1;
}

static bool has_data(enum observation what)
{
	return what == OBSERVE_READ || what == OBSERVE_READ_SEGMENT || what == OBSERVE_WRITE ||
	       what == OBSERVE_WRITE_SEGMENT;
}

void trafficstream_observe(struct trafficstream *t, enum observation what, uint64_t wall_ns,
			   struct span data)
{
	if (t->observations.n && t->observations.n + data.n > trafficstream_record_bytes(t->user))
		trafficstream_flush(t, false);
	size_t n = has_data(what) ? 1 + varint_bytes(data.n) + data.n : 0;
	begin_observation(t, what, wall_ns, n);
	if (n)
		put_bytes(&t->observations, data_field(what), data);
	t->unterminated = what == OBSERVE_READ || what == OBSERVE_READ_SEGMENT ||
			  (what == OBSERVE_SEGMENT_END && t->unterminated);
}

void trafficstream_end_of_message(struct trafficstream *t, uint64_t wall_ns, uint32_t first_line_n,
				  uint32_t headers_n)
{
	begin_observation(t, OBSERVE_END_OF_MESSAGE, wall_ns,
			  some_bytes(first_line_n) + some_bytes(headers_n));
	put_some(&t->observations, 1, first_line_n);
	put_some(&t->observations, 2, headers_n);
	t->requests++;
	t->unterminated = false;
}

/* --- records --- */

size_t trafficstream_record_bytes(const struct trafficstream_user *user)
{
	return user->record_bytes ? user->record_bytes : TRAFFIC_RECORD_BYTES;
}

void trafficstream_flush(struct trafficstream *t, bool last)
{
	struct bytes b = { 0 };
	if (!t->observations.n && !last)
		return;
	put_bytes(&b, 1, span_of(t->connection));
	bytes_add(&b, (struct span){ t->observations.at, t->observations.n });
	t->records++;
	put_number(&b, last ? 4 : 3, t->records);
	put_bytes(&b, 5, span_of(t->node));
	if (t->records > 1) {
		put_number(&b, 6, t->requests_before);
		put_some(&b, 7, t->unterminated_before);
	}
	put_some(&b, TRAFFIC_TARGET_FIELD, t->target);
	t->observations.n = 0;
	t->requests_before = t->requests;
	t->unterminated_before = t->unterminated;
	t->user->record(t->user->user, span_of(t->connection), (struct span){ b.at, b.n });
	bytes_free(&b);
}

void trafficstream_rest(struct trafficstream *t)
{
	must(!t->observations.n);
	bytes_free(&t->observations);
}

void trafficstream_open(struct trafficstream *t, const struct trafficstream_user *user,
			const char *connection, const char *node)
{
	*t = (struct trafficstream){ .user = user, .node = node };
	snprintf(t->connection, sizeof t->connection, "%s", connection);
}

void trafficstream_close(struct trafficstream *t)
{
	bytes_free(&t->observations);
}
