#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/*
 * Every limit of Crossfade, with its reason. The limits of the follower that brings the log to
 * Kafka are in capture/kafka_limits.h. Times in milliseconds end in _MS, sizes in _BYTES.
 */

#include <assert.h>
#include <stdint.h>

/* --- bytes in memory --- */

/* A block with its header: one page. Most requests and small responses fit into one. */
#define BLOCK_SMALL_BYTES 4096
/* A block for transfers: holds WIRE_FLUSH_BYTES after encryption. */
#define BLOCK_LARGE_BYTES (64 * 1024)
/* Up to so many bytes are copied if that saves a block or a slice: a few cache lines. */
#define BYTES_COPIED 512
/*
 * The most bytes that a wire gives to the kernel in one turn. Encrypted in four records they still
 * fit the kernel's largest segment. A second segment would wait for its pacing timer (with BBR)
 * while other wires could be served. The limit also bounds one peer's share of a turn.
 */
#define WIRE_FLUSH_BYTES (63 * 1024)
/*
 * If there is nothing but transfers, a wait gathers so many events, and lasts at most so long. That
 * brings three or four records of TLS instead of one, and no client notices the delay.
 */
#define TRANSFER_EVENTS 8
#define TRANSFER_WAIT_US 80
/* The least memory that slabs take from the system at a time. A power of two. */
#define SLAB_RUN_BYTES (64 * 1024)
/*
 * The most memory, and objects, that a slab keeps ready: the usual variation of a worker's traffic.
 */
#define SLAB_IDLE_BYTES (4 * 1024 * 1024)
#define SLAB_IDLE_MAX 4096
/* Runs of each slab that one turn gives back: unmapping one takes some microseconds. */
#define SLAB_RUNS_TRIMMED 32
/*
 * The delay after connections have closed until their memory is given back, and the pause until the
 * next part.
 */
#define TRIM_MS 250
#define TRIM_AGAIN_MS 25
/*
 * How often the free memory of malloc is checked, and how much is worth giving back: while
 * connections close, and when no more do.
 */
#define MALLOC_TRIM_MS 5000
#define MALLOC_FREE_BYTES (8u * 1024 * 1024)
#define MALLOC_FREE_AT_REST_BYTES (1024u * 1024)
/*
 * Body bytes that a receiver may have granted and not received yet: bounds one exchange's memory.
 */
#define STREAM_CREDIT_BYTES (256 * 1024)
/* New credit is granted when this much of it is free, not for every packet. */
#define STREAM_TOP_UP_BYTES (STREAM_CREDIT_BYTES / 4)
/*
 * Bytes of blocks that the clients of one worker may hold together, and the nodes of each cluster:
 * a thousand stalled transfers.
 */
#define MEMORY_BYTES (256u * 1024 * 1024)
#define MEMORY_BYTES_MIN (1024u * 1024)
/*
 * What one connection may hold although others have used up the budget: enough to go on. For ten
 * thousand stalled connections that is 320 MiB.
 */
#define ACCOUNT_FLOOR_BYTES (32 * 1024)
/*
 * The most that one connection may hold while there is room: STREAM_CREDIT_BYTES in blocks that are
 * not full, and as much for the capture log as one write-out of its disk brings back.
 */
#define ACCOUNT_MAX_BYTES (4 * 1024 * 1024)
/*
 * A connection that holds so much saves memory: a piece of a body that fills less than an eighth of
 * its block is copied out of it.
 */
#define PACK_FROM_BYTES (16 * 1024)
#define PACK_SHARE 8
/* A worker logs at most so often that connections wait for memory. */
#define MEMORY_LOG_MS 1000
/* The largest body that is kept for a retry: searches, and most batches of them. */
#define RETRY_BODY_BYTES (64 * 1024)
/* One chunk of an exchange's arena: the exchange itself and a usual head fit into one. */
#define ARENA_CHUNK_BYTES 4096
/* The size of an exchange without its arena. */
#define EXCHANGE_BYTES 448

/* --- HTTP messages (the numbers are AWS ALB's) --- */

#define REQUEST_LINE_BYTES (16 * 1024)
#define FIELD_LINE_BYTES (16 * 1024)
#define REQUEST_HEAD_BYTES (64 * 1024)
/* How much of a first receive is assumed to be the head; for a larger head the text grows. */
#define HEAD_GUESS_BYTES 1536
/*
 * Limits of a response's head, and the range that `limits` may set. Old clusters send a Warning of
 * some hundred bytes for each deprecated feature that a request uses. The memory belongs to one
 * exchange, and is taken as the head comes.
 */
#define RESPONSE_HEAD_BYTES (128 * 1024)
#define RESPONSE_HEAD_BYTES_MIN (8 * 1024)
#define RESPONSE_HEAD_BYTES_MAX (512 * 1024)
#define RESPONSE_FIELDS 1024
#define RESPONSE_FIELDS_MIN 64
#define RESPONSE_FIELDS_MAX 4096
/* Fields of a request: 64 KiB of the shortest would be 13,000; clients send fewer than 50. */
#define FIELDS_MAX 256
/*
 * Fields that we add to a message: the client's address, traces, a length. A replaced field counts
 * again.
 */
#define FIELDS_ADDED_MAX 32
/* The longest X-Amzn-Trace-Id that is kept, as in AWS ALB; a longer one is replaced. */
#define TRACE_BYTES (7 * 1024)
/* A larger Max-Forwards is reduced to this: no chain of proxies is so long (RFC 9110, 7.6.2). */
#define MAX_FORWARDS 255
/* Names in a Connection field besides close, keep-alive and upgrade: each costs a search. */
#define CONNECTION_OPTIONS_MAX 32
/*
 * Fields that a configuration sets, and removes, for one cluster, and the longest value. With the
 * other added fields they stay within FIELDS_ADDED_MAX, and four credentials fit into a head.
 */
