#ifndef TESTS_SIM_TEMPER_H
#define TESTS_SIM_TEMPER_H

/*
 * What kind of world a seed makes: how large, and what befalls it. In a calm one nothing does that
 * could harm a request that is well made and well answered: there each must get just its answer.
 */

#include "io/sim.h"
#include "io/sim_disk.h"
#include "proxy/plan.h"
#include "sim/dice.h"

#define SIM_WORKERS_MAX 3   /* of one process */
#define SIM_PROCESSES_MAX 5 /* ever */
#define SIM_REBOOTS_MAX 3
#define SIM_SLOW_MS_MAX 3000
#define SIM_NODES_MAX 3
#define SIM_CLIENTS_MAX 24
#define SIM_ASKS_MAX 8 /* of one client */
#define SIM_USERS_MAX 20

enum ending {
	ENDING_IN_PEACE, /* workers stop when every client has what it came for */
	ENDING_EARLY,	 /* they stop in the midst: what is under way is seen through */
	ENDING_ABORT,	 /* and soon after that, what is left is cut */
};

/* Something is broken on purpose, and the judge must say so. */
struct deceit {
	enum sim_disk_lie disk;
	bool releases_early;	 /* what is to wait for the log does not */
	bool acknowledges_early; /* nor does its answer */
};

static inline bool deceit_is(const struct deceit *d)
{
	return d->disk || d->releases_early || d->acknowledges_early;
}

struct temper {
	struct sim_faults faults;
	unsigned workers, clients, asks_max;
	unsigned nodes[ARMS];
	uint64_t body_max; /* what the faults let through in reasonable time */
	uint64_t allowed;  /* the listeners' bound on bodies; 0: none */
	enum host_policy host[ARMS];
	bool hasty;	     /* timeouts are so short that they fire */
	bool fickle;	     /* nodes close idle connections without a word */
	bool crashes;	     /* nodes crash, and come back */
	bool deserts;	     /* a cluster may lose all its nodes */
	bool absent;	     /* the first of several nodes is never there: another has to do */
	bool stalls;	     /* workers stand still for a while */
	bool shifts;	     /* plans change */
	bool prompt[ARMS];   /* that arm's nodes never stop reading or saying what is to be said */
	bool drains;	     /* nodes are drained, and are ready again; where harm is, cut too */
	bool smooth;	     /* what is sent at once arrives at once */
	bool ill;	     /* clients and nodes that break off, or speak no HTTP */
	unsigned ejects;     /* failures in a row that eject a node; 0: none do */
	unsigned share;	     /* a worker's connections to a node at once; 0: any number */
	bool doors;	     /* addresses of nodes die, and come back; one always lives */
	unsigned sockets;    /* a worker's connections to all nodes; 0: any number */
	bool tunes;	     /* reloads change how clusters are used */
	bool limits;	     /* reloads change how many clients a listener has at once */
	bool hands_over;     /* a second process takes the first one's place */
	bool sticks;	     /* a user's requests stay with one cluster */
	bool names;	     /* clients name the cluster that they want, */
	bool obeys;	     /* and may */
	bool ends;	     /* a client that finishes its half takes its reads with it */
	bool beats;	     /* every other request of a client is a write */
	size_t memory_bytes; /* that a worker's clients may hold, and the nodes of each cluster */
	unsigned changes;    /* of weights, plans and so on */
	enum ending ending;
	/* of the capture log */
	bool records;	      /* there is one */
	bool ails;	      /* its disk is full, slow or sick at times */
	bool sickens;	      /* it may fail to keep what it has, and to cut */
	bool forgives;	      /* its directory may go */
	unsigned reboots;     /* the machine crashes, and comes back */
	unsigned commit_ms;   /* between syncs */
	unsigned queue_bytes; /* that may wait for the disk */
	struct deceit deceit;
};

void temper_make(struct temper *t, struct dice *d);
/* Of its own dice: what else happens is the same with a log and without. */
void temper_make_log(struct temper *t, struct dice *d);

/* A node may have done something that is held against it. */
bool temper_blames_nodes(const struct temper *t);
/* Nothing befalls the world from outside. */
bool temper_is_calm(const struct temper *t);
/* The same, but that workers may be short of what connections need, and may stop early: what they
 * have begun by then must not suffer. */
bool temper_is_harmless(const struct temper *t);

#endif
