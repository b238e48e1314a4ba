#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

/*
 * A scripted client: one connection and the requests on it, some of them pipelined. It may leave in
 * the midst, half-close behind its last request, or be slow. What it gets goes to the judge.
 */

#include "sim/ask.h"
#include "sim/peer.h"
#include "sim/hearer.h"
#include "sim/temper.h"

struct world;

enum leaving {
	LEAVES_AFTER_ALL,
	LEAVES_HALF,	  /* FIN behind the last request; it hears the answers */
	LEAVES_BY_TIME,	  /* whatever happens */
	LEAVES_BY_ANSWER, /* when it has heard so many bytes */
	LEAVES_ASLEEP,	  /* behind so many bytes it hears no more */
};

struct client {
	struct world *world;
	unsigned number;
	struct peer peer;
	struct hearer reader;
	unsigned listener;
	struct ask asks[SIM_ASKS_MAX];
	unsigned ask_n;
	unsigned said_n;      /* asks that are said, or begun to be */
	unsigned answered_n;  /* asks whose answer is whole */
	uint64_t answered_ms; /* the last of them */
	/* its script */
	unsigned depth; /* requests that it has under way at a time */
	unsigned think_ms;
	enum leaving leaving;
	bool leaves_by_reset;
	uint64_t leaves_after; /* ms or bytes */
	bool waits_for_fin;    /* when it is told that a connection ends; else it finishes first */
	bool sends_anyway;     /* the body, after a final answer came instead of 100, or FIN */
	unsigned patience_ms;  /* for 100 */
	/* where it is */
	struct timer start, knock, think, leave, patience;
	struct ask *promised;  /* its body waits for 100 */
	uint64_t body_from;    /* peer.said bytes when the latest ask's body began */
	uint64_t tunnel_n;     /* bytes of its echo that are back */
	uint64_t answers_gone; /* bytes that nodes have sent for it */
	unsigned interims;     /* of the present answer */
	bool talks_on;	       /* FIN has come, and it has more to say in its tunnel */
	bool told_to_close;    /* an answer said that it is the last */
	bool left;	       /* by its own will, before it had all */
	bool over;
};

/* Makes its script; it starts by itself. */
void client_open(struct client *c, struct world *w, unsigned number);
void client_close(struct client *c);

#endif
