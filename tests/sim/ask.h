#ifndef TESTS_SIM_ASK_H
#define TESTS_SIM_ASK_H

/*
 * One request: what its client sends, what the node that gets it does, and its outcome. The id is
 * part of the target and of a field, and determines the bodies, so that the request is recognised
 * everywhere.
 */

#include "sim/action.h"

#include "proxy/plan.h"
#include "sim/ledger.h"

struct server;
struct client;

/* What the balancer may do when an attempt fails. */
enum kind {
	KIND_REPEATABLE, /* a read; it may be sent again until a byte of a response has come */
	KIND_ONCE,	 /* a read that must not be repeated */
	KIND_WRITE,
};

/*
 * Text that is not a valid request, and the status of the response. '@' stands for the id, '~' for
 * 17 KiB, '^' for 300 fields.
 */
struct flaw {
	const char *text;
	unsigned status;
	bool in_body; /* the head is valid: a node may get it */
};

enum ask_outcome {
	ASK_OPEN,
	ASK_RESPONDED, /* a node's whole response */
	ASK_MADE_HERE,
	ASK_LOST, /* the connection ended before the response */
};

struct ask {
	uint64_t id;
	struct client *client;
	/* the script */
	const char *method;
	unsigned minor;
	enum framing framing;
	uint64_t body_n;
	bool trailers, expects, upgrades;
	bool closes; /* Connection: close */
	bool keeps;  /* HTTP/1.0 and Connection: keep-alive */
	enum kind kind;
	const char *path; /* after "/r/ID" */
	unsigned user;	  /* X-User, from 1; 0: no such field */
	bool names;	  /* X-Crossfade-Cluster names */
	enum arm named;	  /* this arm */
	bool relayed;	  /* X-Forwarded-For of an earlier proxy is already there, in two fields */
	bool too_large;	  /* larger than the listener's body_max */
	const struct flaw *flaw; /* NULL: the request is valid */
	struct action action;
	/* what happened */
	bool sent; /* the client has written all of it */
	uint64_t sent_ms;
	bool abandoned; /* its client left while the request was held */
	bool decided;	/* its arm was decided */
	enum arm arm;
	unsigned worker;	/* that decided */
	bool worker_retired;	/* the worker was retired by then */
	uint32_t tried;		/* nodes of the attempts, one bit each */
	unsigned tries;		/* number of attempts */
	uint64_t tried_ns;	/* when the first attempt began */
	struct server *server;	/* the last node that got the head */
	unsigned reached_n;	/* how often a node got the head */
	unsigned stale_n;	/* attempts on an idle connection that the node had closed */
	unsigned fates;		/* the fates that nodes gave it, one bit each */
	uint64_t again_ms;	/* when a node got it again; 0: never */
	bool heard;		/* its client has got a byte of a response */
	bool arrived;		/* a node got all of it */
	uint64_t reset_ms;	/* when the node reset its tunnel; 0: it did not */
	uint64_t request_heard; /* bytes of its body that a node got */
	enum ask_outcome outcome;
	unsigned status;
	struct entry entry; /* its record in the capture log */
};

/* `last`: the last one of its connection. */
void ask_make(struct ask *a, struct dice *d, const struct scenario *t, bool last);

uint64_t ask_key(const struct ask *a);
uint64_t ask_response_key(const struct ask *a);

void ask_write_head(const struct ask *a, struct dice *d, struct text *to);
void ask_write_body(const struct ask *a, struct dice *d, struct text *to);

/* The request and its script, for people. */
void ask_describe(const struct ask *a, char *text, size_t room);

/*
 * Whether the response is early, and the rest of the request is too long to be read, or has
 * trailers.
 */
bool ask_may_leave_rest(const struct ask *a);
/* Whether the balancer may, or must, close the client's connection after the response. */
bool ask_may_close(const struct ask *a);
bool ask_must_close(const struct ask *a);
bool ask_is_head(const struct ask *a);

#endif