#define FIELDS_CONFIGURED_MAX 16
#define FIELD_VALUE_CONFIGURED_BYTES 8192
#define METHOD_BYTES 40
/* Empty lines before a request: some clients send them after a body. */
#define BLANK_LINES_MAX 2
#define FIELD_NAME_BYTES 255
/* The Host of a client that asks for the list of nodes: a DNS name and a port. */
#define SNIFFED_HOST_BYTES 261
/*
 * The path of such a request. A filter by attributes may be long, but no client sends more than a
 * word.
 */
#define SNIFFED_PATH_BYTES 512
/*
 * Each kind of ambiguity in a path (path.h) doubles the ways to read it; so many bytes are read in
 * all. An address used as an id, https%3A%2F%2Fexample.org%2F%7Ea%3Fb%3Bc%2520d%23e, may have seven
 * of the nine kinds in 512 bytes. A hostile path must not cost more than a TLS handshake, some 200
 * us.
 */
#define PATH_READ_BYTES_MAX (64 * 1024)
/* All trailers together: as much as one header line; no sender needs more. */
#define TRAILERS_BYTES (16 * 1024)
/* A chunk's size line with its extensions; the extensions are dropped. */
#define CHUNK_LINE_BYTES 1024
/*
 * So many bytes of the first chunk line are checked before the head is sent: a size and the usual
 * extensions.
 */
#define CHUNK_LOOK_BYTES 32
/* 2^63 is far more than any sender needs, and no sum of two lengths overflows. */
#define CHUNK_BYTES_MAX ((uint64_t)INT64_MAX)
/*
 * For each byte of a request's body so many bytes of chunk lines and extensions may come, and
 * CHUNK_SLACK_BYTES more. Chunks of one byte need 5, signed ones of 8 KiB less than a hundredth.
 * More than that is sent only to keep us busy.
 */
#define CHUNK_OVERHEAD 16
#define CHUNK_SLACK_BYTES (64 * 1024)
/*
 * Bytes of 1xx responses before the final one: some 2,500 responses 102 while a request is
 * processed. They wait for a client that does not read; a node that sends more is broken.
 */
#define INTERIM_BYTES (64 * 1024)
/*
 * Bytes of empty lines between a node's responses: two lines, as browsers once sent after bodies.
 */
#define STRAY_BYTES_MAX 4
/*
 * How much of a request body is read and dropped after an early response, before the connection is
 * closed.
 */
#define DROPPED_BODY_BYTES (1024 * 1024)

/* A PROXY header of version 2 with extensions (a cloud's ids, the TLS facts of the first hop). */
#define PROXY_HEADER_BYTES_MAX 4096

/* A DNS name with its NUL. */
#define TLS_NAME_BYTES 256

/* Keys of TLS sessions that a worker keeps in expanded form, 1 KiB each: 128 sessions. */
#define TLS_KEYS_EXPANDED 256

/* --- time (defaults; AWS ALB's where it has the setting) --- */

#define HEAD_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS 60000
#define CLIENT_KEEP_ALIVE_MS 3600000
#define CONNECT_TIMEOUT_MS 10000
/*
 * How long an address of a name may take to connect before the next one is tried beside it: RFC
 * 8305, 8.
 */
#define DIAL_MOMENT_MS 250
/*
 * A worker does not use an address that did not connect for so long, if others connect; each time
 * in a row twice as long, at most a minute. Health checks find addresses that stay dead.
 */
#define ADDRESS_PAUSE_MS 10000
#define ADDRESS_PAUSE_MAX_MS 60000
#define TUNNEL_IDLE_TIMEOUT_MS 3600000
#define STOP_DRAIN_MS 60000
/*
 * How long a client may still send after our last byte, before the connection is cut: RFC 9112,
 * 9.6.
 */
#define LINGER_MS 2000
/*
 * A client from which nothing is received for so long, because memory is short or the cluster is
 * slow, is watched for its end. Watching it earlier would cost more than it brings.
 */
#define WATCH_AFTER_MS 1000
/*
 * How long a node's connection rests after a response without a body: bytes of a forbidden body
 * come at once, or after a pause of the node. So many connections of a worker may rest at one node;
 * further ones are closed, because a new connection costs less than a wrong response.
 */
#define TAIL_WAIT_MS 1000
#define RESTING_WIRES_MAX 64
/*
 * A 408 that comes sooner had been sent before the request: no server gives a request so little
 * time.
 */
#define FAREWELL_MS 1000
/*
 * How long a connection to a node is kept between two requests: a second less than the servers that
 * close soonest (Node and Apache after 5 s, Tomcat 20, nginx 75). The second value is subtracted
 * from the timeout that a node sends in Keep-Alive. A request that crosses a node's close has an
 * unknown outcome.
 */
#define NODE_KEEP_ALIVE_MS 4000
#define KEEP_ALIVE_SPARE_MS 1000
/*
 * TCP's keepalive: after so long without traffic the peer's system is probed, and six more times
 * within as long again. Load balancers and NATs on the way forget silent connections, AWS' after
 * 350 s.
 */
#define TCP_KEEPALIVE_MS 60000
#define TCP_KEEPALIVE_PROBES 6
#define TCP_KEEPALIVE_MS_MAX 340000
/*
 * The longest wait that a request may ask of a cluster (timeout=), and how much longer its response
 * is waited for. The extra time is for a cluster that first waits for something else, 30 s by
 * default.
 */
