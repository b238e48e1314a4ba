#include "replay/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"
#include "http/percent.h"
#include "replay/refusal.h"

static const struct span ask_type = { "application/json", 16 };

static struct ask *ask_of(struct subrequest *c)
{
	return list_entry(c, struct ask, subrequest);
}

static void ask_clear(struct ask *a)
{
	json_decref(a->json);
	a->json = NULL;
	bytes_free(&a->body);
	a->overlong = false;
}

/* --- asking --- */

static void ask_send(struct ask *a)
{
	a->asks = false;
	ask_clear(a);
	if (a->changes)
		unheard_id(a->subrequest.of->unheard, a->id);
	struct msg *m =
		subrequest_begin(&a->subrequest, a->arm, span_of(a->method), span_of(a->target));
	if (m && a->changes)
		msg_add_named(m, SPAN("X-Opaque-Id"), span_of(a->id));
	if (m && a->request)
		subrequest_write(&a->subrequest, a->request, strlen(a->request));
	free(a->target);
	free(a->request);
	a->target = a->request = NULL;
	if (m)
		subrequest_send(&a->subrequest, ask_type, a->timeout_ms);
	else
		a->done(a, ERR_NO_ADDRESS);
}

static void ask_any(struct ask *a, enum arm arm, const char *method, char *target,
		    const json_t *body, uint32_t timeout_ms, ask_done *done)
{
	must(!a->asks && target);
	a->asks = true;
	a->arm = arm;
	a->method = method;
	a->target = target;
	a->request = body ? json_dumps(body, JSON_COMPACT) : NULL;
	a->timeout_ms = timeout_ms;
	a->done = done;
	if (subrequest_is_idle(&a->subrequest) && !a->held)
		ask_send(a);
}

void ask_json(struct ask *a, enum arm arm, const char *method, char *target, const json_t *body,
	      uint32_t timeout_ms, ask_done *done)
{
	a->changes = false;
	ask_any(a, arm, method, target, body, timeout_ms, done);
}

void ask_change(struct ask *a, enum arm arm, const char *method, char *target, const json_t *body,
		uint32_t timeout_ms, ask_done *done)
{
	a->changes = true;
	ask_any(a, arm, method, target, body, timeout_ms, done);
}

/* --- what the subrequest says --- */

static size_t ask_data(struct subrequest *c, struct span bytes)
{
	struct ask *a = ask_of(c);
	a->overlong |= a->body.n + bytes.n > ASK_BODY_BYTES_MAX;
	if (!a->overlong)
		bytes_add(&a->body, bytes);
	return bytes.n;
}

static void ask_heard(struct unheard_wait *w);

static void ask_over(struct subrequest *c, enum err why)
{
	struct ask *a = ask_of(c);
	if (why == ERR_NONE)
		why = c->local;
	if (why == ERR_NONE && a->body.n && !a->overlong)
		a->json = json_loadb(a->body.at, a->body.n, JSON_DECODE_ANY, NULL);
	a->held_why = why;
	a->held = a->changes && subrequest_is_unheard(c, why) &&
		  unheard_wait(c->of->unheard, &a->wait, a->id, ask_heard);
	if (!a->held)
		a->done(a, why);
}

static void ask_go_on(struct ask *a)
{
	if (a->asks)
		ask_send(a);
	else
		ask_clear(a);
}

static void ask_gone(struct subrequest *c)
{
	struct ask *a = ask_of(c);
	if (!a->held)
		ask_go_on(a);
}

/* What is asked in done() is sent behind it. */
static void ask_heard(struct unheard_wait *w)
{
	struct ask *a = list_entry(w, struct ask, wait);
	a->done(a, a->held_why);
	a->held = false;
	if (subrequest_is_idle(&a->subrequest))
		ask_go_on(a);
}

static const struct subrequest_user ask_user = { .data = ask_data,
						 .over = ask_over,
						 .gone = ask_gone };

/* --- a life --- */

void ask_open(struct ask *a, struct subrequests *subrequests, void *user)
{
	*a = (struct ask){ .user = user };
	subrequest_init(&a->subrequest, subrequests, &ask_user);
}

void ask_close(struct ask *a)
{
	ask_clear(a);
	free(a->target);
	free(a->request);
}

bool ask_is_idle(const struct ask *a)
{
	return subrequest_is_idle(&a->subrequest) && !a->asks && !a->held;
}

void ask_stop(struct ask *a)
{
	struct unheard *unheard = a->subrequest.of->unheard;
	a->asks = false;
	free(a->target);
	free(a->request);
	a->target = a->request = NULL;
	if (a->held)
		unheard_forget(unheard, &a->wait);
	if (a->held || (a->changes && a->subrequest.state == SUBREQUEST_SENT))
		unheard_lose(unheard);
	a->held = false;
	subrequest_stop(&a->subrequest);
}

char *ask_target(const char *before, const char *name, const char *after)
{
	char *target, *coded = malloc(3 * strlen(name) + 1);
	must(coded);
	percent_encode(span_of(name), coded);
	must(asprintf(&target, "%s%s%s", before, coded, after) > 0);
	free(coded);
	return target;
}

bool ask_succeeded(const struct ask *a, enum err why)
{
	return why == ERR_NONE && a->subrequest.status < 300;
}

static const char *ask_error_text(const json_t *error, const char *key)
{
	const char *text = json_string_value(json_object_get(error, key));
	return text ? text : "";
}

void ask_trouble(const struct ask *a, enum err why, char *to, size_t bytes)
{
	const json_t *error = json_object_get(a->json, "error");
	/* Of some errors the reason alone stands there, as a text. */
	const char *plain = json_string_value(error);
	const char *type = ask_error_text(error, "type");
	const char *reason = plain ? plain : ask_error_text(error, "reason");
	const char *meaning =
		refusal_meaning(a->arm, a->subrequest.status, span_of(type), span_of(reason));
	if (why != ERR_NONE)
		snprintf(to, bytes, "%s", err_sentence(why));
	else if (meaning)
		snprintf(to, bytes, "%s (%u %s: %s)", meaning, a->subrequest.status, type, reason);
	else
		snprintf(to, bytes, "%u %s: %s", a->subrequest.status, type, reason);
}
