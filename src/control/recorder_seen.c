#include "control/recorder_seen.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

static const char *const states[] = { "starting", "available", "unavailable", "over" };
static const char *const reasons[GAP_REASONS] = { "unavailable", "shed", "tunnel", "damage" };

#define READ(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

struct lost {
	uint64_t reads, writes, outcomes;
};

static struct lost lost(const struct recorder *r, int reason)
{
	struct lost sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		const struct feed_losses *l = &r->feeds[i]->lost[reason];
		sum.reads += READ(l->reads);
		sum.writes += READ(l->writes);
		sum.outcomes += READ(l->outcomes);
	}
	return sum;
}

bool recorder_is_degraded(const struct recorder *r)
{
	return r->taps && journal_state(r->writer.journal) == JOURNAL_UNAVAILABLE;
}

/* --- JSON --- */

static json_t *lost_json(const struct recorder *r)
{
	json_t *all = json_object();
	for (int i = 0; i < GAP_REASONS; i++) {
		struct lost n = lost(r, i);
		if (n.reads || n.writes || n.outcomes)
			json_object_set_new(all, reasons[i],
					    json_pack("{s:I,s:I,s:I}", "reads", (json_int_t)n.reads,
						      "writes", (json_int_t)n.writes, "outcomes",
						      (json_int_t)n.outcomes));
	}
	return all;
}

json_t *recorder_json(const struct recorder *r)
{
	char last[CLOCK_TEXT_BYTES];
	if (!r->taps)
		return json_null();
	const struct journal *j = r->writer.journal;
	const struct journal_counts *c = journal_counts(j);
	int error = journal_error(j);
	uint64_t last_ns = READ(c->durable_wall_ns);
	clock_text(last_ns, last);
	return json_pack("{s:s,s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "state",
			 states[journal_state(j)], "error",
			 error ? json_string(strerror(-error)) : json_null(), "directory",
			 r->directory, "generation", (json_int_t)r->generation, "records",
			 (json_int_t)READ(c->frames), "bytes", (json_int_t)READ(c->bytes),
			 "commits", (json_int_t)READ(c->commits), "segments",
			 (json_int_t)READ(c->segments), "failures", (json_int_t)READ(c->failures),
			 "gaps", (json_int_t)READ(c->gaps), "queued_bytes",
			 (json_int_t)journal_queued(j), "kept_bytes", (json_int_t)r->retained.bytes,
			 "last_commit", last_ns ? json_string(last) : json_null(), "unrecorded",
			 lost_json(r));
}

/* --- Prometheus --- */

static void family(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP crossfade_capture_%s %s\n# TYPE crossfade_capture_%s %s\n", name, help,
		name, type);
}

static void one(FILE *to, const char *name, const char *type, const char *help, uint64_t n)
{
	family(to, name, type, help);
	fprintf(to, "crossfade_capture_%s %" PRIu64 "\n", name, n);
}

static void write_lost(const struct recorder *r, FILE *to)
{
	family(to, "unrecorded_total", "counter",
	       "Requests that passed without a record, and outcomes that are not in the log.");
	for (int i = 0; i < GAP_REASONS; i++) {
		struct lost n = lost(r, i);
		const struct {
			const char *kind;
			uint64_t n;
		} rows[] = { { "read", n.reads },
			     { "write", n.writes },
			     { "outcome", n.outcomes } };
		for (size_t k = 0; k < 3; k++)
			fprintf(to,
				"crossfade_capture_unrecorded_total{reason=\"%s\",kind=\"%s\"} "
				"%" PRIu64 "\n",
				reasons[i], rows[k].kind, rows[k].n);
	}
}

void recorder_metrics(const struct recorder *r, FILE *to)
{
	if (!r->taps)
		return;
	const struct journal *j = r->writer.journal;
	const struct journal_counts *c = journal_counts(j);
	one(to, "available", "gauge", "1 while the log can be written.", !recorder_is_degraded(r));
	one(to, "records_total", "counter", "Frames that were written.", READ(c->frames));
	one(to, "bytes_total", "counter", "Bytes that were written.", READ(c->bytes));
	family(to, "commit_seconds", "summary",
	       "Write-outs, from their beginning to the end of their sync.");
	fprintf(to,
		"crossfade_capture_commit_seconds_sum %.6f\ncrossfade_capture_commit_seconds_count "
		"%" PRIu64 "\n",
		(double)READ(c->commit_ns) / 1e9, READ(c->commits));
	one(to, "batches_total", "counter", "What workers handed over, a turn's records each.",
	    READ(c->batches));
	one(to, "queued_bytes", "gauge", "Bytes that wait for the disk.", journal_queued(j));
	one(to, "segments_total", "counter", "Segments that were begun.", READ(c->segments));
	one(to, "failures_total", "counter", "How often the log could not be written.",
	    READ(c->failures));
	one(to, "gaps_total", "counter", "Gap records.", READ(c->gaps));
	fprintf(to,
		"# HELP crossfade_capture_last_commit_timestamp_seconds When records became "
		"durable "
		"last, since 1970.\n"
		"# TYPE crossfade_capture_last_commit_timestamp_seconds gauge\n"
		"crossfade_capture_last_commit_timestamp_seconds %.3f\n",
		(double)READ(c->durable_wall_ns) / 1e9);
	write_lost(r, to);
}
