#ifndef PROXY_PLAN_H
#define PROXY_PLAN_H

/*
 * The configuration as workers read it: immutable, built by control, shared by all workers of the
 * process. A worker compares one pointer a turn and adopts a new plan; exchanges pin the plan that
 * they began with. Control frees a plan when every worker has moved on and every pin is gone.
 *
 * All memory of a plan belongs to it, but for contexts (counted) and node states (control's).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/policy.h"
#include "ends/h1_back.h"
#include "ends/h1_front.h"
#include "io/io.h"
#include "io/networks.h"
#include "base/limits.h"
#include "net/tls_context.h"
#include "proxy/class.h"
#include "proxy/eject.h"
#include "proxy/patience.h"
#include "proxy/node_state.h"

/* The two clusters. Ties of the split go to the first. */
enum arm { ARM_SOURCE, ARM_TARGET, ARMS };

enum host_policy {
	HOST_PRESERVE, /* the client's Host goes to the cluster */
	HOST_NODE,     /* the node's name and port do */
	HOST_NAME,     /* a name from the configuration does */
};

enum balance { BALANCE_LEAST_OUTSTANDING, BALANCE_ROUND_ROBIN };

/* What is done with X-Forwarded-For, -Proto and -Port. */
enum forwarded { FORWARDED_APPEND, FORWARDED_PRESERVE, FORWARDED_REMOVE };

/* Where it is and how it is stands in its state, which changes without a plan. */
struct node {
	struct node_state *state; /* control's, and written by it alone */
	const char *name;	  /* "es-1.internal:9200": logs, metrics, host: node */
	const char *server_name;  /* for SNI and verification: the host alone */
	bool tls;
};

/* A field of requests to a cluster. */
struct edit {
	uint8_t id; /* enum name */
	struct span name;
	struct span value; /* of the one field that is left; at NULL: none is */
};

struct cluster {
	const char *name; /* "source", "target" */
	enum arm arm;
	enum balance balance;
	enum host_policy host;
	const char *host_name; /* HOST_NAME */
	const struct edit *edits;
	size_t edit_n;
	bool underscores; /* a '_' in a field's name is another name than with a '-' */
	const struct node *nodes;
	size_t node_n;
	struct back_policy policy;
	struct patience patience;
	struct eject_policy eject;
	uint32_t connections, workers; /* of one node, over so many workers; 0: any number */
	uint32_t queue_ms;	       /* how long requests wait for one */
	struct tls_context *
		*tls; /* one for each worker, then control's; NULL when no node speaks TLS */
};

/* Whether and how exchanges are logged. */
enum access_format { ACCESS_OFF, ACCESS_ALB, ACCESS_JSON };

/* X-Amzn-Trace-Id and traceparent of a request that has none. */
enum trace { TRACE_MAKE, TRACE_KEEP };

/* What is done with clients that ask for the nodes' addresses: sniffing.h. */
enum sniffing { SNIFFING_UNKNOWN, SNIFFING_ANSWER, SNIFFING_REFUSE, SNIFFING_PASS, SNIFFINGS };

/* By what a client's requests stay with one cluster. */
enum sticky_by { STICKY_NOT, STICKY_ADDRESS, STICKY_HEADER, STICKY_COOKIE };

struct sticky {
	enum sticky_by by;
	enum name field;  /* where the key stands: a header's own, or Cookie */
	struct span name; /* of the header or the cookie */
	uint64_t seed;	  /* of the hash: balancers with the same one agree */
};

struct route {
	bool weighted;
	enum arm arm; /* when it is not weighted */
};

/*
 * Listening sockets on their way to the workers: the worker of number n takes those at n, n +
 * worker_n and so on, once, leaving -1. They are control's, and outlive plans.
 */
struct listener_sockets {
	unsigned n;
	atomic_int list[WORKERS_MAX];
};

struct listener {
	uint32_t number;  /* stable identity, < LISTENERS_MAX: counters */
	const char *name; /* "weighted", "source", "target" */
	struct route route;
	struct front_policy policy;
	enum forwarded forwarded;
	enum trace trace;
	uint16_t port;		      /* for X-Forwarded-Port */
	uint64_t body_max;	      /* bytes of a request's body; 0: any number */
	const struct networks *allow; /* who may connect; NULL: everybody */
	const struct networks *trust; /* whose X-Forwarded-* counts; NULL: nobody's */
	bool ends_reads;	      /* of clients that finish their half while they wait */
	bool proxy_protocol; /* those in `trust` say in a PROXY header who connects; nobody else may
			      */
	struct span health;  /* the path that is answered here; empty: none */
	uint32_t connections_max; /* at once, of all listeners of the section; 0: any number */
	uint32_t room; /* likewise, where the configuration has no number: what the open files allow
			*/
	uint32_t section;	  /* of the configuration: one listener with several addresses */
	struct tls_context **tls; /* one for each worker; NULL: in the clear */
	struct listener_sockets *sockets; /* NULL: worker_listen() is called for them */
};

/* A worker's pins on one plan: exchanges, connections. Its own cache line; the worker alone writes.
 */
struct plan_pins {
	_Alignas(64) atomic_uint n;
};

struct plan {
	uint64_t number; /* counts plans of this process, from 1 */
	struct listener *listeners;
	size_t listener_n;
	struct cluster clusters[ARMS];
	struct sticky sticky;
	const struct networks *override_allow; /* who may name the arm; NULL: nobody */
	enum profile profile;
	uint16_t unknown_status; /* of writes whose outcome is unknown; 0: the error's own */
	enum sniffing sniffing;	 /* SNIFFING_UNKNOWN: such calls mean nothing here */
	enum access_format access;
	struct secret_names access_secrets; /* whose values its lines do not have */
	const struct capture_policy
		*capture; /* of what goes to the source; NULL: nothing is recorded */
	struct io_keepalive front_keepalive, back_keepalive; /* of connections from now on */
	size_t memory_max; /* of each worker's clients, and of its nodes of each cluster:
			    * base/budget.h
			    */
	unsigned worker_n;
	/* Of one worker, with all listeners, and with all nodes; 0: any number. */
	uint32_t clients_max, node_sockets_max;
	struct plan_pins *pins; /* one for each worker */
};

/* Sets named[number] of each node that the plan has; the others are left as they are. */
static inline void plan_name_nodes(const struct plan *p, bool named[NODES_MAX])
{
	for (int arm = 0; arm < ARMS; arm++)
		for (size_t i = 0; i < p->clusters[arm].node_n; i++)
			named[p->clusters[arm].nodes[i].state->number] = true;
}

/* A pin is taken and given back by the worker itself, with plain stores. */
static inline void plan_pin(const struct plan *p, unsigned worker)
{
	atomic_uint *n = &p->pins[worker].n;
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static inline void plan_unpin(const struct plan *p, unsigned worker)
{
	atomic_uint *n = &p->pins[worker].n;
	unsigned now = atomic_load_explicit(n, memory_order_relaxed);
	must(now > 0);
	atomic_store_explicit(n, now - 1, memory_order_release);
}

#endif
