#ifndef CONTROL_ADMIN_CALL_H
#define CONTROL_ADMIN_CALL_H

/*
 * What all handlers of the admin API share: access to the process's state, responses, and calls
 * that wait.
 */

#include <jansson.h>

#include "control/admin_body.h"
#include "control/leader.h"
#include "control/reload.h"
#include "control/service.h"

struct admin {
	struct workers *workers;     /* borrowed */
	struct leader *leader;	     /* borrowed */
	const struct reload *reload; /* borrowed */
	struct service service;
};

#define ADMIN_JSON SPAN("application/json")

const struct admin *admin_of(const struct call *c);
struct workers *admin_workers(const struct call *c);
struct leader *admin_leader(const struct call *c);

void admin_respond(struct call *c, unsigned status, json_t *j /* moved in */);
/* {"error":WORD,"status":STATUS,"message":MESSAGE} */
void admin_refuse(struct call *c, unsigned status, const char *word, const char *message);
/*
 * Refuse a change, which was not made: another change is under way; or another process makes
 * changes now.
 */
void admin_refuse_busy(struct call *c);
void admin_refuse_handed_over(struct call *c);

/*
 * The call gets its response later, from the operation that `waiting` belongs to. If the client
 * goes before that, forget() is called, and must free `waiting`. A handler calls admin_is_over()
 * before it sends the response.
 */
void admin_wait(struct call *c, void *waiting /* moved in */, void (*forget)(void *waiting));
void admin_is_over(struct call *c);
/* The client has gone. A change that it has asked for goes on. */
void admin_gone(struct call *c);

/*
 * Who made the request: the name that the client gives, and its address unless it came over the
 * unix socket.
 */
void admin_who(const struct call *c, char who[ADMIN_BODY_TEXT_BYTES]);

#endif
