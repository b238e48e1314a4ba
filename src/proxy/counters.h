#ifndef PROXY_COUNTERS_H
#define PROXY_COUNTERS_H

/* One worker's counters. Only the worker writes them; control reads them at any time. */

#include "base/err.h"
#include "base/latency.h"
#include "base/limits.h"
#include "proxy/plan.h"
#include "proxy/pressure.h"

/* Index 1 to 5: status class 1xx to 5xx. Index 0: a request that got no response. */
#define STATUS_CLASSES 6
/* The arm of requests that went to no cluster. */
#define ARM_NONE ARMS

struct node_counters {
	counter attempts[STATUS_CLASSES]; /* by the status of the node's response; 0: no response */
	counter in_flight;
	counter ejections;
	counter ejected;     /* 1 while this worker has the node ejected */
	counter ejected_for; /* enum err: the last failure before the last ejection */
	counter held;	     /* 1 while this worker uses the node: no other node gets its number */
};

struct counters {
	counter requests[LISTENER_ROWS][ARMS + 1][STATUS_CLASSES];
	/* Requests whose head came whole, by enum class. */
	counter classes[LISTENER_ROWS][ARMS + 1][CLASSES];
	counter responds_here[ERRS]; /* responses that Crossfade made, by reason */
	counter aborted[ERRS];	     /* requests or responses that broke off, by reason */
	counter connections_total[LISTENER_ROWS];
	counter connections_open[LISTENER_ROWS];
	counter overridden, sticky;  /* weighted requests that the weights did not decide */
	counter sniffing[SNIFFINGS]; /* sniffing calls, by the policy that was applied */
	counter strangers_closed;    /* connections without a request, closed for new ones */
	counter accept_failures;     /* accepts that failed for lack of our resources */
	counter rejected[ERRS];	     /* connections that were turned away, by reason */
	counter request_body_bytes[ARMS];
	counter response_body_bytes[ARMS];
	counter back_connects[ARMS], back_connects_failed[ARMS], back_open[ARMS];
	struct pressure clients_memory;	      /* bytes held that came from clients */
	struct pressure cluster_memory[ARMS]; /* bytes held that came from nodes */
	counter in_flight[ARMS];
	counter queued[ARMS];		   /* requests that wait for a backend connection */
	counter retries[ARMS];		   /* attempts after a failed one */
	counter retries_refused[ARMS];	   /* retries not made: the budget was spent */
	counter writes_unknown[ARMS];	   /* attempts that were sent and got no response */
	counter writes_seen_through[ARMS]; /* writes that went on after their clients had gone */
	struct latency latency[ARMS]; /* from the request's first byte to the end of its response */
	/* From when the request could go to its node to the response's head. */
	struct latency responding[ARMS];
	struct handshake_counts handshakes[LISTENER_ROWS], back_handshakes[ARMS];
	struct latency turns; /* from the end of a wait to the start of the next */
	struct latency lag;   /* from when a timer was due until the worker woke for it */
	counter oddities;     /* what odd() found */
	counter fail_open;    /* requests decided while the cluster had no healthy node */
	counter access_lines, access_dropped;  /* of the access log */
	struct node_counters nodes[NODES_MAX]; /* by node_state's number */
};

#endif
