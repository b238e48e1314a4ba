#ifndef TESTS_SIM_ASK_H
#define TESTS_SIM_ASK_H

/*
 * One request: what its client sends, what the node that gets it does, and what became of it. Its
 * id stands in target and fields, and bodies follow from it, so that it is known wherever it is
 * seen.
 */

#include "sim/deed.h"

#include "proxy/plan.h"
#include "sim/ledger.h"

struct server;
struct client;

/* What the balancer may do with it when an attempt fails. */
enum kind {
	KIND_REPEATABLE, /* a read; again, as long as no byte of an answer has come */
	KIND_ONCE,	 /* a read that is not to be repeated */
	KIND_WRITE,
};

/* A request that is none, and the status that says so. '@' is the id, '~' 17 KiB, '^' 300 fields.
 */
struct flaw {
	const char *text;
	unsigned status;
	bool in_body; /* its head is right: a node gets to see it */
};

enum ask_outcome {
	ASK_OPEN,
	ASK_ANSWERED, /* by a node, whole */
	ASK_MADE_HERE,
	ASK_LOST, /* the connection ended first */
};

struct ask {
	uint64_t id;
	struct client *client;
	/* what is sent */
	const char *method;
	unsigned minor;
	enum framing framing;
	uint64_t body_n;
	bool trailers, expects, upgrades;
	bool closes; /* Connection: close */
	bool keeps;  /* HTTP/1.0 and Connection: keep-alive */
	enum kind kind;
	const char *path; /* behind "/r/ID" */
	unsigned user;	  /* X-User, from 1; 0: it has none */
	bool names;	  /* X-Crossfade-Cluster: the arm that it is to have, */
	enum arm named;	  /* namely this one */
	bool relayed;	  /* another proxy has written X-Forwarded-For already, in two fields */
	bool too_large;	  /* for the listener */
	const struct flaw *flaw; /* NULL: it is well made */
	struct deed deed;
	/* what has been seen */
	bool sent; /* all of it was said */
	uint64_t sent_ms;
	bool decided; /* its arm was */
	enum arm arm;
	unsigned worker;	/* that decided */
	bool dismissed;		/* it accepted no more by then */
	uint32_t tried;		/* nodes that it was given to, a bit each, */
	unsigned tries;		/* so often, */
	uint64_t tried_ns;	/* and when first */
	struct server *server;	/* the last that got its head */
	unsigned reached_n;	/* so often did one */
	unsigned fates;		/* what nodes have done with it, a bit each */
	uint64_t again_ms;	/* when one did again; 0: never */
	bool heard;		/* its client has got a byte of an answer */
	bool arrived;		/* all of it did */
	uint64_t slammed_ms;	/* its tunnel's node has reset it; 0: no */
	uint64_t request_heard; /* bytes of its body that have */
	enum ask_outcome outcome;
	unsigned status;
	struct entry entry; /* in the capture log */
};

/* `last`: of its connection. */
void ask_make(struct ask *a, struct dice *d, const struct temper *t, bool last);

uint64_t ask_key(const struct ask *a);
uint64_t ask_answer_key(const struct ask *a);

void ask_write_head(const struct ask *a, struct dice *d, struct text *to);
void ask_write_body(const struct ask *a, struct dice *d, struct text *to);

/* For people: what it is and what is to become of it. */
void ask_describe(const struct ask *a, char *text, size_t room);

/* It is answered early, and the rest of it is too much to be read, or its trailers have begun. */
bool ask_may_leave_rest(const struct ask *a);
/* The balancer may, or must, close the client's connection behind the answer. */
bool ask_may_close(const struct ask *a);
bool ask_must_close(const struct ask *a);
bool ask_is_head(const struct ask *a);

#endif
