#include "control/absence.h"

#include "base/clock.h"
#include "base/log.h"
#include "capture/policy.h"
#include "control/duration.h"

/* The timer wakes control: it looks at each turn. */
static void look_is_due(struct timer *t)
{
	struct absence *a = list_entry(t, struct absence, due);
	timer_set(a->wheel, t, a->wheel->now_ms + ABSENCE_LOOK_MS);
}

static uint64_t failures_of(const struct recorder *r)
{
	return counter_read(&journal_counts(r->writer.journal)->failures);
}

void absence_open(struct absence *a, struct recorder *r, struct wheel *wheel)
{
	*a = (struct absence){ .recorder = r->taps ? r : NULL, .wheel = wheel };
	if (!a->recorder)
		return;
	timer_init(&a->due, look_is_due);
	timer_set(wheel, &a->due, wheel->now_ms + ABSENCE_LOOK_MS);
}

/* --- it is away --- */

static const char *fate(const struct recorder *r, const struct config_capture *c)
{
	bool refuse = c->unavailable == UNAVAILABLE_REFUSE;
	if (journal_is_late(r->writer.journal))
		return refuse ? "what waits for it is refused with 503"
			      : "what waits for it is served without, as `unavailable: forward` "
				"says";
	return refuse ? "writes are refused with 503, and reads pass unrecorded"
		      : "writes and reads pass unrecorded, as `unavailable: forward` says";
}

static void say_away(const struct absence *a, const struct config_capture *c)
{
	char why[RECORDER_TROUBLE_BYTES];
	recorder_trouble(a->recorder, why);
	log_line(LOG_ERROR, "capture: the log in %.300s is unavailable: %s; %s", c->directory, why,
		 fate(a->recorder, c));
}

/* The journal's own moment, where it has one: control may have looked a little later. */
static uint64_t began(const struct recorder *r)
{
	uint64_t away_ns = recorder_away_wall_ns(r);
	return away_ns ? away_ns : clock_wall_ns();
}

/* --- it is back --- */

static void say_back(const struct absence *a, const char *what)
{
	char since[CLOCK_TEXT_BYTES], lasted[DURATION_TEXT_BYTES];
	struct recorder_passed now = recorder_passed(a->recorder);
	uint64_t now_ns = clock_wall_ns();
	uint64_t ns = now_ns > a->since_wall_ns ? now_ns - a->since_wall_ns : 0;
	clock_text(a->since_wall_ns, since);
	duration_text(ns < 10000000000u ? ns / 1000000 : ns / 1000000000 * 1000, lasted);
	log_line(LOG_WARN,
		 "capture: %s: it was away for %s, since %s; %llu requests were refused, %llu "
		 "writes and %llu reads passed unrecorded%s",
		 what, lasted, since, (unsigned long long)(now.refused - a->before.refused),
		 (unsigned long long)(now.writes - a->before.writes),
		 (unsigned long long)(now.reads - a->before.reads),
		 now.writes + now.reads > a->before.writes + a->before.reads
			 ? ": a gap tells of them (`crossfade capture gaps`)"
			 : "");
}

void absence_look(struct absence *a, const struct config *c)
{
	if (!a->recorder)
		return;
	bool away = recorder_is_degraded(a->recorder);
	uint64_t failures = failures_of(a->recorder);
	/* It was away and is back since the last look. */
	bool missed = !away && !a->since_wall_ns && failures != a->failures;
	a->failures = failures;
	if (away && !a->since_wall_ns) {
		a->since_wall_ns = began(a->recorder);
		say_away(a, &c->capture);
	} else if (!away && a->since_wall_ns) {
		say_back(a, "the log is available again");
		a->since_wall_ns = 0;
	} else if (missed) {
		log_line(LOG_WARN,
			 "capture: the log could not be written, and can again: it was away for "
			 "less than %u ms",
			 ABSENCE_LOOK_MS);
	}
	if (!a->since_wall_ns)
		a->before = recorder_passed(a->recorder);
}

void absence_close(struct absence *a)
{
	if (!a->recorder)
		return;
	timer_clear(&a->due);
	if (a->since_wall_ns)
		say_back(a, "this process ends, and its log was unavailable to the last");
}
