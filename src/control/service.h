#ifndef CONTROL_SERVICE_H
#define CONTROL_SERVICE_H

/*
 * A small HTTP server on a loop. Requests are received whole. A response is sent whole from memory,
 * or piece by piece. The admin API and the sample clusters use it; it carries no client traffic.
 */

#include "ends/loop.h"
#include "ends/reply.h"

struct service;

enum call_state {
	CALL_READING,
	CALL_SERVING, /* the user must respond */
	CALL_PIECING, /* the response has begun, and its pieces follow */
	CALL_RESPONDING,
	CALL_ENDED,
};

struct call {
	struct service *service;
	bool local;	  /* it came over a unix socket */
	bool sealed;	  /* it came over TLS */
	struct addr peer; /* for TCP: the address of the client */
	struct msg *request;
	struct span path, query; /* the target before '?', and after it */
	struct span body;
	void *user; /* for the user's use; NULL at first */
	/* Used by service.c only. */
	struct stream stream;
	struct arena arena;
	struct chain chain; /* the request's body; later, pieces of the response not taken yet */
	bool whole;	    /* call_end() was called */
	char *body_memory;  /* owned */
	struct msg *response;
	struct reply reply;
	struct list link;
	enum call_state state;
};

struct service_user {
	/*
	 * A whole request was received. The user responds by call_response() or call_begin(), now
	 * or later.
	 */
	void (*serve)(struct call *c);
	/*
	 * The client has gone before the response was complete. The user must not respond any more.
	 */
	void (*gone)(struct call *c);
	/*
	 * All pieces given to call_say() were taken: more may follow. NULL: the user does not wait
	 * for this.
	 */
	void (*taken)(struct call *c);
	/*
	 * Whether a client that has sent its FIN behind the request has gone. False, as NULL: it
	 * may still read.
	 */
	bool (*finished)(const struct call *c);
};

struct service {
	struct loop *loop; /* borrowed */
	const struct service_user *user;
	void *owner; /* for the user's use */
	size_t body_bytes_max;
	size_t connections_max; /* over unix sockets, and over others; 0: any number */
	size_t connection_n[2];
	bool stopped; /* no request gets a response any more */
	struct slab calls, chunks;
	struct list open, ended;
	struct list listeners;
	struct loop_sweep sweep;
};

void service_open(struct service *s, struct loop *loop, const struct service_user *user,
		  void *owner, size_t body_bytes_max);
/* Call it after service_stop(), when nothing of the service is left on the loop. */
void service_close(struct service *s);

/*
 * Accepts connections from a listening socket. `tls`, borrowed, points to the TLS context for new
 * connections, and may change. Clear text, if `tls` or *tls is NULL.
 */
void service_listen(struct service *s, int fd /* moved in */, bool local,
		    struct tls_context *const *tls);
/* Accepts no more. Each open connection gets one more response, with Connection: close. */
void service_retire(struct service *s);
/*
 * Accepts no more, and ends all connections. Some turns later nothing of the service is left on the
 * loop.
 */
void service_stop(struct service *s);
bool service_is_stopped(const struct service *s);

/* The head of a response; the caller may add fields. call_response() sets the length. */
struct msg *call_head(struct call *c, unsigned status, struct span type);
/* Sends that head and a body, which is copied. */
void call_response(struct call *c, struct span body);
/*
 * Sends that head; pieces follow by call_say(). False: the request was HEAD, and the response is
 * complete.
 */
bool call_begin(struct call *c);
/*
 * Sends a piece, which is copied. False: the client has gone, and gone() was called. A user with
 * much to send looks at call_untaken(), and above CALL_UNTAKEN_BYTES waits for taken().
 */
bool call_say(struct call *c, struct span piece);
static inline size_t call_untaken(const struct call *c)
{
	return c->chain.bytes;
}
/* The response is complete. */
void call_end(struct call *c);
/*
 * call_head() and call_response() in one call. call_error() sends
 * {"error":...,"status":...,"message":...}.
 */
void call_text(struct call *c, unsigned status, struct span type, struct span body);
void call_error(struct call *c, enum err why);

#endif