#define ASKED_TIMEOUT_MS 3600000
#define ASKED_SPARE_MS 30000
#define HEALTH_INTERVAL_MS 5000
#define HEALTH_TIMEOUT_MS 5000
#define HEALTH_PASSES 2
#define HEALTH_FAILURES 2
/*
 * The first checks of several nodes begin so far apart, or closer if an interval has no room for
 * all. Later checks keep that distance, so that a cluster of 200 nodes never gets all checks at
 * once.
 */
#define HEALTH_STAGGER_MS 20
/* So much of the response to a check is examined: a cluster's health is a few hundred bytes. */
#define HEALTH_BODY_BYTES (64 * 1024)
/*
 * Limits of a pattern: its size, the steps of a match at one position (a third of a millisecond),
 * and its memory for backtracking. A search tries each position of the text, and is given up after
 * so much processor time, which is checked after so many positions: at most 11 ms in all.
 */
#define PATTERN_BYTES 1024
#define PATTERN_STEPS_MAX 1000000
#define PATTERN_HEAP_KIB 4096
#define PATTERN_SEARCH_US 5000
#define PATTERN_PLACES 16
/*
 * Passive ejection, as in Envoy's outlier detection: after five failures in a row, some of them
 * recent; 30 s at first, at most five minutes.
 */
#define EJECT_FAILURES 5
#define EJECT_PAUSE_MS 30000
#define EJECT_PAUSE_MAX_MS 300000
/* Failures that are further apart do not count as failures in a row. */
#define EJECT_WINDOW_MS 30000
/*
 * How long a request waits for a connection when all connections that a node may have are in use.
 */
#define QUEUE_WAIT_MS 10000
/* How long requests may stay with a drained node: AWS ALB's deregistration delay; at most a day. */
#define DRAIN_DELAY_MS 300000
#define DRAIN_DELAY_MAX_MS 86400000
/* How long a start waits for an address in use: mostly a process that has just died has it. */
#define ADDRESS_WAIT_MS 2000
/* How long an upgrade's check of configuration and hand-over may take. */
#define UPGRADE_CHECK_MS 30000
/* How long an upgrade waits for the new working process to serve, before it is given up. */
#define UPGRADE_READY_MS 60000
/*
 * How often a new process checks whether the old one has stopped leading: for so long nobody serves
 * the admin API. And how soon it retries when it cannot read or write the state.
 */
#define LEAD_PAUSE_MS 5
#define LEAD_RETRY_MS 1000
/*
 * After so long the process that is to lead serves the admin API although it still waits for the
 * disk.
 */
#define LEAD_LATE_MS 1000
/*
 * How long a process waits for a lock of the state or of the log: its holder may be about to end.
 */
#define LOCK_WAIT_MS 3000
/*
 * How often, and with which pause, a command asks again when the process that serves the admin API
 * has just been replaced: the next process serves within milliseconds.
 */
#define HANDED_OVER_TRIES 100
#define HANDED_OVER_PAUSE_MS 20
/* A trace that nobody reads ends after so long; and how often its command reads. */
#define TRACE_LEASE_MS 10000
#define TRACE_LOOK_MS 100
/* How often a command checks for the outcome of its order. */
#define ORDER_LOOK_MS 50
/*
 * A working process that has died is started again after 100 ms, then after twice that, up to 5 s.
 */
#define RESTART_PAUSE_MS 100
#define RESTART_PAUSE_MAX_MS 5000
/*
 * A process that was up for so long died for a new reason: the pause begins again at its first
 * value.
 */
#define RESTART_UP_LONG_MS 10000
/* How often a working process checks for signals that were meant for the keeper. */
#define STRAYS_LOOK_MS 500
/*
 * Tickets live for a rotation or two: RFC 8446, 4.6.1 allows seven days; forward secrecy needs a
 * shorter time.
 */
#define TICKETS_ROTATE_MS (12 * 3600 * 1000ull)
/*
 * How long a change of weights or drains waits for the change before it, which may wait for a disk.
 * How long a rollback that is already in force waits until it is saved. How long the end of a
 * process waits for its last writes.
 */
#define CHANGE_WAIT_MS 5000
#define SAVE_WAIT_MS 2000
#define DISK_LAST_MS 5000
/* How long a change of weights waits for the acknowledgment of every worker. */
#define ACKNOWLEDGE_TIMEOUT_MS 2000
/*
 * Workers acknowledge within a turn: the first check comes after 1 ms, and each pause is twice as
 * long.
 */
#define ACKNOWLEDGE_LOOK_MAX_MS 32
/* A failed save of the state is tried again after 100 ms, then after twice that, up to 5 s. */
#define STATE_SAVE_PAUSE_MS 100
#define STATE_SAVE_PAUSE_MAX_MS 5000
/* The same for a failed save of the drains. */
#define DRAINS_SAVE_PAUSE_MS 1000
/* A DNS server gets 2 s to respond, and is asked twice. */
#define RESOLVE_SERVER_MS 2000
/*
 * A name is looked up again after its TTL, within these bounds; after a failure in 1 s, then twice
 * that.
 */
#define RESOLVE_LEAST_MS 1000
#define RESOLVE_MOST_MS 60000
/* How often requests that wait for a name are checked. */
#define NAME_WAIT_MS 100
/* A name with other addresses at each look-up is logged at most so often. */
#define NAME_SAID_MS 300000
/*
 * An address that look-ups no longer return is kept for so long: three times the longest pause
 * between them. So a name with other addresses in each response loses none of them.
 */
#define NODE_ADDRESS_KEEP_MS 180000
/*
 * The pause after an accept, or the adoption of its socket, has failed for lack of descriptors or
 * memory: time for some to be freed.
 */
