#include "control/log_outage.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "capture/policy.h"
#include "control/duration.h"

/* The timer wakes the control thread, which looks at each turn. */
static void outage_look_is_due(struct timer *t)
{
	struct log_outage *a = list_entry(t, struct log_outage, due);
	timer_set(a->wheel, t, a->wheel->now_ms + ABSENCE_LOOK_MS);
}

static uint64_t failures_of(const struct recorder *r)
{
	return counter_read(&journal_counts(r->writer.journal)->failures);
}

void log_outage_open(struct log_outage *a, struct recorder *r, struct wheel *wheel)
{
	*a = (struct log_outage){ .recorder = r->taps ? r : NULL, .wheel = wheel };
	if (!a->recorder)
		return;
	timer_init(&a->due, outage_look_is_due);
	timer_set(wheel, &a->due, wheel->now_ms + ABSENCE_LOOK_MS);
}

/* --- the outage begins --- */

static const char *outage_effect(const struct recorder *r, const struct config_capture *c)
{
	bool refuse = c->unavailable == UNAVAILABLE_REFUSE;
	if (journal_is_late(r->writer.journal))
		return refuse ? "requests that wait for it get 503"
			      : "requests that wait for it are served without a record "
				"(`unavailable: forward`)";
	return refuse ? "writes get 503, and reads pass unrecorded"
		      : "writes and reads pass unrecorded (`unavailable: forward`)";
}

static void outage_say_begin(const struct log_outage *a, const struct config_capture *c)
{
	char why[RECORDER_TROUBLE_BYTES];
	recorder_trouble(a->recorder, why);
	log_line(LOG_ERROR, "capture: the log in %.300s is unavailable: %s; %s", c->directory, why,
		 outage_effect(a->recorder, c));
}

/*
 * The time is the journal's own, if it has one: the control thread may notice the outage a little
 * later.
 */
static uint64_t outage_began_ns(const struct recorder *r)
{
	uint64_t away_ns = recorder_away_wall_ns(r);
	return away_ns ? away_ns : clock_wall_ns();
}

/* --- the outage ends --- */

static void outage_say_end(const struct log_outage *a, const char *what)
{
	char since[CLOCK_TEXT_BYTES], lasted[DURATION_TEXT_BYTES];
	struct recorder_passed now = recorder_passed(a->recorder);
	uint64_t now_ns = clock_wall_ns();
	uint64_t ns = now_ns > a->since_wall_ns ? now_ns - a->since_wall_ns : 0;
	clock_text(a->since_wall_ns, since);
	duration_text(ns < 10000000000u ? ns / 1000000 : ns / 1000000000 * 1000, lasted);
	log_line(LOG_WARN,
		 "capture: %s: it was unavailable for %s, since %s; %llu requests were refused, "
		 "%llu writes and %llu reads passed unrecorded%s",
		 what, lasted, since, (unsigned long long)(now.refused - a->before.refused),
		 (unsigned long long)(now.writes - a->before.writes),
		 (unsigned long long)(now.reads - a->before.reads),
		 now.writes + now.reads > a->before.writes + a->before.reads
			 ? ": a gap record counts them (`crossfade capture gaps`)"
			 : "");
}

void log_outage_look(struct log_outage *a, const struct config *c)
{
	if (!a->recorder)
		return;
	bool away = recorder_is_degraded(a->recorder);
	uint64_t failures = failures_of(a->recorder);
	/* The outage began and ended after the last look. */
	bool missed = !away && !a->since_wall_ns && failures != a->failures;
	a->failures = failures;
	if (away && !a->since_wall_ns) {
		a->since_wall_ns = outage_began_ns(a->recorder);
		outage_say_begin(a, &c->capture);
	} else if (!away && a->since_wall_ns) {
		outage_say_end(a, "the log is available again");
		a->since_wall_ns = 0;
	} else if (missed) {
		log_line(LOG_WARN,
			 "capture: the log could not be written for less than %u ms, and can be "
			 "written again",
			 ABSENCE_LOOK_MS);
	}
	if (!a->since_wall_ns)
		a->before = recorder_passed(a->recorder);
}

void log_outage_close(struct log_outage *a)
{
	if (!a->recorder)
		return;
	timer_clear(&a->due);
	if (a->since_wall_ns)
		outage_say_end(a, "this process ends while its log is unavailable");
}
