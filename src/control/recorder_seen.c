#include "control/recorder_seen.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/least.h"
#include "control/metrics.h"

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

/* Requests. */
struct kinds {
	uint64_t reads, writes;
};

static struct kinds skipped(const struct recorder *r)
{
	struct kinds sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		sum.reads += READ(r->taps[i].skipped_reads);
		sum.writes += READ(r->taps[i].skipped_writes);
	}
	return sum;
}

static struct kinds refused(const struct recorder *r)
{
	struct kinds sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		sum.reads += READ(r->taps[i].refused_reads);
		sum.writes += READ(r->taps[i].refused_writes);
	}
	return sum;
}

struct tunnels {
	uint64_t n, request_bytes, answer_bytes;
};

static struct tunnels tunnels(const struct recorder *r)
{
	struct tunnels sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		sum.n += READ(r->taps[i].tunnels);
		sum.request_bytes += READ(r->taps[i].tunnel_request_bytes);
		sum.answer_bytes += READ(r->taps[i].tunnel_answer_bytes);
	}
	return sum;
}

/* As any worker sees it. */
static bool is_choked(const struct recorder *r)
{
	uint64_t now_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < r->worker_n; i++) {
		uint64_t full_ns = READ(r->feeds[i]->full_ns);
		if (full_ns && now_ns > full_ns && now_ns - full_ns >= LOG_FULL_MS * 1000000ull)
			return true;
	}
	return false;
}

bool recorder_is_degraded(const struct recorder *r)
{
	return r->taps && (journal_state(r->writer.journal) == JOURNAL_UNAVAILABLE ||
			   journal_is_late(r->writer.journal) || is_choked(r));
}

/* A quota of the file system has the same errno, and is none of ours. */
static void journal_trouble(const struct recorder *r, char text[RECORDER_TROUBLE_BYTES])
{
	const struct journal *j = r->writer.journal;
	int error = -journal_error(j);
	if (error == EDQUOT && journal_is_full(j))
		snprintf(text, RECORDER_TROUBLE_BYTES,
			 "`limit` is reached: %.1f MiB of %.1f MiB: raise it, or make room: "
			 "`retain`, or a follower that is dropped",
			 (double)most(r->retained.bytes, r->limit_bytes) / 1048576,
			 (double)r->limit_bytes / 1048576);
	else
		snprintf(text, RECORDER_TROUBLE_BYTES, "%s", error ? strerror(error) : "");
}

void recorder_trouble(const struct recorder *r, char text[RECORDER_TROUBLE_BYTES])
{
	if (journal_is_late(r->writer.journal))
		snprintf(text, RECORDER_TROUBLE_BYTES, "Kafka does not acknowledge in time");
	else if (is_choked(r))
		snprintf(text, RECORDER_TROUBLE_BYTES, "the disk is slower than the traffic");
	else
		journal_trouble(r, text);
}

uint64_t recorder_away_wall_ns(const struct recorder *r)
{
	return r->taps && r->unrecorded.own ? counter_read(&r->unrecorded.own->away_wall_ns) : 0;
}