#define ACCEPT_PAUSE_MS 100
/* How often the contents of the capture directory are examined. */
#define RECORDER_LOOK_MS 5000
/* The first time: the operator who has started the process looks at its status. */
#define RECORDER_FIRST_MS 100
/* The known state is called stale when an examination takes longer. */
#define RECORDER_LATE_MS 1000
/*
 * How often the process checks whether a capture directory that was unusable after a crash can be
 * used.
 */
#define RECORDER_FIND_MS 1000
/* How late the absence of that directory may be reported. */
#define ABSENCE_LOOK_MS 250
/* How often it is checked which nodes the workers have ejected. */
#define EJECT_LOOK_MS 1000

/* A worker logs at most so often that it turns connections away. */
#define TURNED_AWAY_LOG_MS 1000
/* The same for each kind of trouble with peers: enough to see it, too little to fill a disk. */
#define TELLING_PAUSE_MS 1000

/* --- counts --- */

/* Requests of one worker that are traced at the same time. */
#define TRACING_TAPS 64
/* Trace events of one worker that were not read yet: some 8,000, from a few hundred requests. */
#define TRACING_RING_BYTES (1024 * 1024)
/* Trace events that one read returns. */
#define TRACE_TAKEN_MAX 2000
/*
 * Each certificate costs half a millisecond when it is new, a fifth of that for each further
 * worker, and 10 KiB.
 */
#define CERTIFICATES_MAX 512
/* Certificates for one name that a handshake considers: two kinds, old and new ones. */
#define CERTIFICATES_OF_NAME_MAX 8

#define WORKERS_MAX 128
/* Working processes: one that serves, one that starts, and two that still drain after upgrades. */
#define PROCESSES_MAX 4
#define WEIGHT_MAX 999
/* Addresses of one of the three listeners. */
#define LISTENER_ADDRESSES_MAX 16
/*
 * Listener addresses with numbers: the present ones, and as many that a reload has removed and that
 * still have connections.
 */
#define LISTENER_NUMBERS_MAX (2 * LISTENER_ADDRESSES_MAX)
/* Names of the admin address: a service discovery and a few people use them. */
#define ADMIN_HOSTS_MAX 64
#define LISTENERS_MAX (3 * LISTENER_NUMBERS_MAX)
/* With the row of counters of the balancer's own requests. */
#define LISTENER_INTERNAL LISTENERS_MAX
#define LISTENER_ROWS (LISTENERS_MAX + 1)
#define NODES_PER_CLUSTER_MAX 1024
/*
 * Nodes at a time: two clusters, and as many that a reload has removed and that are still in use.
 */
#define NODES_MAX (4 * NODES_PER_CLUSTER_MAX)
/* Client connections that a configuration may allow: as many files as a process may open. */
#define CONNECTIONS_MAX 1048576
/*
 * Open files that are reserved for the process itself: 18 at rest, with the log, its follower and
 * the admin API; 8 and 8 of the admin API's connections; look-ups, Kafka, files that a reload
 * reads.
 */
#define FILES_OF_OURS 48
/* For each worker, besides its listening sockets: its ring and its waker. */
#define FILES_OF_WORKER 2
/* Sockets of one worker: a table of half a MiB in the kernel, 6 MiB here, touched as it is used. */
#define SOCKETS_OF_WORKER 65536
/* Some clients and as many connections to nodes: with fewer, Crossfade does not start. */
#define SOCKETS_OF_WORKER_MIN 4
/* Entries of that table for sockets whose close has not reached the kernel. */
#define SOCKETS_CLOSING 512
/*
 * A fifth of a worker's sockets is for nodes; half of them if there are few. Most clients are idle;
 * a request that finds no free connection waits for one.
 */
#define NODE_SOCKETS_PART 5
#define NODE_SOCKETS_MIN 8
/*
 * If all client connections are in use, a client that has sent no request for so long is closed for
 * a new one. A handshake and a first request take less time, also over a slow line. The search ends
 * after so many connections.
 */
#define STRANGER_AGE_MS 1000
#define STRANGERS_LOOKED_AT 64
/*
 * A response that is produced piece by piece: above this its producer waits until pieces are taken.
 */
#define CALL_UNTAKEN_BYTES (64u * 1024)
/* Connections to the admin API by its unix socket, and by TCP: operators, scrapers, probes. */
#define ADMIN_CONNECTIONS_MAX 8
/* Weights and a reason are small; a larger body is a mistake. */
#define ADMIN_BODY_BYTES (64 * 1024)
/*
 * Bytes of receive blocks that all connections of a separate loop (loop_open_own()) may hold
 * together.
 */
#define LOOP_BUDGET_BYTES (64u * 1024 * 1024)
/*
 * Plans that exchanges and connections may still hold, some 20 KiB each: a reload an hour for six
 * weeks, with one tunnel each. A change that finds no room waits.
 */
#define PLANS_MAX 1024
/* A file that the configuration names: a bundle of all public authorities has 200 KiB. */
#define TEXT_FILE_BYTES (1024 * 1024)
/* Diagnostics of one text that are shown; further ones are counted. */
#define DIAGNOSTICS_MAX 20
/* Names of one kind that a reload reports; further ones are counted. */
#define CHANGES_NAMED 8
/* Late workers that a response names. */
#define WEIGHTS_LATE_NAMED 8
/* How much of the end of the audit is read for operators; a line is some hundred bytes. */
#define HISTORY_BYTES (256 * 1024)
/* How long that request waits for the disk. */
#define HISTORY_TIMEOUT_MS 3000
/* How much is read for the last change of weights: lines about drains may follow it. */
#define AUDIT_TAIL_BYTES (256 * 1024)
/*
 * What an upgrade hands over: some addresses with a socket for each worker, and a few other
 * records.
 */
