#include "control/admin_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

const struct admin *admin_of(const struct call *c)
{
	return c->service->owner;
}

struct workers *admin_workers(const struct call *c)
{
	return admin_of(c)->workers;
}

struct leader *admin_leader(const struct call *c)
{
	return admin_of(c)->leader;
}

/* --- responses --- */

void admin_respond(struct call *c, unsigned status, json_t *j /* moved in */)
{
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	must(text);
	size_t n = strlen(text);
	text[n++] = '\n'; /* in place of the NUL */
	call_text(c, status, ADMIN_JSON, (struct span){ text, n });
	free(text);
}

void admin_refuse(struct call *c, unsigned status, const char *word, const char *message)
{
	admin_respond(c, status,
		      json_pack("{s:s,s:i,s:s}", "error", word, "status", (int)status, "message",
				message));
}

void admin_refuse_busy(struct call *c)
{
	char text[WEIGHTS_TEXT_BYTES + CHANGE_WHAT_BYTES];
	snprintf(text, sizeof text,
		 "nothing was changed, because another change is under way: %s. Try again (a "
		 "rollback waits for no other change)",
		 admin_leader(c)->changes.what);
	admin_refuse(c, 409, "change_under_way", text);
}

void admin_refuse_handed_over(struct call *c)
{
	if (admin_leader(c)->reading.state == LEADER_READS) {
		admin_refuse(c, 503, "disk_late",
			     "nothing was changed, because this process has just taken over, and "
			     "the state directory does not answer yet: try again");
		return;
	}
	admin_refuse(c, 503, "handed_over",
		     "nothing was changed, because a newer process has just taken over: try again");
}

/* --- calls that wait --- */

/* It lives in the call's arena. */
struct waiting {
	void *what; /* owned */
	void (*forget)(void *what);
};

void admin_wait(struct call *c, void *what /* moved in */, void (*forget)(void *))
{
	struct waiting *w = arena_take(&c->arena, sizeof *w);
	*w = (struct waiting){ what, forget };
	c->user = w;
}

void admin_is_over(struct call *c)
{
	c->user = NULL;
}

void admin_gone(struct call *c)
{
	struct waiting *w = c->user;
	if (!w)
		return;
	w->forget(w->what);
	free(w->what);
	c->user = NULL;
}

/* --- who made the request --- */

/* The most bytes of the client's name for itself, so that its address has room after it. */
#define WHO_BYTES 190

void admin_who(const struct call *c, char who[ADMIN_BODY_TEXT_BYTES])
{
	char said[ADMIN_BODY_TEXT_BYTES], peer[ADDR_TEXT_BYTES];
	addr_text(&c->peer, peer);
	memcpy(said, who, sizeof said);
	int n = (int)admin_body_whole(said, WHO_BYTES);
	if (c->local)
		snprintf(who, ADMIN_BODY_TEXT_BYTES, "%.*s", n ? n : 5, n ? said : "local");
	else
		snprintf(who, ADMIN_BODY_TEXT_BYTES, "%.*s%s%s", n, said, n ? " from " : "", peer);
}
