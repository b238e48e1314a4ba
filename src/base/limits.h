#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Every limit of Crossfade, with its reason. Times in milliseconds end in _MS, sizes in _BYTES. */

#include <assert.h>

/* --- bytes in memory --- */

/* A block with its header: a page. Most requests and small answers fit one. */
#define BLOCK_SMALL_BYTES 4096
/* A block for transfers: holds what WIRE_FLUSH_BYTES become when they are sealed. */
#define BLOCK_LARGE_BYTES (64 * 1024)
/* Fewer bytes are copied where that saves a block or a slice of their own: a few cache lines. */
#define BYTES_COPIED 512
/*
 * What a wire hands to the kernel at most in one turn: sealed in four records it still is one
 * segment of the kernel's largest. A second one would wait for its pacing timer (with BBR) while
 * other wires could have been served; and it bounds one peer's share of a turn.
 */
#define WIRE_FLUSH_BYTES (63 * 1024)
/*
 * What a turn gathers amid transfers when nothing else is going on, and how long it waits for that
 * at most: three or four records of TLS instead of one, and no client notices.
 */
#define TRANSFER_EVENTS 8
#define TRANSFER_WAIT_US 80
/* What slabs take from the system at a time, at least. A power of two. */
#define SLAB_RUN_BYTES (64 * 1024)
/* What a slab keeps at hand when it has more: what a worker's traffic goes up and down by. */
#define SLAB_IDLE_BYTES (4 * 1024 * 1024)
#define SLAB_IDLE_MAX 4096
/* Runs of each slab that one turn gives back: unmapping one takes some microseconds. */
#define SLAB_RUNS_TRIMMED 32
/* How long after connections have gone their memory is given back, and again while there is more.
 */
#define TRIM_MS 250
#define TRIM_AGAIN_MS 25
/*
 * How often it is looked whether malloc has much to give back, and how much is much: while
 * connections go, and when none does any more.
 */
#define MALLOC_TRIM_MS 5000
#define MALLOC_FREE_BYTES (8u * 1024 * 1024)
#define MALLOC_FREE_AT_REST_BYTES (1024u * 1024)
/* Body bytes that a receiver may have granted and not yet got: bounds one exchange's memory. */
#define STREAM_CREDIT_BYTES (256 * 1024)
/*
 * Bytes of blocks that the clients of one worker may hold together by what they send, and the nodes
 * of each cluster by theirs: a thousand transfers that stand still.
 */
#define MEMORY_BYTES (256u * 1024 * 1024)
#define MEMORY_BYTES_MIN (1024u * 1024)
/*
 * What one connection may hold of that though others have taken all of it: enough to go on with,
 * and of ten thousand that sleep it is 320 MiB.
 */
#define ACCOUNT_FLOOR_BYTES (32 * 1024)
/*
 * And at most, while there is room: STREAM_CREDIT_BYTES in blocks that are not full, and as much
 * for the capture log as one write-out of its disk brings back.
 */
#define ACCOUNT_MAX_BYTES (4 * 1024 * 1024)
/*
 * Who holds so much is economical: a piece of a body that fills less than an eighth of its block is
 * copied out of it.
 */
#define PACK_FROM_BYTES (16 * 1024)
#define PACK_SHARE 8
/* A worker says at most so often that connections wait for memory. */
#define MEMORY_LOG_MS 1000
/* The largest body that is held for another attempt: searches, and most batches of them. */
#define RETRY_BODY_BYTES (64 * 1024)
/* One piece of an exchange's arena: the exchange itself and a usual head fit one. */
#define ARENA_CHUNK_BYTES 4096

/* --- HTTP messages (the numbers are AWS ALB's) --- */

#define REQUEST_LINE_BYTES (16 * 1024)
#define FIELD_LINE_BYTES (16 * 1024)
#define REQUEST_HEAD_BYTES (64 * 1024)
/*
 * Of a response unless `limits` says otherwise, and what that may say: old clusters send a Warning
 * of some hundred bytes for each deprecated thing that a request asks for. It is one exchange's
 * memory, taken as it comes.
 */
