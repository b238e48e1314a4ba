#ifndef PROXY_PLAN_H
#define PROXY_PLAN_H

/*
 * The configuration as workers read it: immutable, built by control, shared by all workers of the
 * process. A worker compares one pointer each turn and adopts a new plan; exchanges pin the plan
 * that they began with. Control frees a plan when every worker has moved on and every pin is gone.
 *
 * A plan owns all its memory, except TLS contexts (reference-counted) and node states (control's).
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
#include "proxy/response_timeout.h"
#include "proxy/node_state.h"

/* The two clusters. */
enum arm { ARM_SOURCE, ARM_TARGET, ARMS };

/* "source", "target". */
const char *arm_name(enum arm a);

static inline enum arm arm_other(enum arm a)
{
	return a == ARM_SOURCE ? ARM_TARGET : ARM_SOURCE;
}

enum host_policy {
	HOST_PRESERVE, /* the client's Host goes to the cluster */
	HOST_NODE,     /* the node's name and port */
	HOST_NAME,     /* a name from the configuration */
};

enum balance { BALANCE_LEAST_OUTSTANDING, BALANCE_ROUND_ROBIN };

/* What is done with X-Forwarded-For, -Proto and -Port. */
enum forwarded { FORWARDED_APPEND, FORWARDED_PRESERVE, FORWARDED_REMOVE };

/* A node's addresses and health are in its state, which changes without a new plan. */
struct node {
	struct node_state *state; /* control's, and written by it alone */
	const char *name;	  /* "es-1.internal:9200": logs, metrics, host: node */
	const char *server_name;  /* for SNI and verification: the host alone */
	bool tls;
};

/* A change of one field in requests to a cluster. */
struct edit {
	uint8_t id; /* enum name */
	struct span name;
	struct span value; /* the field's only value afterwards; `at` NULL: the field is removed */
};

struct cluster {
	const char *name; /* "source", "target" */
	enum arm arm;
	enum balance balance;
	enum host_policy host;
	const char *host_name; /* HOST_NAME */
	const struct edit *edits;
	size_t edit_n;
	bool underscores; /* a field name with '_' is a different name from one with '-' */
	const struct node *nodes;
	size_t node_n;
	struct back_policy policy;
	struct response_timeouts response_timeouts;
	struct eject_policy eject;
	uint32_t connections, workers; /* connections to a node, over `workers`; 0: no limit */
	uint32_t queue_ms;	       /* how long a request waits for a connection */
	struct tls_context *
		*tls; /* one for each worker, then control's; NULL when no node speaks TLS */
};

/* Whether and how exchanges are logged. */
enum access_format { ACCESS_OFF, ACCESS_ALB, ACCESS_JSON };

/* Whether X-Amzn-Trace-Id and traceparent are added: TRACE_KEEP leaves the fields as they are. */
enum trace { TRACE_MAKE, TRACE_KEEP };

/* What happens to clients that ask for the nodes' addresses: sniffing.h. */
enum sniffing { SNIFFING_UNKNOWN, SNIFFING_RESPOND, SNIFFING_REFUSE, SNIFFING_PASS, SNIFFINGS };

/* What keeps a client's requests with one cluster. */
enum sticky_by { STICKY_NOT, STICKY_ADDRESS, STICKY_HEADER, STICKY_COOKIE };

struct sticky {
	enum sticky_by by;
	enum name field;  /* the field that has the key: the header itself, or Cookie */
	struct span name; /* of the header or the cookie */
	uint64_t seed;	  /* of the hash: balancers with the same seed agree */
};

struct route {
	bool weighted;
	enum arm arm; /* when it is not weighted */
};

/*
 * Listening sockets on their way to the workers. Worker n takes those at n, n + worker_n and so on,
 * once, and leaves -1 there. They are control's, and outlive plans.
 */
struct listener_sockets {
	unsigned n;
	atomic_int list[WORKERS_MAX];
};

struct listener {
	bool internal;	  /* of the balancer's own requests: they are not held */
	uint32_t number;  /* stable identity, < LISTENER_ROWS: counters */
	const char *name; /* "weighted", "source", "target", "replay" */
	struct route route;
	struct front_policy policy;
	enum forwarded forwarded;
	enum trace trace;
	uint16_t port;		      /* for X-Forwarded-Port */
	uint64_t body_max;	      /* bytes of a request's body; 0: no limit */
	const struct networks *allow; /* who may connect; NULL: everyone */
	const struct networks *trust; /* peers whose X-Forwarded-* counts; NULL: none */
	bool ends_reads;	      /* gives up a read when its client closes its sending half */
	bool proxy_protocol; /* the peers in `trust` send a PROXY header with the client's address;
				no other peer may connect */
	struct span health;  /* the path that Crossfade answers itself; empty: none */
	uint32_t connections_max; /* at once, for all listeners of the section; 0: no limit */
	uint32_t room; /* likewise, where the configuration sets no number: what the limit of open
			  files allows */
	uint32_t section;	  /* its index in the configuration; several addresses share one */
	struct tls_context **tls; /* one for each worker; NULL: no TLS */
	struct listener_sockets *sockets; /* NULL: the owner calls worker_listen() */
};

/*
 * One worker's pins on one plan: exchanges and connections. In its own cache line; only the worker
 * writes it.
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
	const struct networks *override_allow; /* the clients that may name the arm; NULL: none */
	enum profile profile;
	uint16_t unknown_status; /* for writes of unknown outcome; 0: the error's status */
	enum sniffing sniffing;	 /* SNIFFING_UNKNOWN: such calls are not recognised */
	enum access_format access;
	struct secret_names access_secrets; /* parameters whose values are not logged */
	/* Of requests to the source; NULL: nothing is recorded. */
	const struct capture_policy *capture;
	struct io_keepalive front_keepalive, back_keepalive; /* of new connections */
	size_t memory_max; /* bytes for each worker's clients, and for its nodes of each cluster:
			      base/budget.h */
	/*
	 * For requests of the balancer itself, one to each cluster, without an address; NULL: there
	 * are none. They share one row of counters.
	 */
	struct listener *internal;
	struct span internal_authorization[ARMS]; /* of the same; n = 0: none */
	unsigned worker_n;			  /* all workers of the process */
	unsigned accepting_n;			  /* the first of them, which accept clients */
	/* Limits of one worker for all listeners, and for all nodes; 0: no limit. */
	uint32_t clients_max, node_sockets_max;
	struct plan_pins *pins; /* one for each worker */
};

/* Sets named[number] for each node of the plan; leaves the others as they are. */
static inline void plan_name_nodes(const struct plan *p, bool named[NODES_MAX])
{
	for (int arm = 0; arm < ARMS; arm++)
		for (size_t i = 0; i < p->clusters[arm].node_n; i++)
			named[p->clusters[arm].nodes[i].state->number] = true;
}

/* The worker itself takes and returns pins, with plain stores. */
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
