#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/capture.h"
#include "app/terminal.h"
#include "base/clock.h"

static const char *const reasons[GAP_REASONS] = { "unavailable", "shed", "tunnel", "damage" };

/* A gap, as it is shown. */
struct shown {
	const struct frame *frame;
	uint64_t generation;
	struct record_gap gap;
	struct record_damage damage; /* GAP_DAMAGE */
	char file[SERIES_NAME_BYTES];
	const char *reason;
	char first[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES];
	char connection[64]; /* of one tunnel; empty: of several */
	bool not_in_log;     /* the log has no record of it yet */
};

static void read_words(struct shown *s)
{
	s->reason = s->gap.reason < GAP_REASONS ? reasons[s->gap.reason] : "?";
	if (s->gap.first_wall_ns)
		clock_text(s->gap.first_wall_ns, s->first);
	else
		snprintf(s->first, sizeof s->first, "?");
	clock_text(s->gap.last_wall_ns, s->last);
}

/* False: it has another version's form. */
static bool read_gap(struct shown *s, const struct reading *r)
{
	*s = (struct shown){ .frame = &r->frame, .generation = r->segment->generation };
	if (r->payload.n < sizeof s->gap)
		return false;
	memcpy(&s->gap, r->payload.at, sizeof s->gap);
	read_words(s);
	if (r->payload.n == sizeof s->damage) {
		memcpy(&s->damage, r->payload.at, sizeof s->damage);
		series_name(s->file, s->damage.generation, s->damage.index);
	}
	if (r->frame.connection)
		snprintf(s->connection, sizeof s->connection, "%llu-%u-%llu",
			 (unsigned long long)s->generation, r->frame.worker,
			 (unsigned long long)r->frame.connection);
	return true;
}

/* --- text --- */

static void print_tunnel(const struct shown *s)
{
	const struct record_gap *g = &s->gap;
	if (*s->connection)
		printf("connection %s", s->connection);
	else
		printf("%llu connections",
		       (unsigned long long)g->reads + (unsigned long long)g->writes);
	printf(": %llu bytes to the source, %llu back\n", (unsigned long long)g->request_bytes,
	       (unsigned long long)g->response_bytes);
}

static void print_sequences(const struct record_damage *d)
{
	if (d->last_sequence >= d->first_sequence)
		printf("sequences %llu to %llu", (unsigned long long)d->first_sequence,
		       (unsigned long long)d->last_sequence);
	else
		printf("from sequence %llu on", (unsigned long long)d->first_sequence);
}

static void print_damage(const struct shown *s)
{
	static const char *const texts[DAMAGE_KINDS] = {
		"were torn, and cut off",
		"are a hole: nothing says that they were durable",
		"are LOST: they had been durable",
		"cannot be read: the file's head is damaged",
	};
	const struct record_damage *d = &s->damage;
	printf("%s at %llu: %llu bytes %s", s->file, (unsigned long long)d->at,
	       (unsigned long long)d->bytes, d->kind < DAMAGE_KINDS ? texts[d->kind] : "?");
	if (d->kind != DAMAGE_HEAD) {
		printf("; ");
		print_sequences(d);
	}
	if (d->places > 1)
		printf("; so are %u places behind it", d->places - 1);
	putchar('\n');
}

static void print_counts(const struct shown *s)
{
	const struct record_gap *g = &s->gap;
	printf("%llu writes, %llu reads, %llu outcomes%s%s\n", (unsigned long long)g->writes,
	       (unsigned long long)g->reads, (unsigned long long)g->outcomes,
	       g->flags & GAP_AT_LEAST ? " at least: not all counts could be saved" : "",
	       s->not_in_log ? "; NOT IN THE LOG YET" : "");
}

static void gap_print(const struct shown *s)
{
	const struct record_gap *g = &s->gap;
	printf("%-24s to %-24s  %-11s  ", s->first, s->last, s->reason);
	if (g->reason == GAP_TUNNEL && !(g->flags & GAP_AT_LEAST) && !s->not_in_log)
		print_tunnel(s);
	else if (*s->file)
		print_damage(s);
	else
		print_counts(s);
}

