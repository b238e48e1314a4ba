#include "control/admin_weights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "control/admin_call.h"
#include "control/history.h"
#include "control/serving.h"
#include "control/weights_json.h"

static void add_etag(struct msg *head, uint64_t epoch)
{
	char tag[32];
	int n = snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)epoch);
	msg_add(head, NAME_ETAG, (struct span){ tag, (size_t)n });
}

static void respond_weights(struct call *c, unsigned status, uint64_t epoch,
			    json_t *j /* moved in */)
{
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	must(text);
	size_t n = strlen(text);
	text[n++] = '\n';
	add_etag(call_head(c, status, ADMIN_JSON), epoch);
	call_response(c, (struct span){ text, n });
	free(text);
}

void admin_serve_weights(struct call *c)
{
	struct board_values v = board_read(admin_workers(c)->board);
	respond_weights(c, 200, v.epoch,
			weights_json(v.weights, v.epoch, !admin_leader(c)->weights.unsaved));
}

static void admin_change_is_done(struct weights_change *w);

static struct weights_change *change_new(struct call *c)
{
	struct weights_change *w = calloc(1, sizeof *w);
	must(w);
	w->done = admin_change_is_done;
	w->caller = c;
	return w;
}

static void admin_refuse_change(struct call *c, const struct weights_change *w);

static void admin_change_is_done(struct weights_change *w)
{
	struct call *c = w->caller;
	admin_is_over(c);
	if (!weights_stand(w->verdict)) {
		admin_refuse_change(c, w);
		free(w);
		return;
	}
	json_t *j = weights_json_change(w);
	json_object_set_new(j, "warnings", writes_warnings(&admin_leader(c)->writes, w));
	respond_weights(c, w->verdict == WEIGHTS_ACKNOWLEDGED ? 200 : 202, w->to.epoch, j);
	free(w);
}

static void forget_weights(void *change)
{
	weights_forget(change);
}

/* --- a change with another epoch --- */

struct stale {
	struct history_asker asker;
	struct call *call;
	uint64_t epoch, if_epoch;
};

/* Says who made the change that came first, as far as the audit has it and the disk answers. */
static void stale_respond(struct history_asker *a, const json_t *history, int error)
{
	struct stale *s = list_entry(a, struct stale, asker);
	char told[HISTORY_TEXT_BYTES], text[HISTORY_TEXT_BYTES + 100];
	(void)error;
	history_tell(history, s->epoch, told);
	snprintf(text, sizeof text, "the epoch is %llu, not %llu: %s", (unsigned long long)s->epoch,
		 (unsigned long long)s->if_epoch, told[0] ? told : "another change came first");
	admin_is_over(s->call);
	admin_respond(s->call, 412,
		      json_pack("{s:s,s:i,s:o,s:O*}", "error", "epoch_differs", "status", 412,
				"message", admin_body_log_text(text), "change",
				history_of_epoch(history, s->epoch)));
	free(s);
}

static void forget_stale(void *stale)
{
	struct stale *s = stale;
	history_drop(&s->asker);
}

static void refuse_stale(struct call *c, const struct weights_change *w)
{
	struct stale *s = malloc(sizeof *s);
	must(s);
	*s = (struct stale){ .asker.told = stale_respond,
			     .call = c,
			     .epoch = w->from.epoch,
			     .if_epoch = w->if_epoch };
	admin_wait(c, s, forget_stale);
	history_ask(&admin_leader(c)->history, &s->asker);
}

/* --- a refused change --- */

static void admin_refuse_change(struct call *c, const struct weights_change *w)
{
	char text[WEIGHTS_TEXT_BYTES];
	switch (w->verdict) {
	case WEIGHTS_ZERO:
		admin_refuse(c, 400, "both_zero", "both weights are 0: no request would be served");
		break;
	case WEIGHTS_STALE:
		refuse_stale(c, w);
		break;
	case WEIGHTS_UNSAVED:
		snprintf(text, sizeof text,
			 "nothing was changed, because the state cannot be saved: %s (a rollback "
			 "is still possible)",
			 strerror(w->error));
		admin_refuse(c, 500, "state_unsaved", text);
		break;
	case WEIGHTS_UNTOLD:
		snprintf(text, sizeof text,
			 "nothing was changed, because audit.jsonl cannot be written: %s (a "
			 "rollback is still possible)",
			 strerror(w->error));
		admin_refuse(c, 500, "audit_unwritable", text);
		break;
	case WEIGHTS_BUSY:
		admin_refuse_busy(c);
		break;
	case WEIGHTS_OVERTAKEN:
		admin_refuse(c, 409, "overtaken",
			     "nothing was changed, because a rollback was made while this change "
			     "was being saved");
		break;
	case WEIGHTS_HANDED_OVER:
		admin_refuse_handed_over(c);
		break;
	case WEIGHTS_ACKNOWLEDGED:
	case WEIGHTS_LATE:
	case WEIGHTS_WAITING:
		must(!"a change that stands is not refused");
	}
}

/* A change that leaves requests without a node needs force. A rollback never does. */
static bool is_forbidden_change(struct call *c, struct weights_change *w)
{
	const struct workers *workers = admin_workers(c);
	struct board_values now = board_read(workers->board);
	char why[SERVING_TEXT_BYTES];
	if (w->at_once || !(w->weights[ARM_SOURCE] || w->weights[ARM_TARGET]) ||
	    (w->if_epoch && w->if_epoch != now.epoch) ||
	    !serving_forbids_weights(&workers->nodes, &now, w->weights, why))
		return false;
	w->forced = w->force;
	if (!w->force)
		admin_refuse(c, 409, "nobody_serves", why);
	return !w->force;
}

static void admin_begin_change(struct call *c, struct weights_change *w /* moved in */)
{
	admin_who(c, w->who);
	if (is_forbidden_change(c, w)) {
		free(w);
		return;
	}
	if (weights_set(&admin_leader(c)->weights, w) == WEIGHTS_WAITING) {
		admin_wait(c, w, forget_weights);
		return;
	}
	admin_refuse_change(c, w);
	free(w);
}

/* If-Match: "7", 7 or *: RFC 9110, 13.1.1. *epoch is 0 for any epoch. */
static bool read_if_match(struct call *c, uint64_t *epoch)
{
	struct span value = msg_value(c->request, NAME_IF_MATCH);
	unsigned long long n;
	*epoch = 0;
	if (!value.at || span_is(value, SPAN("*")))
		return true;
	if (value.n >= 2 && value.at[0] == '"' && value.at[value.n - 1] == '"')
		value = (struct span){ value.at + 1, value.n - 2 };
	if (!span_to_u64(value, INT64_MAX, &n) || n == 0)
		return false;
	*epoch = n;
	return true;
}

void admin_serve_change(struct call *c)
{
	char error[WEIGHTS_TEXT_BYTES];
	struct weights_change *w = change_new(c);
	if (!read_if_match(c, &w->if_epoch))
		admin_refuse(c, 400, "bad_if_match", "If-Match is not an epoch, such as \"7\"");
	else if (!weights_json_read(c->body, w, error))
		admin_refuse(c, 400, "bad_request", error);
	else {
		admin_begin_change(c, w);
		return;
	}
	free(w);
}

void admin_serve_rollback(struct call *c)
{
	char error[WEIGHTS_TEXT_BYTES];
	struct weights_change *w = change_new(c);
	w->at_once = true;
	w->weights[ARM_SOURCE] = 1;
	if (weights_json_read_rollback(c->body, w, error)) {
		admin_begin_change(c, w);
		return;
	}
	admin_refuse(c, 400, "bad_request", error);
	free(w);
}