#define ANSWER_HEAD_BYTES (128 * 1024)
#define ANSWER_HEAD_BYTES_MIN (8 * 1024)
#define ANSWER_HEAD_BYTES_MAX (512 * 1024)
#define ANSWER_FIELDS 1024
#define ANSWER_FIELDS_MIN 64
#define ANSWER_FIELDS_MAX 4096
/* Fields of a request: 64 KiB of the shortest would be 13,000; clients send below 50. */
#define FIELDS_MAX 256
/* Fields that we add to those: who the client is, traces, a length. Replaced ones count again. */
#define FIELDS_ADDED_MAX 32
/* Of an X-Amzn-Trace-Id that is kept, as AWS ALB has it: what is longer is replaced. */
#define TRACE_BYTES (7 * 1024)
/* What a larger Max-Forwards becomes: no chain of proxies is as long (RFC 9110, 7.6.2). */
#define MAX_FORWARDS 255
/* Names in a Connection field besides close, keep-alive and upgrade: each is looked for in turn. */
#define CONNECTION_OPTIONS_MAX 32
/*
 * Fields that a configuration sets, and removes, for one cluster, and the longest value: with what
 * else is added they stay within FIELDS_ADDED_MAX, and four credentials fit a head.
 */
#define FIELDS_CONFIGURED_MAX 16
#define FIELD_VALUE_CONFIGURED_BYTES 8192
#define METHOD_BYTES 40
/* Empty lines before a request: what some clients send behind a body. */
#define BLANK_LINES_MAX 2
#define FIELD_NAME_BYTES 255
/* A Host whose client asks where the nodes are: a name of DNS, and a port. */
#define SNIFFED_HOST_BYTES 261
/* Its path: a filter by attributes may be long, but nobody's clients send more than a word. */
#define SNIFFED_PATH_BYTES 512
/*
 * Each kind of doubt in a path (path.h) doubles the ways to read it; so many bytes are read in all.
 * An address as an id, https%3A%2F%2Fexample.org%2F%7Ea%3Fb%3Bc%2520d%23e, may have seven of the
 * nine kinds in 512 bytes; and a hostile path must not cost more than a TLS handshake, some 200 us.
 */
#define PATH_READ_BYTES_MAX (64 * 1024)
/* Trailers together: as much as one header line, nobody sends more. */
#define TRAILERS_BYTES (16 * 1024)
/* A chunk's size line with its extensions, which are dropped. */
#define CHUNK_LINE_BYTES 1024
/*
 * Of lines and extensions of chunks that much may come for one byte of a request's body, and
 * CHUNK_SLACK_BYTES more: chunks of one byte take 5, signed ones of 8 KiB less than a hundredth.
 * What is beyond that is sent to keep us busy.
 */
#define CHUNK_OVERHEAD 16
#define CHUNK_SLACK_BYTES (64 * 1024)
/*
 * Bytes of 1xx answers before the last: some 2,500 that say 102 while a request is worked on. They
 * wait for a client that does not read; a node that sends more is broken.
 */
#define INTERIM_BYTES (64 * 1024)
/* Of empty lines between a node's answers: two of them, as browsers once sent behind bodies. */
#define STRAY_BYTES_MAX 4
/* A request body that is read and dropped after an early answer, before the connection is closed.
 */
#define DROPPED_BODY_BYTES (1024 * 1024)

/* A PROXY header of version 2 with what extends it (a cloud's ids, the TLS facts of the first hop).
 */
#define PREFACE_BYTES_MAX 4096

/* A name of DNS, with its end. */
#define TLS_NAME_BYTES 256

/* Keys of TLS sessions that a worker has at hand in expanded form, 1 KiB each: of 128 sessions. */
#define TLS_KEYS_EXPANDED 256

/* --- time (defaults; AWS ALB's where it has the setting) --- */

#define HEAD_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS 60000
#define CLIENT_KEEP_ALIVE_MS 3600000
#define CONNECT_TIMEOUT_MS 10000
#define HANDSHAKE_TIMEOUT_MS 10000
/* How long an address of a name may take before the next one is tried beside it: RFC 8305, 8. */
#define DIAL_MOMENT_MS 250
/*
 * An address that did not connect is left alone by its worker while others do, for so long; each
 * time in a row twice as long, at most a minute: checks see what is dead for good.
 */
#define ADDRESS_PAUSE_MS 10000
#define ADDRESS_PAUSE_MAX_MS 60000
#define TUNNEL_IDLE_TIMEOUT_MS 3600000
#define STOP_DRAIN_MS 60000
/* After our last byte, how long a client may still send before the connection is cut: RFC
 * 9112, 9.6. */
