#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

/*
 * A scripted client: one connection and its requests, some of them pipelined. The client may leave
 * early, close its half after the last request, or be slow. The judge checks what it gets.
 */

#include "sim/ask.h"
#include "sim/peer.h"
#include "sim/http_reader.h"
#include "sim/scenario.h"

struct world;

enum leaving {
	LEAVES_AFTER_ALL,
	LEAVES_HALF,	    /* FIN after the last request; the client reads the responses */
	LEAVES_BY_TIME,	    /* at a certain time */
	LEAVES_BY_RESPONSE, /* after so many bytes of responses */
	LEAVES_ASLEEP,	    /* the client stops reading after so many bytes */
};

struct client {
	struct world *world;
	unsigned number;
	struct peer peer;
	struct http_reader reader;
	unsigned listener;
	struct ask asks[SIM_ASKS_MAX];
	unsigned ask_n;
	unsigned said_n;       /* asks that were sent, or begun */
	unsigned responded_n;  /* asks whose response is whole */
	uint64_t responded_ms; /* when the last of these came */
	/* the script */
	unsigned depth; /* pipelined requests at a time */
	unsigned think_ms;
	enum leaving leaving;
	bool leaves_by_reset;
	uint64_t leaves_after; /* ms or bytes */
	bool waits_for_fin;    /* when a response announces the end of the connection; otherwise the
				  client closes first */
	bool sends_anyway; /* sends the body even after a final response instead of 100, or after
			      FIN */
	unsigned continue_wait_ms; /* for the 100 response */
	/* the state */
	struct timer start, connect_timer, think, leave, continue_timer;
	struct ask *waits_for_continue; /* the ask whose body waits for 100 */
	uint64_t body_from;		/* peer.sent_n when the latest ask's body begins */
	uint64_t tunnel_n;		/* bytes of its echo that have come back */
	uint64_t responses_gone;	/* bytes that nodes have sent for this client */
	unsigned interims;		/* 1xx responses before the present final one */
	bool sends_after_fin;		/* FIN has come, and the client still sends in its tunnel */
	bool told_to_close;		/* a response announced that it is the last */
	bool left;			/* the client left early, by its script */
	bool over;
};

/* Makes the script; the client starts by itself. */
void client_open(struct client *c, struct world *w, unsigned number);
void client_close(struct client *c);
/* The client leaves now. */
void client_leave(struct client *c, bool by_reset);

#endif
