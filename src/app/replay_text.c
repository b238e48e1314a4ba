#include "app/replay_text.h"

#include <string.h>

#include "app/paint.h"
#include "base/plain.h"
#include "control/duration.h"

#define BAR 24
/* Of parked and not exact indices that are shown; `crossfade status -o json` has all. */
#define SHOWN 10

static const char *replay_word(const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));
	return text ? text : "";
}

static long long replay_integer(const json_t *j, const char *name)
{
	return (long long)json_integer_value(json_object_get(j, name));
}

static void replay_put_name(FILE *to, const char *name, bool good)
{
	fprintf(to, "%s%-10s%s %s", paint(PAINT_BOLD), name, paint(PAINT_NONE),
		good ? "" : paint(PAINT_YELLOW));
}

/* Ends a line of replay_put_name(). */
static void replay_put_end(FILE *to, bool good)
{
	fprintf(to, "%s\n", good ? "" : paint(PAINT_NONE));
}

/* A cluster, or a person, may have said it. */
static void replay_put_plain(FILE *to, const char *text)
{
	plain_put(text, strlen(text), to);
}

/* --- a backfill --- */

void replay_text_progress(char *to, size_t bytes, const json_t *b)
{
	long long copied = replay_integer(b, "copied"), all = replay_integer(b, "documents");
	double speed = json_number_value(json_object_get(b, "documents_a_second"));
	const json_t *left = json_object_get(b, "left_seconds");
	char bar[BAR + 1], time[DURATION_TEXT_BYTES];
	size_t full = all > 0 ? (size_t)(copied * BAR / all) : 0;
	memset(bar, '-', BAR);
	memset(bar, '#', full < BAR ? full : BAR);
	bar[BAR] = 0;
	int n = snprintf(to, bytes, "[%s] %lld of %lld documents (%lld%%), %.0f/s", bar, copied,
			 all, all > 0 ? copied * 100 / all : 0, speed);
	if (!strcmp(replay_word(b, "state"), "paused"))
		snprintf(to + n, bytes - (size_t)n, ", paused");
	else if (json_is_integer(left))
		snprintf(to + n, bytes - (size_t)n, ", %s left",
			 duration_text((uint64_t)json_integer_value(left) * 1000, time));
}

void replay_text_end(FILE *to, const json_t *b)
{
	fprintf(to, "%s: %lld documents of %lld indices were copied, %s to %s.\n",
		!strcmp(replay_word(b, "state"), "done") ? "The backfill is done"
							 : "The backfill was stopped",
		replay_integer(b, "copied"), replay_integer(b, "indices"), replay_word(b, "begun"),
		replay_word(b, "ended"));
	if (!strcmp(replay_word(b, "state"), "done"))
		fputs("Documents that the replica has, and the owner has not, were not looked "
		      "at.\n",
		      to);
}

static void replay_put_backfill(FILE *to, const json_t *b)
{
	char text[256];
	const char *state = replay_word(b, "state"), *trouble = replay_word(b, "trouble");
	if (!json_is_object(b))
		return;
	bool goes = !strcmp(state, "running");
	if (!goes && strcmp(state, "paused") != 0) {
		replay_put_name(to, "backfill", true);
		fprintf(to, "%s at %s: %lld documents of %lld indices\n", state,
			replay_word(b, "ended"), replay_integer(b, "copied"),
			replay_integer(b, "indices"));
		return;
	}
	replay_text_progress(text, sizeof text, b);
	replay_put_name(to, "backfill", goes && !*trouble);
	fputs(text, to);
	fputs(*trouble ? ": " : "", to);
	replay_put_plain(to, trouble);
	replay_put_end(to, goes && !*trouble);
}

/* --- the lines --- */

static void replay_put_head(FILE *to, const json_t *r)
{
	const json_t *keys = json_object_get(r, "keys"), *lag = json_object_get(r, "lag_ms");
	const json_t *requests = json_object_get(r, "requests");
	const char *state = replay_word(r, "state"), *trouble = replay_word(r, "trouble");
	fprintf(to, "%sreplay%s   %s%s%s, ", paint(PAINT_BOLD), paint(PAINT_NONE),
		paint_good(!strcmp(state, "current") && !*trouble), state, paint(PAINT_NONE));
	if (json_is_integer(lag))
		fprintf(to, "lag %.1f s, ", (double)json_integer_value(lag) / 1000);
	if (json_is_object(requests))
		fprintf(to, "%lld requests wait, %lld were sent, %lld were skipped\n",
			replay_integer(requests, "waiting") + replay_integer(requests, "in_flight"),
			replay_integer(requests, "sent"), replay_integer(requests, "skipped"));
	else
		fprintf(to, "%lld keys wait, %lld set aside, %zu not exact\n",
			replay_integer(keys, "waiting") + replay_integer(keys, "in_flight"),
			replay_integer(r, "set_aside"),
			json_object_size(json_object_get(r, "not_exact")));
	if (!*trouble)
		return;
	fputs("         ", to);
	replay_put_plain(to, trouble);
	putc('\n', to);
}