#define HANDOVER_RECORDS_MAX (LISTENERS_MAX * 4 * WORKERS_MAX)
/* Networks in one list of the configuration: a cloud provider publishes some thousands. */
#define NETWORKS_MAX 16384
/* Handshakes that one turn starts: 200 us each, so a turn takes less than a millisecond. */
#define HANDSHAKES_PER_TURN 4
/* Runs of bytes in one send. */
#define IO_VECTORS_MAX 64
/* Accepts under way on one listening socket. */
#define ACCEPTS_ARMED 4
/* Sockets that share an address by SO_REUSEPORT, for the message that says which process has it. */
#define PORT_INODES_MAX 64
/* Symbolic links in one path, as in the kernel. */
#define LINKS_MAX 40
/* Addresses in X-Forwarded-For that are read; AWS ALB refuses requests with more than 30. */
#define FORWARDED_HOPS_MAX 30
/* Balancers in X-Crossfade-Hop: a request that has passed more is in a loop of other balancers. */
#define HOPS_MAX 32
/* Idle connections that a worker keeps to one node. */
#define IDLE_WIRES_PER_NODE 512
/*
 * Requests of one worker that wait for a cluster's connections: each holds a head of at most 64
 * KiB.
 */
#define QUEUE_REQUESTS_MAX 1024
/* Connections to one node that a configuration may allow: more than there are ports. */
#define NODE_CONNECTIONS_MAX 1000000
/* Addresses of a node: a managed cluster's name has a handful. One bit of a word each. */
#define NODE_ADDRESSES_MAX 64
/* Addresses that one attempt connects to: with three attempts, most addresses of a name. */
#define DIAL_TRIES_MAX 16
/* Nodes that one request tries when connects fail. */
#define CONNECT_ATTEMPTS_MAX 3
/*
 * The window of a retry budget, in seconds: long enough for a steady share, short enough to forget.
 */
#define RETRY_WINDOW_S 10
/* Retries for each hundred requests: if more than one in five fails, more attempts do harm. */
#define RETRY_SHARE_PERCENT 20
/* Retries within the window that are always allowed: the share of a few requests would be none. */
#define RETRIES_MIN 10

/* --- the process's own log --- */

/*
 * Lines that standard error has not taken yet: some thousand. Any user may make a pipe four times
 * as large.
 */
#define LOGGER_PIPE_BYTES (256 * 1024)
/* How much the log's thread reads at once, on its stack. */
#define LOGGER_CHUNK_BYTES (64 * 1024)
/* How long an end or an upgrade waits for standard error to take the rest. */
#define LOGGER_LAST_MS 1000
/* Lost lines are reported when no other line waits; otherwise so often. */
#define LOGGER_TELL_MS 10000

/* --- certificates --- */

/*
 * A certificate that expires sooner is reported: certificates for 90 days are renewed with 30 days
 * left.
 */
#define CERTIFICATE_EXPIRES_DAYS 30

/* --- the access log --- */

/*
 * Lines of one worker that the disk has not taken: some 2,000, twenty milliseconds of a busy
 * worker.
 */
#define ACCESS_RING_BYTES (1024 * 1024)
/* How long a line may wait there when there is little traffic. */
#define ACCESS_WAIT_MS 100
/*
 * After so many waits in a row, a pipe that takes nothing is reported as a pipe without a reader.
 */
#define ACCESS_WAITS_QUIET 10
/*
 * How long the opening of the file may take, and at the end its last write. Both may wait for a
 * file server that is down, and must not hold up a reload or a stop.
 */
#define ACCESS_OPEN_MS 1000
#define ACCESS_LAST_MS 2000
/* Lost lines are reported at most so often. */
#define ACCESS_TELL_MS 10000
/*
 * The pause before a file that could not be opened is tried again; the opening may take
 * ACCESS_OPEN_MS.
 */
#define ACCESS_REOPEN_MS 5000

/* --- the capture log --- */

/* A frame's payload: a piece of a body is no larger than a stream's credit; a head is smaller. */
#define FRAME_PAYLOAD_BYTES (1024 * 1024)
/*
 * Most of a segment that is being written is still empty: a reader that waits for its next frame
 * reads no more than this.
 */
#define SEGMENT_READ_BYTES (128 * 1024)
/* Values that are redacted in one head; further fields of that kind are left out. */
#define REDACTED_MAX 32
/*
 * What a worker hands over at once: its own bytes (heads of frames and of messages), frames, runs.
 */
#define BATCH_BYTES (64 * 1024)
#define BATCH_FRAMES 256
#define BATCH_VECTORS 512
/* Batches that a worker keeps for its next turns: as many as LOG_LAZY_BYTES of reads need. */
#define BATCHES_IDLE 32
/* Runs of bytes in one write: the kernel's IOV_MAX. */
#define LOG_VECTORS 1024
/* Records that no request waits for are written when so many bytes are there, or after so long. */
#define LOG_LAZY_BYTES (256 * 1024)
#define LOG_LAZY_MS 50
/*
 * What may wait for the disk, from all workers. At half of it reads are not recorded any more. When
 * it is full, requests wait, and the clients' further bytes too; after a second the log counts as
 * unavailable. The log checks for room so often.
 */
#define LOG_QUEUE_BYTES (64u * 1024 * 1024)
#define LOG_FULL_MS 1000
#define LOG_FULL_LOOK_MS 10
/* A request's body, or a response's, that waits whole for the log is sent in one piece. */
#define GATE_HOLD_BYTES (64 * 1024)
/*
 * How much is received of the body of a write that waits before its arm is chosen, so that a client
 * that leaves is noticed.
 */
