#ifndef CONTROL_RECORDER_NUMBERS_H
#define CONTROL_RECORDER_NUMBERS_H

/* The counts of the capture log at one moment: the members that the rows of metrics.def name. */

#include "base/latency.h"
#include "capture/follower.h"
#include "capture/frame.h"

enum recorder_kind { RECORDER_READS, RECORDER_WRITES, RECORDER_KINDS };
enum recorder_direction { RECORDER_REQUEST, RECORDER_RESPONSE, RECORDER_DIRECTIONS };
enum recorder_when { RECORDER_BEFORE, RECORDER_AFTER, RECORDER_WHENS };

struct recorder_lost {
	uint64_t reads, writes, outcomes;
};

struct recorder_numbers {
	uint64_t available, records, bytes, batches, waits, queued_bytes, segments, failures, gaps;
	uint64_t last_commit_wall_ns, durable_until_wall_ns;
	struct latency_seen commit_times;
	struct recorder_lost lost[GAP_REASONS]; /* by this process */
	uint64_t lost_writes_ever, untold; /* of all processes: writes and outcomes; with reads */
	uint64_t refused[RECORDER_KINDS], skipped[RECORDER_KINDS];
	uint64_t tunnels, tunnel_bytes[RECORDER_DIRECTIONS];
	uint64_t packed_segments, packed_bytes[RECORDER_WHENS], pack_failures;
	const struct followers *followers; /* borrowed */
	uint64_t kafka;			   /* bool: this process sends the log to Kafka: */
	uint64_t kafka_following, kafka_records, kafka_bytes, kafka_failures, kafka_lag_records;
	uint64_t kafka_lag_ns;
};

/* The word for a gap reason, in all outputs. */
const char *recorder_reason(enum gap_reason reason);

#endif
