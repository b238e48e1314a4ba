#ifndef PROXY_COUNTERS_H
#define PROXY_COUNTERS_H

/* One worker's counts, written by it alone and read by control at any time. */

#include "base/err.h"
#include "base/latency.h"
#include "base/limits.h"
#include "proxy/plan.h"
#include "proxy/pressure.h"

/* Status classes 1xx to 5xx stand at 1 to 5; 0 is a request that got no answer. */
#define STATUS_CLASSES 6
/* Requests that no cluster got count under this arm. */
#define ARM_NONE ARMS

struct node_counters {
	counter attempts[STATUS_CLASSES]; /* by the status of the node's answer; 0: it gave none */
	counter in_flight;
	counter ejections;
	counter ejected;     /* 1 while this worker leaves it alone */
	counter ejected_for; /* enum err: the last time's last failure */
	counter held;	     /* 1 while this worker has it: its number is given to nobody else */
};

struct counters {
	counter requests[LISTENERS_MAX][ARMS + 1][STATUS_CLASSES];
	/* Those whose head came whole, by enum class. */
	counter classes[LISTENERS_MAX][ARMS + 1][CLASSES];
	counter answers_here[ERRS]; /* answers that we made, by reason */
	counter aborted[ERRS];	    /* requests or answers that broke off, by reason */
	counter connections_total[LISTENERS_MAX];
	counter connections_open[LISTENERS_MAX];
	counter overridden, sticky;  /* weighted requests whose client, or key, decided */
	counter sniffing[SNIFFINGS]; /* calls for the nodes' addresses, by what was done */
	counter strangers_closed;    /* they had asked nothing, and others wanted to come */
	counter accept_failures;     /* for a want of ours */
	counter rejected[ERRS];	     /* connections that were turned away, by reason */
	counter request_body_bytes[ARMS];
	counter answer_body_bytes[ARMS];
	counter back_connects[ARMS], back_connects_failed[ARMS], back_open[ARMS];
	struct pressure clients_memory;	      /* what has come from clients */
	struct pressure cluster_memory[ARMS]; /* from nodes */
	counter in_flight[ARMS];
	counter queued[ARMS];		   /* requests that wait for a connection to a node */
	counter retries[ARMS];		   /* attempts after one that failed */
	counter retries_refused[ARMS];	   /* not made: the budget was spent */
	counter writes_unknown[ARMS];	   /* attempts that were sent and not answered */
	counter writes_seen_through[ARMS]; /* their clients had gone */
	struct latency latency[ARMS]; /* from the request's first byte to the end of its answer */
	/* From the request's way to the node to its answer's head. */
	struct latency answering[ARMS];
	struct handshake_counts handshakes[LISTENERS_MAX], back_handshakes[ARMS];
	struct latency turns; /* from the end of a wait to the beginning of the next */
	struct latency lag;   /* from when a timer was due until the worker woke for it */
	counter oddities;     /* what odd() has found */
	counter fail_open;    /* requests decided while no node of the cluster was healthy */
	counter access_lines, access_dropped;  /* of the access log */
	struct node_counters nodes[NODES_MAX]; /* by the number of their state */
};

#endif