#define PARKED_BODY_BYTES (64 * 1024)
/*
 * When a sync has served so many requests, the next one waits until three quarters of that number
 * wait again, but no longer than this: in that time a busy worker brings some fifty requests.
 */
#define LOG_GATHER_WAITS 4
#define LOG_GATHER_US 500
/* How often a log that has failed tries again. */
#define LOG_PROBE_MS 1000
/* When nothing is written, the log reports so often up to which time all is durable. */
#define LOG_BEAT_MS 50
/* How often a follower of the log checks for new frames if inotify is not available. */
#define LOG_LOOK_MS 100
/* Losses that are further apart are two gaps; and how often a gap is written. */
#define LOSS_PAUSE_MS 1000
/*
 * While requests pass unrecorded, their counts are synced so often: a power cut may lose so much of
 * them.
 */
#define LOSS_KEEP_MS 1000
/*
 * A block of a packed segment that is compressed separately: enough to compress well, little to
 * read for one frame.
 */
#define PACKED_BLOCK_BYTES (1024 * 1024)
/* Damaged places that a start reports one by one; further ones are reported with the last. */
#define DAMAGES_MAX 32
/*
 * A seek halves a segment until its goal is at most so many bytes away. From each middle it
 * searches the next frame within two of the largest frames.
 */
#define SEEK_NEAR_BYTES (1024 * 1024)
/* Frames of workers may be so far out of the order of their wall time; clocks are also set. */
#define SEEK_SLACK_MS 2000
/* How often the packer checks for sealed segments; and when it repeats what has failed. */
#define PACK_LOOK_MS 1000
#define PACK_AGAIN_MS 60000
/* Rules for the timeout of a response: each is tried in turn, and an API has few slow requests. */
#define RESPONSE_TIMEOUT_RULES_MAX 64
/*
 * Rollbacks that wait for room in the audit, each with a line of its own, in 200 KiB: more than
 * anybody makes while a disk is full. For further ones only the last one's line is written.
 */
#define AUDIT_OWED_MAX 256
/*
 * Weights that are put back by hand get an epoch so far above all known ones. Changes that left no
 * trace, one a second for eleven days, have lower epochs.
 */
#define RECOVERED_EPOCHS 1000000
/*
 * A hold of writes under one epoch may end under the next one or, if a save of that has failed,
 * under the one after it. A process that finds writes held, and does not know which, uses an epoch
 * beyond these.
 */
#define HELD_EPOCHS 3
/*
 * Rules for what is not recorded: as many as were measured. The pattern of a path is no longer than
 * this.
 */
#define SKIP_RULES_MAX 1000
#define SKIP_PATH_BYTES 1024
/* What goes to the disk at once, and its blocks: as large as fits into a core's own cache. */
#define DISK_GATHER_BYTES (256 * 1024)
#define DISK_BLOCK_BYTES 4096
/* A record for the replayer is complete at about this size: its topics take no more. */
#define TRAFFIC_RECORD_BYTES (1024 * 1024)
/* The longest time for which a sync may be delayed to serve more requests at once. */
#define LOG_COMMIT_MS_MAX 1000
/*
 * A segment: large enough that making it costs little, small enough to be kept or dropped
 * separately.
 */
#define SEGMENT_BYTES (64u * 1024 * 1024)
#define SEGMENT_BYTES_MIN (1024u * 1024)

static_assert(WIRE_FLUSH_BYTES + 4 * 22 <= BLOCK_LARGE_BYTES,
	      "four encrypted records are one block");
static_assert(BLOCK_LARGE_BYTES >= REQUEST_LINE_BYTES + 2, "a line must be able to be contiguous");
static_assert(BLOCK_LARGE_BYTES >= TRAILERS_BYTES + 4, "trailers must be able to be contiguous");
static_assert(REQUEST_HEAD_BYTES <= 65535 * 2, "offsets of fields");
static_assert(2 * FIELDS_CONFIGURED_MAX <= FIELDS_ADDED_MAX, "room for forwarded fields too");
static_assert(2 * BATCH_VECTORS <= LOG_VECTORS, "a batch and the log's own frames fit one write");
static_assert(FRAME_PAYLOAD_BYTES >= 2 * STREAM_CREDIT_BYTES, "any piece of a body is one frame");
static_assert(FRAME_PAYLOAD_BYTES >= 2 * RESPONSE_HEAD_BYTES_MAX, "any head is one frame");
static_assert(FIELD_LINE_BYTES <= 65535, "a field's length is 16 bits");

/* --- replay --- */

/* Brackets in JSON that is read: some more than clusters themselves take, Jackson's 1,000. */
#define JSON_DEPTH_MAX 1024
/*
 * What of a text in JSON is looked at: an id of DOCUMENT_ID_BYTES in which each byte is a code of
 * six. Of numbers nobody writes so many digits: they are refused.
 */
#define JSON_TEXT_BYTES 4096
/* The longest name that is looked for in JSON. */
#define JSON_WORD_BYTES 64
/* Of a document: both clusters refuse a longer one. */
#define DOCUMENT_ID_BYTES 512
/* Of a task's id: a node's, 22 letters, and a number. */
#define TASK_ID_BYTES 64
/*
 * A line of a bulk that says what is done to a document: an id and a routing of JSON_TEXT_BYTES
 * each, and names. One that is longer cannot be read.
 */
