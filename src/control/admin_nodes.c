#include "control/admin_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "control/admin_call.h"
#include "control/drains_admin.h"
#include "control/serving.h"

static void admin_refuse_drain(struct call *c, const struct drain_change *d)
{
	char text[DRAINS_TEXT_BYTES];
	if (d->verdict == DRAIN_BUSY) {
		admin_refuse_busy(c);
	} else if (d->verdict == DRAIN_HANDED_OVER) {
		admin_refuse_handed_over(c);
	} else if (d->verdict == DRAIN_NO_NODE) {
		admin_refuse(c, 404, "unknown_node",
			     "nothing was changed, because a reload has just removed this node");
	} else {
		snprintf(text, sizeof text,
			 "nothing was changed, because audit.jsonl cannot be written: %s",
			 strerror(d->error));
		admin_refuse(c, 500, "audit_unwritable", text);
	}
}

static void drain_is_done(struct drain_change *d)
{
	struct call *c = d->caller;
	admin_is_over(c);
	if (d->verdict == DRAIN_STANDS)
		admin_respond(c, d->late_n ? 202 : 200, drains_json(d));
	else
		admin_refuse_drain(c, d);
	free(d);
}

static void forget_drain(void *change)
{
	drains_forget(change);
}

static void admin_begin_drain(struct call *c, const struct drain_change *asked)
{
	struct drain_change *d = malloc(sizeof *d);
	must(d);
	*d = *asked;
	d->done = drain_is_done;
	d->caller = c;
	admin_who(c, d->who);
	admin_wait(c, d, forget_drain);
	drains_change(&admin_leader(c)->drains, d);
}

static bool is_forbidden_drain(struct call *c, struct drain_change *asked)
{
	const struct workers *workers = admin_workers(c);
	struct board_values now = board_read(workers->board);
	char why[SERVING_TEXT_BYTES];
	if (!asked->drain || !serving_forbids_drain(&workers->nodes, &now, asked->node, why))
		return false;
	asked->forced = asked->force;
	if (!asked->force)
		admin_refuse(c, 409, "nobody_serves", why);
	return !asked->force;
}

void admin_serve_node_state(struct call *c)
{
	char name[NODE_NAME_BYTES], error[2 * DRAINS_TEXT_BYTES];
	struct drain_change asked = { 0 };
	if (!drains_read_path(c->path, name)) {
		call_error(c, ERR_NOT_FOUND);
		return;
	}
	asked.node = drains_find(&admin_workers(c)->nodes, name, error);
	if (!asked.node)
		admin_refuse(c, 404, "unknown_node", error);
	else if (!drains_read_body(c->body, &asked, error))
		admin_refuse(c, 400, "bad_request", error);
	else if (!is_forbidden_drain(c, &asked))
		admin_begin_drain(c, &asked);
}