#define LINGER_MS 2000
/*
 * A client of which nothing is received for so long, for want of memory or because the cluster is
 * slow, is watched for its end: before, that would cost more than it brings.
 */
#define WATCH_AFTER_MS 1000
/*
 * How long a node's connection is left alone behind an answer without a body: bytes of one that
 * come all the same come at once, or with a pause of the node's. So many of a worker rest with one
 * node; further ones are closed, for a new connection costs less than a wrong answer.
 */
#define TAIL_WAIT_MS 1000
#define RESTING_WIRES_MAX 64
/* A 408 that comes sooner was on its way before: nobody gives a request so little time. */
#define FAREWELL_MS 1000
/*
 * How long a connection to a node is kept between two requests: a second less than the servers that
 * close soonest (Node and Apache after 5 s, Tomcat 20, nginx 75); and by how much less than a node
 * says in Keep-Alive. A request that meets a node's close has an unknown outcome.
 */
#define NODE_KEEP_ALIVE_MS 4000
#define KEEP_ALIVE_SPARE_MS 1000
/*
 * TCP's keepalive: when nothing has passed for so long the peer's system is asked for a sign of
 * life, and six times more within as long again. Load balancers and NATs on the way forget what is
 * silent, AWS' after 350 s.
 */
#define TCP_KEEPALIVE_MS 60000
#define TCP_KEEPALIVE_PROBES 6
#define TCP_KEEPALIVE_MS_MAX 340000
/*
 * What a request may ask a cluster to wait (timeout=), at most; and how much longer its response is
 * waited for: what a cluster adds that waits for something else before, 30 s unless it is asked.
 */
#define ASKED_TIMEOUT_MS 3600000
#define ASKED_SPARE_MS 30000
#define HEALTH_INTERVAL_MS 5000
#define HEALTH_TIMEOUT_MS 5000
#define HEALTH_PASSES 2
#define HEALTH_FAILURES 2
/*
 * First checks of several nodes begin so far apart, or closer where an interval has no room for
 * all: later ones keep that distance, so that a cluster of 200 is never asked at once.
 */
#define HEALTH_STAGGER_MS 20
/* Of a check's answer that much is looked at: a cluster's health is a few hundred bytes. */
#define HEALTH_BODY_BYTES (64 * 1024)
/*
 * A pattern, the steps of a match that begins at one place (a third of a millisecond), and what it
 * may use when it backtracks. A search begins at each place of the text, and is given up after so
 * much of the processor's time, which is looked at after so many places: 11 ms in all at most.
 */
#define PATTERN_BYTES 1024
#define PATTERN_STEPS_MAX 1000000
#define PATTERN_HEAP_KIB 4096
#define PATTERN_SEARCH_US 5000
#define PATTERN_PLACES 16
/*
 * Passive ejection, as Envoy's outlier detection has it: five failures in a row, at least some of
 * them recent; 30 s at first, five minutes at most.
 */
#define EJECT_FAILURES 5
#define EJECT_PAUSE_MS 30000
#define EJECT_PAUSE_MAX_MS 300000
/* Failures that are further apart are no row. */
#define EJECT_WINDOW_MS 30000
/* How long a request waits for a connection when all that a node may have are in use. */
#define QUEUE_WAIT_MS 10000
/* How long requests may stay with a node that is drained: AWS ALB's deregistration delay, and a
 * day. */
#define DRAIN_DELAY_MS 300000
#define DRAIN_DELAY_MAX_MS 86400000
/* How long a start waits for an address that is in use: by one that has just died, mostly. */
#define ADDRESS_WAIT_MS 2000
/* How long an upgrade's check of configuration and hand-over may take. */
#define UPGRADE_CHECK_MS 30000
/* How long an upgrade waits for the new working process to serve, before it is given up. */
#define UPGRADE_READY_MS 60000
/*
 * How often a new process looks whether the one before has stopped leading: for so long nobody
 * answers the admin API; and how soon it tries again when it cannot read or write the state.
 */
#define LEAD_PAUSE_MS 5
#define LEAD_RETRY_MS 1000
/* How long a weight change waits for every worker's acknowledgment. */
#define ACKNOWLEDGE_TIMEOUT_MS 2000

/* A worker says at most so often that it turns connections away. */
#define TURNED_AWAY_LOG_MS 1000
/* And of each kind of trouble with peers: enough to see it, too little to fill a disk. */
#define TELLING_PAUSE_MS 1000

