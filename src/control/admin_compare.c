#include "control/admin_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/plain.h"

static const char *const compare_whats[] = {
	[COMPARE_TOUCHED] = "touched", [COMPARE_SAMPLE] = "sample", [COMPARE_ALL] = "all"
};

static void refuse_without_replay(struct call *c)
{
	admin_refuse(c, 409, "no_replay",
		     "there is nothing to compare: the configuration has no section replay, or "
		     "another process replays");
}

static void compare_look(struct replay *r, void *user)
{
	*(bool *)user = replay_compare(r);
}

/* True: it was refused. */
static bool compare_refuse(struct call *c)
{
	bool there = false;
	if (!workers_with_replay(admin_workers(c), compare_look, &there))
		refuse_without_replay(c);
	else if (!there)
		admin_refuse(c, 409, "profile_http",
			     "profile http: there is nothing to compare, for nothing says what the "
			     "service has");
	return !there;
}

/* --- the report --- */

static void compare_take_report(struct replay *r, void *user)
{
	char **text = user;
	*text = replay_compare(r) ? compare_report(replay_compare(r)) : NULL;
}

static void respond_report(struct call *c, unsigned status)
{
	char *text = NULL;
	workers_with_replay(admin_workers(c), compare_take_report, &text);
	json_t *j = text ? json_loads(text, 0, NULL) : json_incref(admin_leader(c)->compare.last);
	free(text);
	admin_respond(c, status, j ? j : json_pack("{s:s}", "state", "none"));
}

void admin_serve_compare(struct call *c)
{
	if (!compare_refuse(c))
		respond_report(c, 200);
}

/* --- an order --- */

/* False: `error` says what is wrong. */
static bool compare_read_index(const char *name, struct compare_order *o,
			       char error[ADMIN_BODY_TEXT_BYTES])
{
	size_t n = strlen(o->indices);
	if (!name || !*name || !plain_is(name) || strpbrk(name, ",/\\?#\" \t\r\n<>|")) {
		snprintf(error, ADMIN_BODY_TEXT_BYTES,
			 "indices: each is the name of an index, or a pattern such as logs-*");
		return false;
	}
	if (n + strlen(name) + 2 > sizeof o->indices) {
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "indices: they have more than %d bytes",
			 COMPARE_INDICES_BYTES - 1);
		return false;
	}
	snprintf(o->indices + n, sizeof o->indices - n, "%s%s", n ? "," : "", name);
	return true;
}

static bool compare_read_indices(const json_t *list, struct compare_order *o,
				 char error[ADMIN_BODY_TEXT_BYTES])
{
	size_t i;
	const json_t *one;
	if (list && !json_is_array(list)) {
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "indices is a list of names");
		return false;
	}
	json_array_foreach(list, i, one)
		if (!compare_read_index(json_string_value(one), o, error))
			return false;
	return true;
}

static bool compare_read_what(const char *what, json_int_t n, struct compare_order *o,
			      char error[ADMIN_BODY_TEXT_BYTES])
{
	size_t i = 0;
	while (i < sizeof compare_whats / sizeof *compare_whats &&
	       strcmp(compare_whats[i], what) != 0)
		i++;
	o->what = (enum compare_what)i;
	if (i == sizeof compare_whats / sizeof *compare_whats)
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "what is one of touched, sample and all");
	else if (n < 0 || n > COMPARE_SAMPLE_MAX || (o->what == COMPARE_SAMPLE && !n))
		snprintf(error, ADMIN_BODY_TEXT_BYTES,
			 "n is the number of documents of each index of a sample: 1 to %d",
			 COMPARE_SAMPLE_MAX);
	else
		return true;
	return false;
}

static bool compare_read_order(struct call *c, struct compare_order *o,
			       char error[ADMIN_BODY_TEXT_BYTES])
{
	const char *what = "touched", *who = NULL;
	json_t *indices = NULL;
	json_int_t n = 0;
	int repair = 0;
	json_error_t why;
	json_t *body = admin_body_parse(c->body, error);
	if (!body)
		return false;
	bool good = !json_unpack_ex(body, &why, JSON_STRICT, "{s?s,s?o,s?I,s?b,s?s}", "what", &what,
				    "indices", &indices, "n", &n, "repair", &repair, "who", &who);
	if (!good)
		admin_body_say_why(&why, error);
	good = good && compare_read_indices(indices, o, error) &&
	       compare_read_what(what, n, o, error);
	o->repair = repair;
	o->sample = good ? (uint32_t)n : 0;
	json_decref(body);
	return good;
}

struct compare_asked {
	struct compare_order order;
	bool begun;
};

static void compare_ask(struct replay *r, void *user)
{
	struct compare_asked *a = user;
	a->begun = replay_compare(r) && compare_begin(replay_compare(r), &a->order);
	replay_wake(r);
}

void admin_serve_compare_begin(struct call *c)
{
	struct compare_asked a = { 0 };
	char error[ADMIN_BODY_TEXT_BYTES];
	if (!compare_read_order(c, &a.order, error)) {
		admin_refuse(c, 400, "bad_request", error);
		return;
	}
	if (compare_refuse(c))
		return;
	workers_with_replay(admin_workers(c), compare_ask, &a);
	if (!a.begun) {
		admin_refuse(c, 409, "compare_under_way",
			     "a comparison is under way: wait for its end, or stop it");
		return;
	}
	log_line(LOG_INFO, "compare: begins: %s%s%s%s", compare_whats[a.order.what],
		 *a.order.indices ? " of " : "", a.order.indices,
		 a.order.repair ? ", with repair" : "");
	admin_respond(c, 202, json_pack("{s:s}", "state", "running"));
}

static void compare_ask_end(struct replay *r, void *user)
{
	bool *ran = user;
	*ran = replay_compare(r) && compare_cancel(replay_compare(r));
	replay_wake(r);
}

void admin_serve_compare_end(struct call *c)
{
	bool ran = false;
	if (compare_refuse(c))
		return;
	workers_with_replay(admin_workers(c), compare_ask_end, &ran);
	if (ran)
		respond_report(c, 202);
	else
		admin_refuse(c, 409, "no_compare", "no comparison is under way");
}