#define ACTION_LINE_BYTES (16 * 1024)
/* What a compressed body becomes at a time. */
#define UNPACKED_BYTES (16 * 1024)
/* The largest query of a delete by query that is kept: searches that people write have some KiB. */
#define SWEEP_QUERY_BYTES (1024 * 1024)
/* Clusters have no limit for a routing value; people route by the name or number of a customer. */
#define REPLAY_ROUTING_BYTES 512
/* A key with the longest id and routing, and 56 bytes of its own. */
#define REPLAY_KEY_BYTES (56 + DOCUMENT_ID_BYTES + REPLAY_ROUTING_BYTES)
/*
 * Keys that wait or are in flight, without those of parked indices: half an hour of 500 writes a
 * second, each to another document. The memory for them is 88 MiB with ids of 20 bytes, and bounded
 * for the longest ids. At either limit the log is read no further.
 */
#define REPLAY_KEYS_MAX 1000000
#define REPLAY_KEYS_BYTES (128u * 1024 * 1024)
/*
 * Routings of one document, and fences, that are told apart while it waits; each write of it looks
 * at all of them. At the limit the log is read no further.
 */
#define REPLAY_KEY_ENTRIES_MAX 64
/*
 * Keys of parked indices, in as much memory again. At either limit a parked index takes no more of
 * them: it is not exact, and has to be scanned.
 */
#define REPLAY_PARKED_MAX 1000000
#define REPLAY_PARKED_BYTES (128u * 1024 * 1024)
/* Indices with keys at a time: a cluster of 65 nodes with the usual 1,000 shards each. */
#define REPLAY_INDICES_MAX 65535
/*
 * Deletions of indices that wait for what is before them; more make the reading of the log wait. A
 * key has one byte for the number of fences before it.
 */
#define REPLAY_FENCES_MAX 128
/* An expression of indices that a request line may have, as clusters limit that. A longer one is
 * taken for all indices. */
#define REPLAY_FENCE_BYTES 4096
/* A document: what a cluster takes in one request (http.max_content_length). */
#define DOCUMENT_BYTES_MAX (100u * 1024 * 1024)
/* Of what a cluster says of an error: its type, and the beginning of its reason. */
#define ERROR_TYPE_BYTES 64
#define ERROR_REASON_BYTES 512

static_assert(JSON_TEXT_BYTES >= 6 * DOCUMENT_ID_BYTES, "an id in codes");

/* Elasticsearch: a name of an index has 255 bytes at most. */
#define INDEX_NAME_BYTES_MAX 255
/* A bulk of this size is what both clusters' guides recommend (5 to 15 MB). */
#define REPLAY_BATCH_BYTES (5u << 20)
#define REPLAY_BATCH_BYTES_MIN (64u << 10)
/* http.max_content_length of both clusters is 100 MiB by default. */
#define REPLAY_BATCH_BYTES_MAX (64u << 20)
#define REPLAY_BATCH_OPERATIONS 1000
#define REPLAY_BATCH_OPERATIONS_MAX 10000
/* How long a batch may wait for more keys: within REPLAY_CURRENT_MS a copy is to be made, too. */
#define REPLAY_BATCH_WAIT_MS_MAX 500
/* Batches at a time. */
#define REPLAY_IN_FLIGHT 4
#define REPLAY_IN_FLIGHT_MAX 64
#define REPLAY_RATE_MAX 1000000
/* What control sees of replay is so old at most. */
#define REPLAY_SHOW_MS 100
/* Up to this lag replay says that it is current. */
#define REPLAY_CURRENT_MS 1000
/* The reading thread looks again after so long where it may not read yet. */
#define REPLAY_TRY_MS 200
/* A batch that failed is tried again after so long, and twice as long after each further failure,
 * seven times at most. */
#define COPIER_PAUSE_MS 100
/* A bulk of 5 MiB takes seconds on a cluster that is busy. */
#define COPIER_TIMEOUT_MS 60000
/* Shards of an index in which one id is there: a client that has more of one id is not known. */
#define PLACE_ROUTINGS_MAX 8
/* index.max_result_window of both clusters. */
#define PLACES_HITS_MAX 10000u
/* Indices that are looked at in one look when something has changed. */
#define COPIER_RECHECK_N 10
#define COPIER_TROUBLE_BYTES 320
/* Documents of a page of ids: index.max_result_window of both clusters is 10,000. */
#define ID_PAGES_SIZE 1000
/* What a scan, sweep, walk or deletion failed at is tried again after so long. */
#define JOBS_PAUSE_MS 1000
/* A job that waits for copies looks at them so often. */
#define JOBS_LOOK_MS 20
/* Scans, sweeps, walks and deletions that wait: more make the reading of the log wait. */
#define REPLAY_JOBS_MAX 1000
/* index.gc_deletes of both clusters: how long a deletion keeps its version. */
#define COPIER_NEWER_MS 60000
/* Effects that the reading thread hands over before it waits for the copying one. */
#define HANDOFF_BYTES_MAX (8u << 20)
/*
 * Frames of an exchange that are kept in memory until it is over: a document of 10 KiB and its
 * response. Opening the segment anew for it costs 16 us each time.
 */
#define ASSEMBLY_KEPT_BYTES (16 * 1024)
#define ASSEMBLIES_KEPT_BYTES (8u << 20)
/* The reading thread hands over after so many effects, or so long. */
#define LOG_READER_EFFECTS 4096
#define LOG_READER_TURN_MS 5
/* An index that the replica does not take is looked at again after so long, and twice as long after
 * each further refusal, up to the second. */