/* --- counts --- */

/* Each costs half a millisecond when it is new, a fifth of that for each further worker, and 10
 * KiB. */
#define CERTIFICATES_MAX 512
/* Certificates for one name that a handshake looks at: of two kinds, old and new ones. */
#define CERTIFICATES_OF_NAME_MAX 8

#define WORKERS_MAX 128
/* Working processes: one that serves, one that starts, and two that still drain after upgrades. */
#define PROCESSES_MAX 4
#define WEIGHT_MAX 999
/* Addresses of one of the three listeners. */
#define LISTENER_ADDRESSES_MAX 16
/* Of these with numbers: those, and as many that a reload took away and that have connections. */
#define LISTENER_NUMBERS_MAX (2 * LISTENER_ADDRESSES_MAX)
/* Names of the admin address: what a service discovery and a few people call it. */
#define ADMIN_HOSTS_MAX 64
#define LISTENERS_MAX (3 * LISTENER_NUMBERS_MAX)
#define NODES_PER_CLUSTER_MAX 1024
/* Nodes at a time: of two clusters, and as many that a reload took away and that are in use. */
#define NODES_MAX (4 * NODES_PER_CLUSTER_MAX)
/* Connections of clients that a configuration may allow: as many files as a process may open. */
#define CONNECTIONS_MAX 1048576
/*
 * Open files that are kept for the process itself: at rest 18, with the log, its follower and the
 * admin API; 8 and 8 of the admin API's connections; look-ups, Kafka, files that a reload reads.
 */
#define FILES_OF_OURS 48
/* Of each worker, beside its listening sockets: its ring and what wakes it. */
#define FILES_OF_WORKER 2
/* Sockets of one worker: a table of half a MiB in the kernel, 6 MiB here, touched as it is used. */
#define SOCKETS_OF_WORKER 65536
/* Some clients and as many connections to nodes: with fewer there is no start. */
#define SOCKETS_OF_WORKER_MIN 4
/* Places in that table of sockets whose close has not reached the kernel. */
#define SOCKETS_CLOSING 512
/*
 * A fifth of a worker's sockets is for nodes, and half of them where there are few. Most clients
 * are idle at a time; a request that finds no connection free waits for one.
 */
#define NODE_SOCKETS_PART 5
#define NODE_SOCKETS_MIN 8
/*
 * Where all connections of clients are taken, who has asked nothing for so long makes room for who
 * comes: a handshake and a first request take less, over a slow line too. The search ends after so
 * many.
 */
#define STRANGER_AGE_MS 1000
#define STRANGERS_LOOKED_AT 64
/* Connections to the admin API by its unix socket, and by TCP: operators, scrapers, probes. */
#define ADMIN_CONNECTIONS_MAX 8
/* Networks in one list of the configuration: a cloud provider publishes some thousands of its own.
 */
#define NETWORKS_MAX 16384
/* Handshakes that one turn starts: 200 us each, so a turn stays under a millisecond. */
#define HANDSHAKES_PER_TURN 4
/* Accepts under way at a time on one listening socket. */
#define ACCEPTS_ARMED 4
/* Addresses in X-Forwarded-For that are looked at; AWS ALB refuses requests with more than 30. */
#define FORWARDED_HOPS_MAX 30
/* Balancers in X-Crossfade-Hop: a request that has passed more goes round among others. */
#define HOPS_MAX 32
/* Idle connections that a worker keeps to one node. */
#define IDLE_WIRES_PER_NODE 512
/* Requests of one worker that wait for a cluster's connections: each holds a head of 64 KiB at
 * most. */
#define QUEUE_REQUESTS_MAX 1024
/* Connections to one node that a configuration may allow: more than there are ports. */
#define NODE_CONNECTIONS_MAX 1000000
/* Addresses of a node: a managed cluster's name has a handful. One bit each of a word. */
#define NODE_ADDRESSES_MAX 64
/* Those that one attempt connects to: with three attempts, most of what a name may have. */
#define DIAL_TRIES_MAX 16
/* Nodes that one request is tried on when connects fail. */
#define CONNECT_ATTEMPTS_MAX 3
/* Seconds that a retry budget looks back: long enough for a steady share, short enough to forget.
 */