struct recorder_passed recorder_passed(const struct recorder *r)
{
	struct kinds no = refused(r);
	struct lost away = lost(r, GAP_UNAVAILABLE), shed = lost(r, GAP_SHED);
	return (struct recorder_passed){ .refused = no.reads + no.writes,
					 .reads = away.reads + shed.reads,
					 .writes = away.writes + shed.writes };
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

/* Of all processes that ever were, told or not. */
static json_t *losses_json(const struct losses all[GAP_REASONS])
{
	json_t *j = json_object();
	for (int i = 0; i < GAP_REASONS; i++) {
		const struct losses *l = &all[i];
		char last[CLOCK_TEXT_BYTES];
		clock_text(l->last_write_wall_ns, last);
		if (l->reads || l->writes || l->outcomes || l->uncertain || l->tunnels ||
		    l->tunnels_ended)
			json_object_set_new(
				j, reasons[i],
				json_pack("{s:I,s:I,s:I,s:I,s:I,s:b,s:o}", "reads",
					  (json_int_t)l->reads, "writes", (json_int_t)l->writes,
					  "outcomes", (json_int_t)l->outcomes, "tunnels_open",
					  (json_int_t)l->tunnels, "tunnels_ended",
					  (json_int_t)l->tunnels_ended, "at_least",
					  (int)(l->uncertain > 0), "last_write",
					  l->last_write_wall_ns ? json_string(last) : json_null()));
	}
	return j;
}

static void add_losses(const struct recorder *r, json_t *all)
{
	struct unrecorded_seen seen;
	unrecorded_see(&r->unrecorded, &seen);
	json_object_set_new(all, "unrecorded_ever", losses_json(seen.total));
	json_object_set_new(all, "untold", losses_json(seen.untold));
	json_object_set_new(all, "counts_kept", json_boolean(r->counts_kept));
}

static json_t *kinds_json(struct kinds n)
{
	return json_pack("{s:I,s:I}", "reads", (json_int_t)n.reads, "writes", (json_int_t)n.writes);
}

static json_t *tunnels_json(const struct recorder *r)
{
	struct tunnels n = tunnels(r);
	return json_pack("{s:I,s:I,s:I}", "ended", (json_int_t)n.n, "request_bytes",
			 (json_int_t)n.request_bytes, "answer_bytes", (json_int_t)n.answer_bytes);
}

/* Null where it is not asked for. */
static json_t *packed_json(const struct recorder *r)
{
	const struct packer_counts *c = &r->packer.counts;
	int error = READ(c->error);
	if (!r->packs)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I,s:o}", "segments", (json_int_t)READ(c->segments),
			 "bytes_before", (json_int_t)READ(c->raw_bytes), "bytes",
			 (json_int_t)READ(c->packed_bytes), "failures",
			 (json_int_t)READ(c->failures), "error",
			 error ? json_string(strerror(error)) : json_null());
}

/* Null: nobody does in this process. */
static json_t *kafka_json(const struct recorder *r)
{
	static const char *const words[] = { "waiting", "following", "failing" };
	struct kafka_seen k;
	if (!r->kafka)
		return json_null();
	kafka_look(r->kafka, &k);
	return json_pack("{s:s,s:o,s:I,s:I,s:I,s:I,s:f}", "state", words[k.state], "error",
			 k.error[0] ? json_string(k.error) : json_null(), "records",
			 (json_int_t)k.records, "bytes", (json_int_t)k.bytes, "failures",
			 (json_int_t)k.failures, "lag_records", (json_int_t)k.lag_records,
			 "lag_seconds", (double)k.lag_ns / 1e9);
}

/* Behind what was durable when it was looked at. Null: that is not known. */
static json_t *lag_json(const struct recorder *r, const struct position *p)
{
	uint64_t last_ns = r->looked_wall_ns;
	if (!p->wall_ns || !last_ns)
		return json_null();
	bool all = position_from(p, r->generation) > r->looked_sequence;
	return json_real(all || p->wall_ns > last_ns ? 0 : (double)(last_ns - p->wall_ns) / 1e9);
}

/* As last looked at. Null: nothing has passed. */
static json_t *followers_json(const struct recorder *r)
{
	json_t *all = json_array();
	for (size_t i = 0; i < r->followers.n; i++) {
		const struct follower_seen *f = &r->followers.list[i];
		char at[CLOCK_TEXT_BYTES];
		clock_text(f->position.wall_ns, at);
		json_array_append_new(all,
				      json_pack("{s:s,s:o,s:o,s:b}", "name", f->name, "position",
						f->position.wall_ns ? json_string(at) : json_null(),
						"lag_seconds", lag_json(r, &f->position), "damaged",
						(int)f->damaged));
	}
	return all;
}

