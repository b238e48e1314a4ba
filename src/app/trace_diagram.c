#include "app/trace_diagram.h"

#include <string.h>

#include "base/bug.h"

#define LANE_WIDTH 17
#define LINE_BYTES (DIAGRAM_LANES * LANE_WIDTH + 1)

static const char *event_text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

static uint64_t event_number(const json_t *j, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(j, name));
}

/* --- lanes --- */

static void diagram_print_lanes(const struct trace_diagram *d, FILE *to)
{
	fprintf(to, "%-10s %10s  ", "request", "ms");
	for (int i = 0; i < d->lane_n; i++)
		fprintf(to, i + 1 < d->lane_n ? "%-*s" : "%.*s\n", LANE_WIDTH, d->lanes[i]);
}

static void diagram_add_lane(struct trace_diagram *d, int at, const char *name)
{
	memmove(d->lanes[at + 1], d->lanes[at], (size_t)(d->lane_n - at) * sizeof d->lanes[0]);
	snprintf(d->lanes[at], sizeof d->lanes[at], "%s", name);
	d->lane_n++;
}

static int diagram_find_lane(const struct trace_diagram *d, const char *name)
{
	for (int i = 0; i < d->lane_n; i++)
		if (!strcmp(d->lanes[i], name))
			return i;
	return -1;
}

/*
 * A party that only some requests have, such as the capture gate, gets its lane before the
 * delivery's.
 */
static int diagram_lane(struct trace_diagram *d, const char *name, FILE *to)
{
	int lane = diagram_find_lane(d, name);
	if (lane >= 0)
		return lane;
	if (d->lane_n == DIAGRAM_LANES)
		return d->lane_n - 1;
	diagram_add_lane(d, d->lane_n - 3, name);
	diagram_print_lanes(d, to);
	return d->lane_n - 4;
}

void trace_diagram_open(struct trace_diagram *d)
{
	static const char *const lanes[] = { "client",	 "front", "exchange",
					     "delivery", "back",  "node" };
	*d = (struct trace_diagram){ 0 };
	for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++)
		diagram_add_lane(d, (int)i, lanes[i]);
}

/* --- one line --- */

/*
 * Parts of the message itself are drawn up to the client or the node, not only to `front` or
 * `back`.
 */
static bool is_of_message(const char *verb)
{
	return !strcmp(verb, "head") || !strcmp(verb, "data") || !strcmp(verb, "trailers");
}

static int lane_outward(const struct trace_diagram *d, int lane)
{
	return lane == 1 ? 0 : lane == d->lane_n - 2 ? d->lane_n - 1 : lane;
}

static void diagram_describe(const json_t *said, char *to, size_t bytes)
{
	const char *verb = event_text(said, "verb"), *why = event_text(said, "why");
	uint64_t n = event_number(said, "number");
	char more[32] = "";
	if (*why)
		snprintf(more, sizeof more, " %s", why);
	else if (n)
		snprintf(more, sizeof more, " %llu", (unsigned long long)n);
	snprintf(to, bytes, " %s%s%s ", verb, more,
		 json_is_true(json_object_get(said, "end")) && !*why ? ", end" : "");
}

static void diagram_draw(const struct trace_diagram *d, int from, int to, const char *label,
			 char line[LINE_BYTES])
{
	int left = (from < to ? from : to) * LANE_WIDTH,
	    right = (from < to ? to : from) * LANE_WIDTH;
	int length = (int)strlen(label), room = right - left - 3;
	memset(line, ' ', LINE_BYTES - 1);
	for (int i = 0; i < d->lane_n; i++)
		line[i * LANE_WIDTH] = '|';
	line[(d->lane_n - 1) * LANE_WIDTH + 1] = 0;
	for (int i = left + 1; i < right; i++)
		line[i] = '-';
	line[from < to ? right - 1 : left + 1] = from < to ? '>' : '<';
	if (length > room)
		length = room;
	if (room > 0)
		memcpy(line + left + 2 + (room - length) / 2, label, (size_t)length);
}

static double since_begin_ms(struct trace_diagram *d, const json_t *said)
{
	uint64_t worker = event_number(said, "worker"), request = event_number(said, "request");
	uint64_t at_ns = event_number(said, "at_ns");
	size_t i = (size_t)((request + worker * 31) % DIAGRAM_REQUESTS);
	if (d->begun[i].worker != worker || d->begun[i].request != request) {
		d->begun[i].worker = worker;
		d->begun[i].request = request;
		d->begun[i].began_ns = at_ns;
	}
	return (double)(at_ns - d->begun[i].began_ns) / 1e6;
}

void trace_diagram_show(struct trace_diagram *d, const json_t *said, FILE *to)
{
	char line[LINE_BYTES], label[64], name[48];
	bool opens = !strcmp(event_text(said, "verb"), "opens");
	if (opens) {
		fprintf(to, "\nclient %s, connection %llu\n", event_text(said, "client"),
			(unsigned long long)event_number(said, "number"));
		diagram_print_lanes(d, to);
	}
	int from = diagram_lane(d, event_text(said, "from"), to),
	    at = diagram_lane(d, event_text(said, "to"), to);
	if (is_of_message(event_text(said, "verb"))) {
		from = lane_outward(d, from);
		at = lane_outward(d, at);
	}
	diagram_describe(said, label, sizeof label);
	diagram_draw(d, from, at, label, line);
	snprintf(name, sizeof name, "%llu.%llu", (unsigned long long)event_number(said, "worker"),
		 (unsigned long long)event_number(said, "request"));
	fprintf(to, "%-10s %10.3f  %s\n", name, since_begin_ms(d, said), line);
}
