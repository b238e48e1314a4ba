#ifndef REPLAY_ASK_H
#define REPLAY_ASK_H

/*
 * A question of replay's to a cluster whose response is JSON that fits into memory: mappings,
 * versions, counts. Batches of documents are read as they come instead (replay/batch.h).
 */

#include <jansson.h>

#include "capture/bytes.h"
#include "replay/subrequest.h"
#include "replay/unheard_wait.h"

struct ask;

/*
 * The response is here: ask->subrequest.status and ask->json, which is freed behind this function
 * unless it takes it. `why` is ERR_NONE when a cluster responded, with whatever status; ask->json
 * is NULL where its body is no JSON or longer than ASK_BODY_BYTES_MAX. The next question may be
 * asked in here: it goes at the end of the turn.
 */
typedef void ask_done(struct ask *a, enum err why);

struct ask {
	struct subrequest subrequest;
	ask_done *done;
	void *user;
	json_t *json;	   /* of the response; owned */
	struct bytes body; /* owned */
	bool overlong;
	/* A change that was not heard of: done() waits until it can act no more. */
	bool held;
	enum err held_why;
	char id[UNHEARD_ID_BYTES];
	struct unheard_wait wait;
	/* The next question, until the subrequest is idle. */
	bool asks;
	enum arm arm;
	const char *method;
	char *target;  /* owned */
	char *request; /* owned; NULL: it has no body */
	uint32_t timeout_ms;
	bool changes;
};

void ask_open(struct ask *a, struct subrequests *subrequests, void *user);
/* The subrequest must be idle, or its worker is about to end. */
void ask_close(struct ask *a);

/*
 * `method` is a constant. `target` is moved in (from malloc), `body` may be NULL and stays the
 * caller's.
 */
void ask_json(struct ask *a, enum arm arm, const char *method, char *target, const json_t *body,
	      uint32_t timeout_ms, ask_done *done);
/*
 * The same of a request that changes something. If it is not heard of, done() is called when it can
 * act no more (replay/unheard.h).
 */
void ask_change(struct ask *a, enum arm arm, const char *method, char *target, const json_t *body,
		uint32_t timeout_ms, ask_done *done);
bool ask_is_idle(const struct ask *a);
void ask_stop(struct ask *a);

/* `before`, the name in percent codes where it needs them, `after`: from malloc. */
char *ask_target(const char *before, const char *name, const char *after);

/* In ask_done(): a cluster responded, and with a success. */
bool ask_succeeded(const struct ask *a, enum err why);
/* In ask_done(): in words, what was no success. */
void ask_trouble(const struct ask *a, enum err why, char *to, size_t bytes);

#endif
