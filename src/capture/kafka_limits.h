#ifndef CAPTURE_KAFKA_LIMITS_H
#define CAPTURE_KAFKA_LIMITS_H

/* The limits of the follower that brings the log to Kafka, each with its reason. */

/* The list of brokers to begin with: each broker knows all others. */
#define BROKERS_BYTES 4096
/*
 * The size at which a record is full (TRAFFIC_RECORD_BYTES in a file). It is well below the 1 MiB
 * that brokers take, or half of their limit where that was made less. A connection that is amid a
 * message has at most twice that in memory.
 */
#define KAFKA_RECORD_BYTES (128 * 1024)
/*
 * Where a topic takes no batch of that size, brokers are asked for its limit for KAFKA_ASK_MS.
 * Where they do not say it, smaller batches are tried, down to KAFKA_BATCH_BYTES_MIN, then single
 * records.
 */
#define KAFKA_ASK_MS 2000
#define KAFKA_BATCH_BYTES_MIN 4096
/* Records that wait for the brokers. While the brokers are away, the log waits on the disk. */
#define KAFKA_QUEUE_BYTES (32 * 1024 * 1024)
/* Runs of the log that are on their way to the brokers: each is acknowledged as one. */
#define KAFKA_INFLIGHT 1024
/* Frames of one run, at most. */
#define KAFKA_ROUND_FRAMES 1000
/*
 * How often the follower looks for more where nobody waits for it; also how long a batch gathers.
 */
#define KAFKA_POLL_MS 50
/* The same when all is delivered: then the log, or kafka_wake(), wakes it. */
#define KAFKA_IDLE_MS 5000
/* How often the log's thread looks for an acknowledgment that comes by way of another process. */
#define KAFKA_LOOK_MS 5
/* How often the position is saved: after a crash, what came since is delivered again. */
#define KAFKA_KEEP_MS 1000
/*
 * For each so many connections, whose lines are some 50 bytes, the next save comes a millisecond
 * later: 500 KB/s.
 */
#define KAFKA_KEEP_CONNECTIONS 10
/*
 * What is not delivered within this time is late: only then is a broker's trouble reported, and
 * nobody waits for the brokers any longer.
 */
#define KAFKA_LATE_MS 1000
/* After a failure the follower begins anew so much later. */
#define KAFKA_RETRY_MS 1000
/* How long it waits for the brokers when the process lets go; and when the process ends. */
#define KAFKA_STOP_MS 1000
#define KAFKA_FINISH_MS 3000

#endif
