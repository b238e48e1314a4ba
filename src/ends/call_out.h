#ifndef ENDS_CALL_OUT_H
#define ENDS_CALL_OUT_H

/*
 * One request that Crossfade itself makes, and its response, through the same pools and streams as
 * the clients' requests. The user of a call need not implement a stream. A call carries one
 * exchange at a time. Its request has no body.
 */

#include "ends/loop.h"
#include "ends/pool.h"

struct call_out;

struct call_out_user {
	/*
	 * The head of the final response has come: a 1xx response is not reported. The user may
	 * call call_out_keep() here.
	 */
	void (*head)(struct call_out *c, const struct msg *m);
	/* The body bytes that call_out_keep() asked for have all come. Later bytes are dropped. */
	void (*filled)(struct call_out *c);
	/*
	 * ERR_NONE: the response is whole. Otherwise the exchange failed: `why`, and the details in
	 * `said`.
	 */
	void (*over)(struct call_out *c, enum err why, const char *said);
	/* The turn has ended. The user may make the next request, or free the call's memory. */
	void (*gone)(struct call_out *c);
};

enum call_out_state {
	CALL_OUT_IDLE,
	CALL_OUT_WRITING, /* the user is building the request */
	CALL_OUT_ASKING,
	CALL_OUT_ENDED, /* until gone() */
};

/* What the calls of one user share. */
struct call_outs {
	struct loop *loop; /* borrowed */
	struct slab chunks;
	struct list ended;
	struct loop_sweep sweep;
};

struct call_out {
	struct call_outs *of; /* borrowed */
	const struct call_out_user *user;
	enum call_out_state state;
	struct list link; /* in of->ended */
	struct timer late;
	struct stream stream;
	struct arena arena;
	struct msg *request; /* in `arena` */
	unsigned status;     /* 0: no response head has come */
	char *body;	     /* owned; NULL: the body is not kept */
	size_t body_n, body_max;
};

void call_outs_open(struct call_outs *s, struct loop *loop);
/* Every call must be idle after a last sweep, which this function makes. */
void call_outs_close(struct call_outs *s);
/* Finishes ended calls (gone()) now instead of at the end of the turn. Not inside a turn. */
void call_outs_sweep(struct call_outs *s);

void call_out_init(struct call_out *c, struct call_outs *s, const struct call_out_user *user);

/*
 * Begins the next request of an idle call. The caller fills in the message, then calls
 * call_out_send().
 */
struct msg *call_out_request(struct call_out *c);
/* Sends the request on a new connection from `pool`. The whole exchange may take timeout_ms. */
void call_out_send(struct call_out *c, struct pool *pool, uint32_t timeout_ms);
/* Keeps up to bytes_max bytes of the body in c->body until gone(). */
void call_out_keep(struct call_out *c, size_t bytes_max);
/* Aborts the exchange, if one is under way: gone() follows, over() does not. */
void call_out_stop(struct call_out *c, enum err why);

#endif