static json_t *unless_zero(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *time_json(uint64_t wall_ns)
{
	char text[CLOCK_TEXT_BYTES];
	clock_text(wall_ns, text);
	return wall_ns ? json_string(text) : json_null();
}

/* The newest of all processes. Null: nothing was lost. */
static json_t *last_loss_json(const struct recorder *r)
{
	struct unrecorded_seen seen;
	int last = 0;
	unrecorded_see(&r->unrecorded, &seen);
	for (int i = 0; i < GAP_REASONS; i++)
		if (seen.total[i].last_wall_ns > seen.total[last].last_wall_ns)
			last = i;
	if (!seen.total[last].last_wall_ns)
		return json_null();
	return json_pack("{s:s,s:o,s:o}", "reason", reasons[last], "first",
			 time_json(seen.total[last].first_wall_ns), "last",
			 time_json(seen.total[last].last_wall_ns));
}

/* What bounds it; null: nothing does. */
static void add_bounds(const struct recorder *r, json_t *all)
{
	json_object_set_new(all, "limit_bytes", unless_zero(r->limit_bytes));
	json_object_set_new(all, "retain",
			    json_pack("{s:o,s:o}", "size_bytes",
				      unless_zero(r->retention.size_bytes), "age_seconds",
				      unless_zero(r->retention.age_ns / 1000000000)));
	json_object_set_new(all, "away_since", time_json(recorder_away_wall_ns(r)));
	json_object_set_new(all, "last_loss", last_loss_json(r));
}

static const char *state_word(const struct recorder *r)
{
	const struct journal *j = r->writer.journal;
	return journal_is_late(j) ? "late" : is_choked(r) ? "full" : states[journal_state(j)];
}

static json_t *error_json(const struct recorder *r)
{
	char text[RECORDER_TROUBLE_BYTES];
	recorder_trouble(r, text);
	return text[0] ? json_string(text) : json_null();
}

static struct latency_seen commit_times(const struct recorder *r)
{
	struct latency_seen l = { 0 };
	latency_see(&l, &journal_counts(r->writer.journal)->commit_times);
	return l;
}

static json_t *quantile_ms(const struct latency_seen *l, double share)
{
	uint64_t us = latency_quantile_us(l, share);
	return us ? json_real((double)us / 1000) : json_null();
}

/* The buckets are for whoever wants quantiles of the time between two looks. */
static void add_commit_times(const struct recorder *r, json_t *all)
{
	struct latency_seen l = commit_times(r);
	json_t *buckets = json_array();
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		json_array_append_new(buckets, json_integer((json_int_t)l.buckets[b]));
	json_object_set_new(
		all, "commit_ms",
		json_pack("{s:o,s:o}", "p50", quantile_ms(&l, 0.5), "p99", quantile_ms(&l, 0.99)));
	json_object_set_new(all, "buckets", json_pack("{s:o}", "commit", buckets));
}

json_t *recorder_json(const struct recorder *r)
{
	char last[CLOCK_TEXT_BYTES];
	if (!r->taps)
		return json_null();
	const struct journal *j = r->writer.journal;
	const struct journal_counts *c = journal_counts(j);
	uint64_t last_ns = READ(c->durable_wall_ns);
	clock_text(last_ns, last);
	json_t *all = json_pack(
		"{s:s,s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}",
		"state", state_word(r), "error", error_json(r), "directory", r->directory,
		"generation", (json_int_t)r->generation, "records", (json_int_t)READ(c->frames),
		"bytes", (json_int_t)READ(c->bytes), "commits", (json_int_t)READ(c->commits),
		"batches", (json_int_t)READ(c->batches), "waits", (json_int_t)READ(c->waits),
		"segments", (json_int_t)READ(c->segments), "failures",
		(json_int_t)READ(c->failures), "gaps", (json_int_t)READ(c->gaps), "queued_bytes",
		(json_int_t)journal_queued(j), "kept_bytes", (json_int_t)r->retained.bytes,
		"last_commit", last_ns ? json_string(last) : json_null(), "unrecorded",
		lost_json(r), "refused", kinds_json(refused(r)), "skipped", kinds_json(skipped(r)),
		"tunnels", tunnels_json(r), "compressed", packed_json(r));
	add_losses(r, all);
	add_bounds(r, all);
	add_commit_times(r, all);
	json_object_set_new(all, "followers", followers_json(r));
	json_object_set_new(all, "kafka", kafka_json(r));
	return all;
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

static void write_commit_times(const struct recorder *r, FILE *to)
{
	struct latency_seen l = commit_times(r);
	family(to, "commit_seconds", "histogram",
	       "Write-outs, from their beginning to the end of their sync.");
	metrics_latency(to, "capture_commit_seconds", "", &l);
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

static void write_untold(const struct recorder *r, FILE *to)
{
	struct unrecorded_seen seen;
	uint64_t writes = 0, requests = 0;
	unrecorded_see(&r->unrecorded, &seen);
	for (int i = 0; i < GAP_REASONS; i++) {
		writes += seen.total[i].writes + seen.total[i].outcomes;
		requests += seen.untold[i].reads + seen.untold[i].writes + seen.untold[i].outcomes;
	}
	one(to, "unrecorded_writes_ever", "gauge",
	    "Writes and outcomes without a record, of all processes since the state directory was "
	    "made.",
	    writes);
	one(to, "untold", "gauge",
	    "Requests and outcomes that passed unrecorded, of all processes, and no gap tells of "
	    "yet.",
	    requests);
}

static void write_kinds(FILE *to, const char *name, const char *help, struct kinds n)
{
	family(to, name, "counter", help);
	fprintf(to,
		"crossfade_capture_%s{kind=\"read\"} %" PRIu64 "\n"
		"crossfade_capture_%s{kind=\"write\"} %" PRIu64 "\n",
		name, n.reads, name, n.writes);
}

static void write_tunnels(const struct recorder *r, FILE *to)
{
	struct tunnels n = tunnels(r);
	one(to, "tunnels_total", "counter",
	    "Connections that were passed on unrecorded and have ended: a gap record each.", n.n);
	family(to, "tunnel_bytes_total", "counter", "Bytes that went through them.");
	fprintf(to,
		"crossfade_capture_tunnel_bytes_total{direction=\"request\"} %" PRIu64 "\n"
		"crossfade_capture_tunnel_bytes_total{direction=\"answer\"} %" PRIu64 "\n",
		n.request_bytes, n.answer_bytes);
}

static void write_packed(const struct recorder *r, FILE *to)
{
	const struct packer_counts *c = &r->packer.counts;
	one(to, "compressed_segments_total", "counter", "Segments that were compressed.",
	    READ(c->segments));
	family(to, "compressed_bytes_total", "counter", "Their bytes.");
	fprintf(to,
		"crossfade_capture_compressed_bytes_total{when=\"before\"} %" PRIu64 "\n"
		"crossfade_capture_compressed_bytes_total{when=\"after\"} %" PRIu64 "\n",
		READ(c->raw_bytes), READ(c->packed_bytes));
	one(to, "compress_failures_total", "counter", "Segments that could not be compressed.",
	    READ(c->failures));
}

static void write_followers(const struct recorder *r, FILE *to)
{
	family(to, "follower_passed_timestamp_seconds", "gauge",
	       "When the last record was made that a follower has passed, since 1970; 0: none.");
	for (size_t i = 0; i < r->followers.n; i++)
		fprintf(to,
			"crossfade_capture_follower_passed_timestamp_seconds{follower=\"%s\"} "
			"%.3f\n",
			r->followers.list[i].name,
			(double)r->followers.list[i].position.wall_ns / 1e9);
}

static void write_kafka(const struct recorder *r, FILE *to)
{
	struct kafka_seen k;
	if (!r->kafka)
		return;
	kafka_look(r->kafka, &k);
	one(to, "kafka_following", "gauge", "1 while the log is brought to Kafka.",
	    k.state == KAFKA_FOLLOWING);
	one(to, "kafka_records_total", "counter", "TrafficStream records that brokers have.",
	    k.records);
	one(to, "kafka_bytes_total", "counter", "Their bytes.", k.bytes);
	one(to, "kafka_failures_total", "counter", "How often it was begun anew from the log.",
	    k.failures);
	one(to, "kafka_lag_records", "gauge", "Frames of the log that Kafka does not have.",
	    k.lag_records);
	family(to, "kafka_lag_seconds", "gauge", "Since the first of them was recorded.");
	fprintf(to, "crossfade_capture_kafka_lag_seconds %.3f\n", (double)k.lag_ns / 1e9);
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
	write_commit_times(r, to);
	one(to, "batches_total", "counter", "What workers handed over, a turn's records each.",
	    READ(c->batches));
	one(to, "waits_total", "counter",
	    "Requests and answers that waited for a commit, and got it.", READ(c->waits));
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
	write_untold(r, to);
	write_kinds(to, "refused_total",
		    "Requests that got 503 because they could not be recorded.", refused(r));
	write_kinds(to, "skipped_total",
		    "Requests that were not recorded because a rule asks for that.", skipped(r));
	write_tunnels(r, to);
	write_packed(r, to);
	write_followers(r, to);
	write_kafka(r, to);
}
