#include "control/metrics_replay.h"

#include <string.h>

#include "base/clock.h"
#include "control/metrics.h"

/* Numbers of the JSON: `part` may be NULL. A value that is not there has no line. */
static const struct replay_row {
	const char *name, *type, *part, *member, *help;
	double unit; /* of the JSON's, in the metric's */
} replay_rows[] = {
	{ "replay_lag_seconds", "gauge", NULL, "lag_ms",
	  "Age of the oldest write that the replica does not have.", 1e-3 },
	{ "replay_keys_waiting", "gauge", "keys", "waiting", "Documents that wait to be copied.",
	  1 },
	{ "replay_keys_in_flight", "gauge", "keys", "in_flight", "Documents that are being copied.",
	  1 },
	{ "replay_keys_parked", "gauge", "keys", "parked",
	  "Documents that wait because the replica does not take their index.", 1 },
	{ "replay_keys_uncertain", "gauge", "keys", "uncertain",
	  "Documents that are copied once more, because a write of unknown outcome may still act.",
	  1 },
	{ "replay_keys_bytes", "gauge", "keys", "bytes", "Memory of the table of keys.", 1 },
	{ "replay_copies_total", "counter", "copies", "documents",
	  "Documents that the replica has acknowledged.", 1 },
	{ "replay_deletions_total", "counter", "copies", "deletions",
	  "Deletions that the replica has acknowledged.", 1 },
	{ "replay_batches_total", "counter", "copies", "batches", "Batches of copies that ended.",
	  1 },
	{ "replay_copied_again_total", "counter", "copies", "again",
	  "Documents that had to be copied once more.", 1 },
	{ "replay_unreadable_total", "counter", "copies", "unreadable",
	  "Documents that the owner does not give.", 1 },
	{ "replay_surroundings_total", "counter", "copies", "surroundings",
	  "Indices made, mappings and aliases put at the replica.", 1 },
	{ "replay_owner_failures_total", "counter", "copies", "owner_failures",
	  "Requests for documents without a good response of the owner.", 1 },
	{ "replay_replica_failures_total", "counter", "copies", "replica_failures",
	  "Bulks without a good response of the replica.", 1 },
	{ "replay_exchanges_total", "counter", "log", "exchanges",
	  "Recorded writes that were played.", 1 },
	{ "replay_passed_total", "counter", "log", "passed",
	  "Recorded writes of another cluster, time or epoch, which are not played.", 1 },
	{ "replay_behind_records", "gauge", "log", "behind",
	  "Records of the capture log that are durable and not passed.", 1 },
	{ "replay_holes_total", "counter", "log", "holes",
	  "Places of the capture log that cannot be read.", 1 },
	{ "replay_lost_bodies_total", "counter", "log", "lost",
	  "Recorded writes whose bodies are not there any more.", 1 },
	{ "replay_left_out_total", "counter", NULL, "left_out",
	  "Effects on indices that replay.indices leaves out.", 1 },
	{ "replay_jobs_waiting", "gauge", "jobs", "waiting",
	  "Scans, sweeps, walks and deletions that are not done.", 1 },
	{ "replay_job_keys_total", "counter", "jobs", "keys",
	  "Documents that scans, sweeps and walks have found.", 1 },
	{ "replay_indices_deleted_total", "counter", "jobs", "indices_deleted",
	  "Indices deleted at the replica.", 1 },
	{ "replay_requests_waiting", "gauge", "requests", "waiting",
	  "Recorded requests that wait to be sent to the replica.", 1 },
	{ "replay_requests_in_flight", "gauge", "requests", "in_flight",
	  "Recorded requests that are being sent.", 1 },
	{ "replay_requests_held", "gauge", "requests", "held",
	  "Recorded requests that wait for an operator's decision.", 1 },
	{ "replay_requests_sent_total", "counter", "requests", "sent",
	  "Recorded requests that the replica has accepted.", 1 },
	{ "replay_requests_again_total", "counter", "requests", "again",
	  "Recorded requests that had to be sent once more.", 1 },
	{ "replay_requests_unheard_total", "counter", "requests", "unheard",
	  "Recorded requests that were sent, and whose response did not come.", 1 },
	{ "replay_requests_refused_total", "counter", "requests", "refused",
	  "Recorded requests that the owner has accepted and the replica refuses.", 1 },
	{ "replay_requests_skipped_total", "counter", "requests", "skipped",
	  "Recorded requests that the replica does not get.", 1 },
	{ "replay_requests_rejected_total", "counter", "requests", "rejected",
	  "Recorded requests that the owner has refused, which are not sent.", 1 },
	{ "replay_set_aside", "gauge", NULL, "set_aside",
	  "Documents that the replica refuses, kept until they are retried or dropped.", 1 },
	{ "replay_backfill_documents", "gauge", "backfill", "documents",
	  "Documents of the last backfill, all of them.", 1 },
	{ "replay_backfill_copied", "gauge", "backfill", "copied",
	  "Documents of the last backfill that are copied.", 1 },
};

