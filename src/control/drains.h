#ifndef CONTROL_DRAINS_H
#define CONTROL_DRAINS_H

/*
 * Takes nodes out of service while traffic flows, and back. A drained node gets no new request,
 * whatever its health; what is under way there goes on for the delay, and is cut then. Which nodes
 * are drained is kept in the state directory: a reload and a restart change nothing about it.
 */

#include "base/wheel.h"
#include "control/audit.h"
#include "control/drains_file.h"
#include "control/publish.h"

#define DRAINS_TEXT_BYTES 256

/* One change of one node. */
struct drain_change {
	/* What is asked for; copied texts. */
	struct node_record *node;
	bool drain;	    /* else: take it back */
	bool force, forced; /* though nobody else serves; and that is so */
	uint32_t delay_ms;  /* of a drain: from now on */
	char who[DRAINS_TEXT_BYTES], why[DRAINS_TEXT_BYTES]; /* why: "" when nobody said */
	void (*done)(struct drain_change *c);
	void *caller; /* the asker's own */
	/* What came of it. */
	char name[NODE_NAME_BYTES]; /* the node may be gone when it is over */
	bool was_drained;
	bool all_drained; /* of its cluster: requests to it are answered with 503 */
	unsigned late_n;  /* workers that have not said in time that they heed it; it stands */
	int error;	  /* errno of saving; 0: it is saved */
	/* Its own. */
	struct drains *in;
	struct timer look_again;
	uint32_t number;
	uint64_t until_ns, pause_ms;
};

struct drains {
	struct nodes *nodes;	     /* borrowed */
	struct publisher *publisher; /* borrowed */
	struct audit *audit;	     /* borrowed */
	char *directory;	     /* owned */
	struct wheel *wheel;	     /* NULL until drains_attach() */
	struct timer cut;	     /* when the first delay is over */
	struct timer save_again;
	bool changed;	    /* which nodes are drained: the asker takes it back */
	int unsaved;	    /* errno of the last save that failed; 0: all is saved */
	unsigned waiting_n; /* changes that wait for the workers */
};

/* Before workers look at the nodes: drains those that were. False with errno: the file is no good.
 */
bool drains_open(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		 struct audit *audit, const char *directory);
/* The same from a text that was kept, in the file's form. False: it is no good. */
bool drains_open_kept(struct drains *d, struct nodes *nodes, struct publisher *publisher,
		      struct audit *audit, const char *directory, struct span text);
void drains_attach(struct drains *d, struct wheel *wheel);
void drains_close(struct drains *d);

/*
 * Another process may have changed which nodes are drained, and has saved it: follows, and lets go
 * on what is with them.
 */
void drains_follow(struct drains *d);
/* Another process changes and saves them from now on. */
void drains_yield(struct drains *d);

/* The nodes are others: what is not among them is forgotten. */
void drains_renew(struct drains *d);

/* The change stands at once; done() follows, never inside this call, when every worker heeds it. */
int drains_change(struct drains *d, struct drain_change *c);
/* Nobody wants to hear of it any more; the change stands. */
void drains_forget(struct drain_change *c);

#endif
