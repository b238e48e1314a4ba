#include <inttypes.h>

#include "control/metrics.h"
#include "control/recorder_numbers.h"

/* --- shapes of metrics.def --- */

static void capture_single(FILE *to, const char *name, const uint64_t *n)
{
	fprintf(to, "crossfade_%s %" PRIu64 "\n", name, *n);
}

static void capture_seconds(FILE *to, const char *name, const uint64_t *ns)
{
	fprintf(to, "crossfade_%s %.3f\n", name, (double)*ns / 1e9);
}

static void capture_labelled(FILE *to, const char *name, const char *label,
			     const char *const words[], const uint64_t *n)
{
	for (int i = 0; i < 2; i++)
		fprintf(to, "crossfade_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, words[i], n[i]);
}

static void capture_by_kind(FILE *to, const char *name, const uint64_t n[RECORDER_KINDS])
{
	static const char *const words[RECORDER_KINDS] = { "read", "write" };
	capture_labelled(to, name, "kind", words, n);
}

static void capture_by_direction(FILE *to, const char *name, const uint64_t n[RECORDER_DIRECTIONS])
{
	static const char *const words[RECORDER_DIRECTIONS] = { "request", "response" };
	capture_labelled(to, name, "direction", words, n);
}

static void capture_by_when(FILE *to, const char *name, const uint64_t n[RECORDER_WHENS])
{
	static const char *const words[RECORDER_WHENS] = { "before", "after" };
	capture_labelled(to, name, "when", words, n);
}

static void capture_by_reason(FILE *to, const char *name,
			      const struct recorder_lost lost[GAP_REASONS])
{
	for (int i = 0; i < GAP_REASONS; i++) {
		const struct {
			const char *kind;
			uint64_t n;
		} rows[] = { { "read", lost[i].reads },
			     { "write", lost[i].writes },
			     { "outcome", lost[i].outcomes } };
		for (size_t k = 0; k < 3; k++)
			fprintf(to, "crossfade_%s{reason=\"%s\",kind=\"%s\"} %" PRIu64 "\n", name,
				recorder_reason((enum gap_reason)i), rows[k].kind, rows[k].n);
	}
}

static void capture_by_follower(FILE *to, const char *name, const struct followers *const *all)
{
	for (size_t i = 0; i < (*all)->n; i++)
		fprintf(to, "crossfade_%s{follower=\"%s\"} %.3f\n", name, (*all)->list[i].name,
			(double)(*all)->list[i].position.wall_ns / 1e9);
}

static void capture_histogram(FILE *to, const char *name, const struct latency_seen *l)
{
	metrics_latency(to, name, "", l);
}

void metrics_capture(const struct recorder_numbers *n, FILE *to)
{
#define ROW(shape, name, type, member, help)                                                       \
	metrics_family(to, #name, #type, help);                                                    \
	shape(to, #name, &n->member);
#define ROW_OF(shape, name, type, member, help)                                                    \
	metrics_family(to, #name, #type, help);                                                    \
	shape(to, #name, n->member);
#define CAPTURE(name, type, member, help) ROW(capture_single, name, type, member, help)
#define CAPTURE_SECONDS(name, type, member, help) ROW(capture_seconds, name, type, member, help)
#define CAPTURE_HISTOGRAM(name, type, member, help) ROW(capture_histogram, name, type, member, help)
#define CAPTURE_BY_FOLLOWER(name, type, member, help)                                              \
	ROW(capture_by_follower, name, type, member, help)
#define CAPTURE_BY_KIND(name, type, member, help) ROW_OF(capture_by_kind, name, type, member, help)
#define CAPTURE_BY_DIRECTION(name, type, member, help)                                             \
	ROW_OF(capture_by_direction, name, type, member, help)
#define CAPTURE_BY_WHEN(name, type, member, help) ROW_OF(capture_by_when, name, type, member, help)
#define CAPTURE_BY_REASON(name, type, member, help)                                                \
	ROW_OF(capture_by_reason, name, type, member, help)
#define KAFKA(name, type, member, help)                                                            \
	if (n->kafka) {                                                                            \
		ROW(capture_single, name, type, member, help)                                      \
	}
#define KAFKA_SECONDS(name, type, member, help)                                                    \
	if (n->kafka) {                                                                            \
		ROW(capture_seconds, name, type, member, help)                                     \
	}
#include "control/metrics.def"
#undef ROW_OF
#undef ROW
}
