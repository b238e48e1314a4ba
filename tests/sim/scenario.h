#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

/*
 * The kind of world that a seed makes: its size, and its faults. In a calm world no fault can harm
 * a valid request with a valid response: there each request must get exactly its response.
 */

#include "io/sim.h"
#include "io/sim_disk.h"
#include "proxy/plan.h"
#include "sim/dice.h"

#define SIM_WORKERS_MAX 3   /* in one process */
#define SIM_PROCESSES_MAX 5 /* in one run */
#define SIM_REBOOTS_MAX 3
#define SIM_SLOW_MS_MAX 3000
#define SIM_NODES_MAX 3
#define SIM_CLIENTS_MAX 24
#define SIM_ASKS_MAX 8 /* of one client */
#define SIM_USERS_MAX 20

enum ending {
	ENDING_IN_PEACE, /* workers stop when every client has its responses */
	ENDING_EARLY,	 /* workers stop early: requests in flight are completed */
	ENDING_ABORT,	 /* likewise, and soon afterwards the rest is cut */
};

/* A defect on purpose, which the judge must find. */
struct deceit {
	enum sim_disk_lie disk;
	bool releases_early;	 /* requests do not wait for the log */
	bool acknowledges_early; /* responses do not wait for the log */
};

static inline bool deceit_is(const struct deceit *d)
{
	return d->disk || d->releases_early || d->acknowledges_early;
}

struct scenario {
	struct sim_faults faults;
	unsigned workers, clients, asks_max;
	unsigned nodes[ARMS];
	uint64_t body_max; /* as large as the faults let through in reasonable time */
	uint64_t allowed;  /* the listeners' body_max; 0: no limit */
	enum host_policy host[ARMS];
	bool short_timeouts;   /* timeouts are so short that they expire */
	bool closes_idle;      /* nodes close idle connections without notice */
	bool crashes;	       /* nodes crash, and come back */
	bool loses_all_nodes;  /* a cluster may lose all its nodes */
	bool first_node_down;  /* the first of several nodes is always down */
	bool stalls;	       /* workers stall for a while */
	bool shifts;	       /* plans change */
	bool prompt[ARMS];     /* nodes of that arm read and send without pauses */
	bool drains;	       /* nodes are drained and made ready; in harmful worlds also cut */
	bool smooth;	       /* bytes that are sent at once arrive at once */
	bool peers_misbehave;  /* clients and nodes break off, or send what is not HTTP */
	unsigned ejects;       /* failures in a row before an ejection; 0: no ejection */
	unsigned share;	       /* a worker's requests to one node at a time; 0: no limit */
	bool ports;	       /* addresses of nodes die, and work again; one always works */
	unsigned sockets;      /* a worker's connections to all nodes; 0: no limit */
	bool tunes;	       /* reloads change how clusters are used */
	bool limits;	       /* reloads change the listeners' limit of clients */
	bool hands_over;       /* a second process replaces the first one */
	bool sticky_users;     /* a user's requests stay with one cluster */
	bool names;	       /* clients send X-Crossfade-Cluster */
	bool override_allowed; /* and are allowed to */
	bool ends;	       /* the listeners have `ends_reads` */
	bool alternates;       /* every other request of a client is a write */
	size_t memory_bytes;   /* memory of a worker's clients, and of the nodes of each cluster */
	unsigned changes;      /* of weights, plans and so on */
	enum ending ending;
	/* the capture log */
	bool records;	       /* there is one */
	bool disk_fails;       /* its disk is full, slow or failing at times */
	bool disk_loses_bytes; /* the disk may lose written bytes, and fail to cut a file */
	bool loses_directory;  /* its directory may be lost */
	unsigned reboots;      /* crashes of the machine */
	unsigned commit_ms;    /* between syncs */
	unsigned queue_bytes;  /* bytes that may wait for the disk */
	struct deceit deceit;
};

void scenario_make(struct scenario *t, struct dice *d);
/* Uses dice of its own: all other events are the same with a log and without. */
void scenario_make_log(struct scenario *t, struct dice *d);

/* Whether a node may have done something that counts against it. */
bool scenario_blames_nodes(const struct scenario *t);
/* Whether there are no faults from outside. */
bool scenario_is_calm(const struct scenario *t);
/*
 * The same, except that workers may be short of resources for connections, and may stop early; what
 * they had begun by then must not suffer.
 */
bool scenario_is_harmless(const struct scenario *t);

#endif