#define RETRY_WINDOW_S 10
/* Retries for each hundred requests: where more than one in five fail, more attempts do harm. */
#define RETRY_SHARE_PERCENT 20
/* Retries within the window that are always allowed: a share of few requests would be none. */
#define RETRIES_MIN 10

/* --- the process's own log --- */

/* Of lines that standard error has not taken yet: some thousand. What a pipe may be made by anybody
 * is four times that. */
#define LOGGER_PIPE_BYTES (256 * 1024)
/* What its thread reads at once: on its stack. */
#define LOGGER_CHUNK_BYTES (64 * 1024)
/* How long an end or an upgrade waits for standard error to take what is left. */
#define LOGGER_LAST_MS 1000
/* Lost lines are told of when nothing else waits to be written, else so often. */
#define LOGGER_TELL_MS 10000

/* --- certificates --- */

/* A certificate that expires sooner is told of: those that are valid for 90 days are renewed with
 * 30 to spare. */
#define CERTIFICATE_EXPIRES_DAYS 30

/* --- the access log --- */

/* Lines of one worker that the disk has not taken: some 2,000, twenty milliseconds of a busy one.
 */
#define ACCESS_RING_BYTES (1024 * 1024)
/* How long a line may wait in there while little is going on. */
#define ACCESS_WAIT_MS 100
/* After so many of those waits in a row a pipe that takes nothing is said to be none that is read.
 */
#define ACCESS_WAITS_QUIET 10
/* How long its opening is waited for, and at the end its last write: both may be a server's that is
 * gone, and neither may hold a reload or a stop. */
#define ACCESS_OPEN_MS 1000
#define ACCESS_LAST_MS 2000

/* --- the capture log --- */

/* A frame's payload: a piece of a body is no larger than what a stream may be granted, a head less.
 */
#define FRAME_PAYLOAD_BYTES (1024 * 1024)
/* What a worker hands over at once: its own bytes (heads of frames and of messages), frames, runs.
 */
#define BATCH_BYTES (64 * 1024)
#define BATCH_FRAMES 256
#define BATCH_VECTORS 512
/* Batches that a worker keeps for the next turns: as many as LOG_LAZY_BYTES of reads take. */
#define BATCHES_IDLE 32
/* Runs of bytes of one write: the kernel's IOV_MAX. */
#define LOG_VECTORS 1024
/* Records that nobody waits for are written when so many bytes are there, or after so long. */
#define LOG_LAZY_BYTES (256 * 1024)
#define LOG_LAZY_MS 50
/*
 * What may wait for the disk, of all workers: at half of it reads are not recorded any more; when
 * it is full requests wait, and so does what clients still have to send, and after a second the log
 * counts as unavailable. It is looked for room so often.
 */
#define LOG_QUEUE_BYTES (64u * 1024 * 1024)
#define LOG_FULL_MS 1000
#define LOG_FULL_LOOK_MS 10
/* A request's body, and its answer's, that wait whole for the log are sent in one piece. */
#define GATE_HOLD_BYTES (64 * 1024)
/*
 * When a sync has served so many, the next one waits until three quarters of as many wait again,
 * but not longer than this: the time in which a busy worker brings some fifty of them.
 */
#define LOG_GATHER_WAITS 4
#define LOG_GATHER_US 500
/* How often a log that failed tries again. */
#define LOG_PROBE_MS 1000
/* Losses that are further apart are two gaps; and how often a gap is written. */
#define LOSS_PAUSE_MS 1000
/* While requests pass unrecorded their counts are synced so often: what a power cut may take. */
#define LOSS_KEEP_MS 1000
/* What is compressed for itself in a packed segment: enough to compress well, little to read for
 * one frame. */
#define PACKED_BLOCK_BYTES (1024 * 1024)
/* Places of damage that a start tells of one by one; further ones are told with the last. */
#define DAMAGES_MAX 32
/* A seek in a segment ends so near to what is looked for: two of the largest frames behind it at
 * most. */
#define SEEK_NEAR_BYTES (1024 * 1024)
/* Frames of workers may stand so far from the order of their wall time, and clocks are set. */
#define SEEK_SLACK_MS 2000
/* How often it is looked whether a segment was sealed; and when what failed is tried again. */
#define PACK_LOOK_MS 1000
#define PACK_AGAIN_MS 60000
/* Rules of how long a response may take: each is tried in turn, and an API has few that are slow.
 */
