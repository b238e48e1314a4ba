#include "control/recorder_seen.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/least.h"
#include "control/recorder_look.h"

static const char *const states[] = { "starting", "available", "unavailable", "over" };
static const char *const reasons[GAP_REASONS] = { "unavailable", "shed", "tunnel", "damage" };

#define READ(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

static struct recorder_lost recorder_count_lost(const struct recorder *r, int reason)
{
	struct recorder_lost sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		const struct feed_losses *l = &r->feeds[i]->lost[reason];
		sum.reads += READ(l->reads);
		sum.writes += READ(l->writes);
		sum.outcomes += READ(l->outcomes);
	}
	return sum;
}

/* Counts of requests. */
struct kinds {
	uint64_t reads, writes;
};

static struct kinds recorder_count_skipped(const struct recorder *r)
{
	struct kinds sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		sum.reads += READ(r->taps[i].skipped_reads);
		sum.writes += READ(r->taps[i].skipped_writes);
	}
	return sum;
}

static struct kinds recorder_count_refused(const struct recorder *r)
{
	struct kinds sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		sum.reads += READ(r->taps[i].refused_reads);
		sum.writes += READ(r->taps[i].refused_writes);
	}
	return sum;
}

struct recorder_count_tunnels {
	uint64_t n, request_bytes, response_bytes;
};

static struct recorder_count_tunnels recorder_count_tunnels(const struct recorder *r)
{
	struct recorder_count_tunnels sum = { 0 };
	for (unsigned i = 0; i < r->worker_n; i++) {
		sum.n += READ(r->taps[i].tunnels);
		sum.request_bytes += READ(r->taps[i].tunnel_request_bytes);
		sum.response_bytes += READ(r->taps[i].tunnel_response_bytes);
	}
	return sum;
}

/* True: a worker's feed has been full for LOG_FULL_MS. */
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

/* A quota of the file system gives the same errno, but is not `limit`. */
static void journal_trouble(const struct recorder *r, char text[RECORDER_TROUBLE_BYTES])
{
	const struct journal *j = r->writer.journal;
	int error = -journal_error(j);
	if (error == EDQUOT && journal_is_full(j))
		snprintf(text, RECORDER_TROUBLE_BYTES,
			 "`limit` is reached: %.1f MiB of %.1f MiB: raise it, or make room by "
			 "`retain` or by dropping a follower",
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
	struct kinds no = recorder_count_refused(r);
	struct recorder_lost away = recorder_count_lost(r, GAP_UNAVAILABLE),
			     shed = recorder_count_lost(r, GAP_SHED);
	return (struct recorder_passed){ .refused = no.reads + no.writes,
					 .reads = away.reads + shed.reads,
					 .writes = away.writes + shed.writes };
}

/* --- JSON --- */

static json_t *lost_json(const struct recorder *r)
{
	json_t *all = json_object();
	for (int i = 0; i < GAP_REASONS; i++) {
		struct recorder_lost n = recorder_count_lost(r, i);
		if (n.reads || n.writes || n.outcomes)
			json_object_set_new(all, reasons[i],
					    json_pack("{s:I,s:I,s:I}", "reads", (json_int_t)n.reads,
						      "writes", (json_int_t)n.writes, "outcomes",
						      (json_int_t)n.outcomes));
	}
	return all;
}

/* For all processes so far, whether a gap record counts them or not. */
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
	struct recorder_count_tunnels n = recorder_count_tunnels(r);
	return json_pack("{s:I,s:I,s:I}", "ended", (json_int_t)n.n, "request_bytes",
			 (json_int_t)n.request_bytes, "response_bytes",
			 (json_int_t)n.response_bytes);
}

/* Null: segments are not compressed. */
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

/* Null: this process does not send to Kafka. */
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

/* The follower's lag behind what was durable at the last look. Null: unknown. */
static json_t *lag_json(const struct recorder *r, const struct position *p)
{
	uint64_t last_ns = r->looked_wall_ns;
	if (!p->wall_ns || !last_ns)
		return json_null();
	bool all = position_from(p, r->generation) > r->looked_sequence;
	return json_real(all || p->wall_ns > last_ns ? 0 : (double)(last_ns - p->wall_ns) / 1e9);
}

/* As of the last look. A null position: the follower has passed nothing. */
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

