#ifndef CONTROL_SERVICE_H
#define CONTROL_SERVICE_H

/*
 * A small HTTP server on a loop: whole requests in, whole answers out, in memory. The admin API and
 * the sample clusters are its users; nothing of a data path is.
 */

#include "control/loop.h"
#include "ends/reply.h"

struct service;

enum call_state {
	CALL_READING,
	CALL_SERVING, /* the user has it */
	CALL_ANSWERING,
	CALL_ENDED,
};

struct call {
	struct service *service;
	bool local;	  /* it came over a unix socket */
	struct addr peer; /* else: from where */
	struct msg *request;
	struct span path, query; /* the target up to '?', and behind it */
	struct span body;
	void *user; /* the user's own; NULL at first */
	/* The service's own. */
	struct stream stream;
	struct arena arena;
	struct chain chain;
	char *body_memory; /* owned */
	struct msg *answer;
	struct reply reply;
	struct list link;
	enum call_state state;
};

struct service_user {
	/* A request has come whole. The call is answered by call_answer(), now or later. */
	void (*serve)(struct call *c);
	/* The client has gone before it was answered: it must not be answered any more. */
	void (*gone)(struct call *c);
};

struct service {
	struct loop *loop; /* borrowed */
	const struct service_user *user;
	void *owner; /* the user's own */
	size_t body_bytes_max;
	size_t connections_max; /* by unix sockets, and by others; 0: any number */
	size_t connection_n[2];
	bool stopped; /* nobody is answered any more */
	struct slab calls, chunks;
	struct list open, ended;
	struct list listeners;
	struct loop_sweep sweep;
};

void service_open(struct service *s, struct loop *loop, const struct service_user *user,
		  void *owner, size_t body_bytes_max);
/* After service_stop() and when the loop is quiet. */
void service_close(struct service *s);

/* Accepts from a listening socket. `tls` NULL: in the clear. */
void service_listen(struct service *s, int fd /* moved in */, bool local, struct tls_context *tls);
/* Accepts no more; whoever is connected gets one more answer, with Connection: close. */
void service_retire(struct service *s);
/* Accepts no more, and ends what there is; some turns later the loop is quiet. */
void service_stop(struct service *s);
bool service_is_stopped(const struct service *s);

/* An answer's head; fields may be added. The length is set by call_answer(). */
struct msg *call_head(struct call *c, unsigned status, struct span type);
/* Answers with that head and a body, which is copied. */
void call_answer(struct call *c, struct span body);
/* call_head() and call_answer() at once, with {"error":...,"status":...,"message":...} for an
 * error. */
void call_text(struct call *c, unsigned status, struct span type, struct span body);
void call_error(struct call *c, enum err why);

#endif