/* --- JSON --- */

static void gap_add_tunnel(json_t *j, const struct shown *s)
{
	json_object_set_new(j, "connection",
			    *s->connection ? json_string(s->connection) : json_null());
	json_object_set_new(j, "request_bytes", json_integer((json_int_t)s->gap.request_bytes));
	json_object_set_new(j, "response_bytes", json_integer((json_int_t)s->gap.response_bytes));
}

static void gap_add_damage(json_t *j, const struct shown *s)
{
	static const char *const kinds[DAMAGE_KINDS] = { "torn", "hole", "lost", "head" };
	const struct record_damage *d = &s->damage;
	json_object_set_new(j, "kind", json_string(d->kind < DAMAGE_KINDS ? kinds[d->kind] : "?"));
	json_object_set_new(j, "file", json_string(s->file));
	json_object_set_new(j, "at", json_integer((json_int_t)d->at));
	json_object_set_new(j, "bytes", json_integer((json_int_t)d->bytes));
	json_object_set_new(j, "first_sequence",
			    d->kind == DAMAGE_HEAD ? json_null()
						   : json_integer((json_int_t)d->first_sequence));
	json_object_set_new(j, "last_sequence",
			    d->last_sequence ? json_integer((json_int_t)d->last_sequence)
					     : json_null());
	json_object_set_new(j, "places", json_integer(d->places));
}

static void gap_print_json(const struct shown *s)
{
	const struct record_gap *g = &s->gap;
	json_t *j = json_pack("{s:o,s:s,s:s,s:I,s:I,s:I}", "first",
			      g->first_wall_ns ? json_string(s->first) : json_null(), "last",
			      s->last, "reason", s->reason, "writes", (json_int_t)g->writes,
			      "reads", (json_int_t)g->reads, "outcomes", (json_int_t)g->outcomes);
	json_object_set_new(j, "at_least", json_boolean(g->flags & GAP_AT_LEAST));
	json_object_set_new(j, "told", json_boolean(!s->not_in_log));
	if (g->reason == GAP_TUNNEL)
		gap_add_tunnel(j, s);
	if (*s->file)
		gap_add_damage(j, s);
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

/* --- all gaps --- */

static void print_untold(const struct unrecorded_seen *seen, void (*show)(const struct shown *s))
{
	for (uint32_t reason = 0; reason < GAP_REASONS; reason++) {
		const struct losses *l = &seen->untold[reason];
		struct shown s = { .not_in_log = true,
				   .gap = { .reads = l->reads,
					    .writes = l->writes,
					    .outcomes = l->outcomes,
					    .request_bytes = l->request_bytes,
					    .response_bytes = l->response_bytes,
					    .first_wall_ns = l->first_wall_ns,
					    .last_wall_ns = l->last_wall_ns,
					    .reason = reason,
					    .flags = l->uncertain ? GAP_AT_LEAST : 0 } };
		read_words(&s);
		if (l->reads || l->writes || l->outcomes || l->uncertain)
			show(&s);
	}
}

static int gaps_list(struct reader *r, const struct unrecorded_seen *seen, bool json)
{
	void (*show)(const struct shown *s) = json ? gap_print_json : gap_print;
	struct reading reading;
	struct shown s;
	enum reader_verdict v;
	while ((v = reader_next(r, &reading)) != READER_END && v != READER_ERROR)
		if (v == READER_FRAME && reading.frame.type == FRAME_GAP && read_gap(&s, &reading))
			show(&s);
	if (seen)
		print_untold(seen, show);
	capture_tell_holes(r);
	return v == READER_ERROR ? capture_failed(r) : EXIT_OK;
}

int capture_gaps(const struct command *c, int argc, char **argv)
{
	return capture_over_all(c, argc, argv, gaps_list);
}