static void replay_put_paused(FILE *to, const json_t *p)
{
	if (!json_is_object(p))
		return;
	replay_put_name(to, "paused", false);
	fprintf(to, "since %s by ", replay_word(p, "when"));
	replay_put_plain(to, replay_word(p, "who"));
	fputs(": `crossfade replay resume` lets it go on", to);
	replay_put_end(to, false);
}

static void replay_put_parked(FILE *to, const json_t *list)
{
	size_t i;
	const json_t *one;
	json_array_foreach(list, i, one) {
		if (i == SHOWN)
			break;
		replay_put_name(to, "parked", false);
		fprintf(to, "%s: %lld keys wait: ", replay_word(one, "index"),
			replay_integer(one, "keys"));
		replay_put_plain(to, replay_word(one, "why"));
		replay_put_end(to, false);
	}
}

static void replay_put_held(FILE *to, const json_t *list)
{
	size_t i;
	const json_t *one;
	json_array_foreach(list, i, one) {
		replay_put_name(to, "stopped", false);
		fputs("at ", to);
		replay_put_plain(to, replay_word(one, "request"));
		fprintf(to, " of %s: ", replay_word(one, "when"));
		replay_put_plain(to, replay_word(one, "why"));
		replay_put_end(to, false);
	}
	if (i)
		fputs("           `crossfade replay resume --skip` leaves them out, `--send` sends "
		      "them\n",
		      to);
}

/* Requests that are sent as they were have no indices. */
static void replay_put_not_exact(FILE *to, json_t *all, bool of_requests)
{
	const char *index;
	const json_t *one;
	int n = 0;
	json_object_foreach(all, index, one) {
		if (n++ == SHOWN)
			break;
		replay_put_name(to, "not exact", false);
		if (!of_requests) {
			replay_put_plain(to, strcmp(index, "*") != 0 ? index : "any index");
			fputs(": ", to);
		}
		replay_put_plain(to, replay_word(one, "why"));
		fprintf(to, " (%lld, last at %s)", replay_integer(one, "n"),
			replay_word(one, "when"));
		replay_put_end(to, false);
	}
	if (n && of_requests)
		fputs("           copy the owner's data by other means, then `crossfade replay "
		      "restart --from` the time of the copy\n",
		      to);
}

void replay_text_put(FILE *to, const json_t *r)
{
	long long aside = replay_integer(r, "set_aside");
	if (!json_is_object(r))
		return;
	replay_put_head(to, r);
	replay_put_paused(to, json_object_get(r, "paused"));
	replay_put_backfill(to, json_object_get(r, "backfill"));
	if (aside) {
		replay_put_name(to, "set aside", false);
		fprintf(to,
			"%lld documents that the replica refuses: `crossfade replay set-aside "
			"list` says why",
			aside);
		replay_put_end(to, false);
	}
	replay_put_parked(to, json_object_get(r, "parked"));
	replay_put_held(to, json_object_get(r, "held"));
	replay_put_not_exact(to, json_object_get(r, "not_exact"), json_object_get(r, "requests"));
}

/* --- what was set aside --- */

/* Where a person finds the request. */
static void replay_put_origin(FILE *to, const json_t *one)
{
	if (!json_object_get(one, "record"))
		return;
	fprintf(to, "    written %s: `crossfade capture cat -c FILE --from-sequence ",
		replay_word(one, "written"));
	replay_put_plain(to, replay_word(one, "record"));
	fputs("`\n", to);
}

void replay_text_aside(FILE *to, const json_t *list)
{
	size_t i;
	const json_t *one, *documents = json_object_get(list, "documents");
	json_array_foreach(documents, i, one) {
		replay_put_plain(to, replay_word(one, "index"));
		putc('/', to);
		replay_put_plain(to, replay_word(one, "id"));
		fprintf(to, "  %s  %lld ", replay_word(one, "when"), replay_integer(one, "status"));
		replay_put_plain(to, replay_word(one, "error"));
		fputs("\n    ", to);
		replay_put_plain(to, replay_word(one, "reason"));
		putc('\n', to);
		replay_put_origin(to, one);
	}
}