#define PARKED_PAUSE_MS 10000
#define PARKED_PAUSE_MS_MAX 300000
/* The name, and what it means for who reads it. */
#define PARKED_WHY_BYTES 320
/* A look at templates, pipelines and scripts that failed is made again after so long. */
#define OBJECTS_PAUSE_MS 10000
/*
 * The replica is asked for tasks so often while something was not heard of; and what it does not
 * show for so long acts no more: a node that responds has read by then what its kernel held for it.
 */
#define UNHEARD_LOOK_MS 500
#define UNHEARD_SETTLE_MS 2000
/* A response of JSON that is read whole: a large mapping has some MiB. */
#define ASK_BODY_BYTES_MAX (32u << 20)
#define ASK_TIMEOUT_MS 30000
/* Names of indices in one request line, which both clusters limit to 4 KiB by default. */
#define SURROUNDINGS_TARGET_BYTES 3000

/* "INDEX/ID" */
#define MARKS_NAME_BYTES (INDEX_NAME_BYTES_MAX + 1 + DOCUMENT_ID_BYTES + 1 + REPLAY_ROUTING_BYTES)
/* Documents that the replica refuses: with more of them replay stops, for something is wrong that
 * is no document's fault. The file has some 10 MB then. */
#define REPLAY_ASIDE_MAX 10000
/* Documents set aside that one response of the admin API lists. */
#define REPLAY_ASIDE_LISTED 1000
/* Names of indices that are not exact: as many as a cluster of one node has shards. */
#define MARKS_NOT_EXACT_MAX 1000
/* Names of indices that replay has seen and remembers over a start: as many as ten nodes with the
 * usual 1,000 shards each have. The file has 1 MB of them then. */
#define MARKS_INDICES_MAX 10000
/* Changes of the marks that nothing waits for are saved so often. */
#define MARKS_SAVE_MS 1000
/* Orders to replay that wait, and whose outcome is remembered. */
#define REPLAY_ORDERS_MAX 16
/* An order is applied and saved within a disk's slow moment. */
#define REPLAY_ORDER_TIMEOUT_MS 8000
#define REPLAY_ORDER_LOOK_MS 10
#define REPLAY_ORDER_TEXT_BYTES 320
/* Ids of a backfill's page: of index.max_result_window, 10,000, so many that the loop is held up
 * for a few milliseconds. */
#define BACKFILL_PAGE 5000
/* Keys of a backfill that are out at least, also while many others wait. */
#define BACKFILL_SHARE 200
/* Pages whose keys are not all copied. */
#define BACKFILL_PAGES_MAX 64
/* A backfill looks again after so long for what it failed at. */
#define BACKFILL_PAUSE_MS 1000
/* Patterns of indices in a list. */
#define REPLAY_PATTERNS_MAX 256
/* Parked indices that status lists. */
#define REPLAY_PARKED_LISTED 100
/* A recorded body that is read with its head: larger ones are read piece by piece when they are
 * sent. */
#define RECORDED_ALONG_BYTES (64u << 10)
/*
 * Recorded requests that wait to be sent, with their heads and small bodies: at this limit the log
 * is read no further. They are KAFKA_INFLIGHT at most.
 */
#define RESEND_WAITING_BYTES (32u << 20)
/* A request that failed is sent again after so long, and twice as long after each further failure,
 * seven times at most. */
#define RESEND_PAUSE_MS 100
#define RESEND_PAUSES 7
/*
 * A body of any length takes its time; a node that does nothing is noticed by the timeouts of its
 * cluster.
 */
#define RESEND_TIMEOUT_MS (24 * 3600 * 1000)
/* What was sent and acknowledged since the position was saved is sent again after a crash. */
#define RESEND_KEEP_MS 50
/* A request's name, why it is held, and what to do. */
#define RESEND_TROUBLE_BYTES 384
/* --- compare --- */

/* Values of a document that is compared member by member: 64 bytes each; a larger one byte by byte.
 */
#define COMPARE_NODES_MAX 1000000
/* What differs, in words. */
#define COMPARE_WHERE_BYTES 256
/* Documents that are looked at together, and how many of such batches are under way. */
#define COMPARE_BATCH 500
#define COMPARE_LANES 2
/* Bytes of the replica's documents that a batch holds; those beyond are looked at once more. */
#define COMPARE_HELD_BYTES (16u << 20)
/* Keys that wait to be looked at: more make the reading of ids wait. */
#define COMPARE_QUEUE_MAX 10000
/*
 * A document that changed between two looks is looked at again after so long, and twice as long
 * after each further time: 6.4 s in all, then it counts as one that moves.
 */
#define COMPARE_PAUSE_MS 50
#define COMPARE_ROUNDS 8
#define COMPARE_TIMEOUT_MS 60000
/* A cluster that does not respond is asked so often, and for so long. */
#define COMPARE_RETRY_MS 500
#define COMPARE_TROUBLE_MS 10000
/* The replica may be behind for hours, but it must come nearer in so long. */
#define COMPARE_STUCK_MS 60000
/* How often a batch that waits for the replica looks at how far that is. */
#define COMPARE_LOOK_MS 10
/* Differences that are told one by one; the others are counted. */
#define COMPARE_TOLD_MAX 100
/* Keys that one run hands to replay, 100 bytes each; more need a second run. */
#define COMPARE_REPAIR_MAX 100000
/* The command asks for progress so often, and tells it on no terminal so often. */
#define COMPARE_ASK_MS 200
#define COMPARE_LINE_MS 10000
/* A sample of an index is so many runs of documents, from random places on. */
#define COMPARE_SAMPLE_RUNS 20
/* Documents of each index in a random sample. */
#define COMPARE_SAMPLE_MAX 1000000
/* A list of indices in an order to compare: clusters limit a request line to 4 KiB. */
#define COMPARE_INDICES_BYTES 2000

#endif