static void replay_row_write(const struct replay_row *row, const json_t *replay, FILE *to)
{
	const json_t *part = row->part ? json_object_get(replay, row->part) : replay;
	const json_t *value = json_object_get(part, row->member);
	metrics_family(to, row->name, row->type, row->help);
	if (json_is_number(value))
		fprintf(to, "crossfade_%s %.15g\n", row->name,
			json_number_value(value) * row->unit);
}

static void replay_write_flag(FILE *to, const char *name, const char *help, bool set)
{
	metrics_family(to, name, "gauge", help);
	fprintf(to, "crossfade_%s %d\n", name, set);
}

static bool replay_backfill_runs(const json_t *replay)
{
	const char *state =
		json_string_value(json_object_get(json_object_get(replay, "backfill"), "state"));
	return state && (!strcmp(state, "running") || !strcmp(state, "paused"));
}

static bool replay_is(const json_t *replay, const char *state)
{
	const char *text = json_string_value(json_object_get(replay, "state"));
	return text && !strcmp(text, state);
}

static void replay_write_watermark(const json_t *replay, FILE *to)
{
	const char *text = json_string_value(json_object_get(replay, "watermark"));
	uint64_t ns;
	metrics_family(to, "replay_watermark_seconds", "gauge",
		       "Unix time: every write answered before it is at the replica.");
	if (text && clock_read(text, &ns))
		fprintf(to, "crossfade_replay_watermark_seconds %.3f\n", (double)ns / 1e9);
}

/* Names of a fixed set of words. */
static void replay_write_unknown(const json_t *replay, FILE *to)
{
	const char *name;
	json_t *n;
	metrics_family(to, "replay_unknown_total", "counter",
		       "Writes of which replay does not know what they changed, by name.");
	json_object_foreach(json_object_get(replay, "unknown"), name, n)
		fprintf(to, "crossfade_replay_unknown_total{name=\"%s\"} %lld\n", name,
			(long long)json_integer_value(n));
}

static void replay_write_jobs(const json_t *replay, FILE *to)
{
	static const char *const kinds[] = { "scans", "sweeps", "walks", "deletions" };
	const json_t *jobs = json_object_get(replay, "jobs");
	metrics_family(to, "replay_jobs_total", "counter", "Jobs that are done, by kind.");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		fprintf(to, "crossfade_replay_jobs_total{kind=\"%s\"} %lld\n", kinds[i],
			(long long)json_integer_value(json_object_get(jobs, kinds[i])));
}

void metrics_replay(const json_t *replay, FILE *to)
{
	if (!replay)
		return;
	for (size_t i = 0; i < sizeof replay_rows / sizeof replay_rows[0]; i++)
		replay_row_write(&replay_rows[i], replay, to);
	replay_write_watermark(replay, to);
	replay_write_unknown(replay, to);
	replay_write_jobs(replay, to);
	replay_write_flag(to, "replay_paused", "1 while replay is paused.",
			  json_is_object(json_object_get(replay, "paused")));
	replay_write_flag(
		to, "replay_failed",
		"1 while nothing is copied: the log or the marks cannot be read, too many "
		"documents are set aside, or a request is held.",
		replay_is(replay, "failed") || replay_is(replay, "stopped"));
	replay_write_flag(to, "replay_backfill_running", "1 while a backfill is not done.",
			  replay_backfill_runs(replay));
	metrics_family(to, "replay_parked_indices", "gauge",
		       "Indices that the replica does not take.");
	fprintf(to, "crossfade_replay_parked_indices %zu\n",
		json_array_size(json_object_get(replay, "parked")));
	metrics_family(to, "replay_not_exact_indices", "gauge",
		       "Indices whose documents may differ at the replica.");
	fprintf(to, "crossfade_replay_not_exact_indices %zu\n",
		json_object_size(json_object_get(replay, "not_exact")));
}