static json_t *integer_or_null(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *time_json(uint64_t wall_ns)
{
	char text[CLOCK_TEXT_BYTES];
	clock_text(wall_ns, text);
	return wall_ns ? json_string(text) : json_null();
}

/* The newest loss of all processes. Null: there was none. */
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

/* The limits of the log; null: there is none. */
static void add_bounds(const struct recorder *r, json_t *all)
{
	json_object_set_new(all, "limit_bytes", integer_or_null(r->limit_bytes));
	json_object_set_new(all, "retain",
			    json_pack("{s:o,s:o}", "size_bytes",
				      integer_or_null(r->retention.size_bytes), "age_seconds",
				      integer_or_null(r->retention.age_ns / 1000000000)));
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

static json_t *commit_quantile_ms(const struct latency_seen *l, double share)
{
	uint64_t us = latency_quantile_us(l, share);
	return us ? json_real((double)us / 1000) : json_null();
}

/* From two sets of buckets a client can compute quantiles for the time between them. */
static void add_commit_times(const struct recorder *r, json_t *all)
{
	struct latency_seen l = commit_times(r);
	json_t *buckets = json_array();
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		json_array_append_new(buckets, json_integer((json_int_t)l.buckets[b]));
	json_object_set_new(all, "commit_ms",
			    json_pack("{s:o,s:o}", "p50", commit_quantile_ms(&l, 0.5), "p99",
				      commit_quantile_ms(&l, 0.99)));
	json_object_set_new(all, "buckets", json_pack("{s:o}", "commit", buckets));
}

/* The age of the information from the directory: bytes kept, followers, and their lag. */
static void add_look(const struct recorder *r, json_t *all)
{
	json_object_set_new(all, "looked_at", time_json(r->looked_at_wall_ns));
	json_object_set_new(all, "look", json_string(recorder_is_stale(r) ? "stale" : "fresh"));
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
		lost_json(r), "refused", kinds_json(recorder_count_refused(r)), "skipped",
		kinds_json(recorder_count_skipped(r)), "tunnels", tunnels_json(r), "compressed",
		packed_json(r));
	add_losses(r, all);
	add_bounds(r, all);
	add_commit_times(r, all);
	add_look(r, all);
	json_object_set_new(all, "followers", followers_json(r));
	json_object_set_new(all, "kafka", kafka_json(r));
	return all;
}

/* --- numbers --- */

const char *recorder_reason(enum gap_reason reason)
{
	return reasons[reason];
}

static void count_journal(const struct recorder *r, struct recorder_numbers *to)
{
	const struct journal *j = r->writer.journal;
	const struct journal_counts *c = journal_counts(j);
	to->available = !recorder_is_degraded(r);
	to->records = READ(c->frames);
	to->bytes = READ(c->bytes);
	to->batches = READ(c->batches);
	to->waits = READ(c->waits);
	to->queued_bytes = journal_queued(j);
	to->segments = READ(c->segments);
	to->failures = READ(c->failures);
	to->gaps = READ(c->gaps);
	to->last_commit_wall_ns = READ(c->durable_wall_ns);
	to->durable_until_wall_ns = READ(c->until_wall_ns);
	to->commit_times = commit_times(r);
}

static void count_losses(const struct recorder *r, struct recorder_numbers *to)
{
	struct unrecorded_seen seen;
	unrecorded_see(&r->unrecorded, &seen);
	for (int i = 0; i < GAP_REASONS; i++) {
		to->lost[i] = recorder_count_lost(r, i);
		to->lost_writes_ever += seen.total[i].writes + seen.total[i].outcomes;
		to->untold +=
			seen.untold[i].reads + seen.untold[i].writes + seen.untold[i].outcomes;
	}
}

static void count_requests(const struct recorder *r, struct recorder_numbers *to)
{
	struct kinds no = recorder_count_refused(r), asked = recorder_count_skipped(r);
	struct recorder_count_tunnels t = recorder_count_tunnels(r);
	to->refused[RECORDER_READS] = no.reads;
	to->refused[RECORDER_WRITES] = no.writes;
	to->skipped[RECORDER_READS] = asked.reads;
	to->skipped[RECORDER_WRITES] = asked.writes;
	to->tunnels = t.n;
	to->tunnel_bytes[RECORDER_REQUEST] = t.request_bytes;
	to->tunnel_bytes[RECORDER_RESPONSE] = t.response_bytes;
}

static void count_packed(const struct recorder *r, struct recorder_numbers *to)
{
	const struct packer_counts *c = &r->packer.counts;
	to->packed_segments = READ(c->segments);
	to->packed_bytes[RECORDER_BEFORE] = READ(c->raw_bytes);
	to->packed_bytes[RECORDER_AFTER] = READ(c->packed_bytes);
	to->pack_failures = READ(c->failures);
}

static void count_kafka(const struct recorder *r, struct recorder_numbers *to)
{
	struct kafka_seen k;
	to->kafka = r->kafka != NULL;
	if (!to->kafka)
		return;
	kafka_look(r->kafka, &k);
	to->kafka_following = k.state == KAFKA_FOLLOWING;
	to->kafka_records = k.records;
	to->kafka_bytes = k.bytes;
	to->kafka_failures = k.failures;
	to->kafka_lag_records = k.lag_records;
	to->kafka_lag_ns = k.lag_ns;
}

bool recorder_numbers(const struct recorder *r, struct recorder_numbers *to)
{
	*to = (struct recorder_numbers){ .followers = &r->followers };
	if (!r->taps)
		return false;
	count_journal(r, to);
	count_losses(r, to);
	count_requests(r, to);
	count_packed(r, to);
	count_kafka(r, to);
	return true;
}