#define PATIENCE_RULES_MAX 64
/*
 * Rollbacks that wait for room in the audit, each with a line of its own: more than anybody makes
 * while a disk is full, in 200 KiB. Of those beyond, the last one's line tells.
 */
#define AUDIT_OWED_MAX 256
/*
 * Weights that are put back by hand get an epoch so far above all that is known: changes that left
 * no trace, one a second for eleven days, have lower ones.
 */
#define RECOVERED_EPOCHS 1000000
/* Rules of what is not recorded: as many as were measured. A path's pattern is no longer than this.
 */
#define SKIP_RULES_MAX 1000
#define SKIP_PATH_BYTES 1024
/* What goes to the disk at once, in blocks: as large as stays in a core's own cache. */
#define DISK_GATHER_BYTES (256 * 1024)
#define DISK_BLOCK_BYTES 4096
/* The list of brokers to begin with: each tells of all others. */
#define BROKERS_BYTES 4096
/* About the size at which a record for the replayer is whole: what its topics take. */
#define TRAFFIC_RECORD_BYTES (1024 * 1024)
/*
 * The same on the way to Kafka: well below the 1 MiB that brokers take, or half of it where that
 * was made less; and a connection that is amid a message has no more than twice that in memory.
 */
#define KAFKA_RECORD_BYTES (128 * 1024)
/*
 * Where a topic takes no batch of that size, brokers are asked for its limit for so long; where
 * they do not say it, smaller ones are tried, down to this, then single records.
 */
#define KAFKA_ASK_MS 2000
#define KAFKA_BATCH_BYTES_MIN 4096
/* Records that wait for the brokers: while they are away the log waits on the disk. */
#define KAFKA_QUEUE_BYTES (32 * 1024 * 1024)
/* Runs of the log that are on their way to the brokers: each is acknowledged as one, */
#define KAFKA_ROUNDS 1024
/* and has so many frames at most. */
#define KAFKA_ROUND_FRAMES 1000
/* How often it is looked for more, where nobody waits for it; also how long a batch gathers. */
#define KAFKA_POLL_MS 50
/* How often it is looked for an acknowledgment that comes by way of another process. */
#define KAFKA_LOOK_MS 5
/* How often the position is kept: what comes twice after a crash. */
#define KAFKA_KEEP_MS 1000
/* So many connections, whose lines are some 50 bytes, put that off by a millisecond: 500 KB/s. */
#define KAFKA_KEEP_CONNECTIONS 10
/*
 * What is delivered later than this is late: only then a broker's trouble is told, and who waits
 * for the brokers waits no longer.
 */
#define KAFKA_LATE_MS 1000
/* After a failure it is begun anew so much later. */
#define KAFKA_RETRY_MS 1000
/* How long the brokers are waited for when the process lets go; and when it ends. */
#define KAFKA_STOP_MS 1000
#define KAFKA_FINISH_MS 3000
/* At most so long may a sync be put off to serve more of those that wait. */
#define LOG_COMMIT_MS_MAX 1000
/* A segment: large enough that its making does not show, small enough to be kept or dropped alone.
 */
#define SEGMENT_BYTES (64u * 1024 * 1024)
#define SEGMENT_BYTES_MIN (1024u * 1024)

static_assert(WIRE_FLUSH_BYTES + 4 * 22 <= BLOCK_LARGE_BYTES, "four sealed records are one block");
static_assert(BLOCK_LARGE_BYTES >= REQUEST_LINE_BYTES + 2, "a line must be able to be contiguous");
static_assert(BLOCK_LARGE_BYTES >= TRAILERS_BYTES + 4, "trailers must be able to be contiguous");
static_assert(REQUEST_HEAD_BYTES <= 65535 * 2, "offsets of fields");
static_assert(2 * FIELDS_CONFIGURED_MAX <= FIELDS_ADDED_MAX, "room for forwarded fields too");
static_assert(2 * BATCH_VECTORS <= LOG_VECTORS, "a batch and the log's own frames fit one write");
static_assert(FRAME_PAYLOAD_BYTES >= 2 * STREAM_CREDIT_BYTES, "any piece of a body is one frame");
static_assert(FRAME_PAYLOAD_BYTES >= 2 * ANSWER_HEAD_BYTES_MAX, "any head is one frame");
static_assert(FIELD_LINE_BYTES <= 65535, "a field's length is 16 bits");

#endif
