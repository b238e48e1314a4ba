#include "base/plain.h"
#include "app/status_text.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/compare_text.h"
#include "app/paint.h"
#include "app/replay_text.h"
#include "app/weights_text.h"
#include "control/duration.h"

#define SIDES_N 2
/* The widths of the label and of each cluster's column. They fit 80 columns. */
#define LABEL_COLUMNS 24
#define SIDE_COLUMNS 26
#define SIDE_COLUMNS_MIN 13
#define LABEL "%-24s"
#define VALUE_BYTES 27

static const char *member_text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "-";
}

static long long member_integer(const json_t *j, const char *name)
{
	return (long long)json_integer_value(json_object_get(j, name));
}

static bool member_is_true(const json_t *j, const char *name)
{
	return json_is_true(json_object_get(j, name));
}

int status_is_comparable(const json_t *before, const json_t *now)
{
	return before && member_integer(before, "pid") == member_integer(now, "pid") &&
	       !strcmp(member_text(before, "started"), member_text(now, "started"));
}

/* --- the head --- */

static void put_head(FILE *to, const json_t *j)
{
	bool serving = !strcmp(member_text(j, "state"), "serving");
	long long up = member_integer(j, "up_seconds");
	fprintf(to,
		"crossfade %s  %s%s%s  keeper %lld, %lld workers on %s, up %lldd "
		"%02lld:%02lld:%02lld\n",
		member_text(j, "version"), paint_good(serving), member_text(j, "state"),
		paint(PAINT_NONE), member_integer(j, "keeper"), member_integer(j, "workers"),
		member_text(j, "io"), up / 86400, up / 3600 % 24, up / 60 % 60, up % 60);
	fprintf(to, "%sweights%s  ", paint(PAINT_BOLD), paint(PAINT_NONE));
	weights_text_share(to, j);
	fprintf(to, "   epoch %lld%s%s%s%s\n", member_integer(j, "epoch"),
		member_is_true(j, "rolled_back") ? "   rolled back" : "", paint(PAINT_RED),
		member_is_true(j, "saved") ? "" : "   NOT SAVED", paint(PAINT_NONE));
}

/* Prints nothing until a cutover has moved the writes or is about to. */
static void put_owner(FILE *to, const json_t *j)
{
	long long since = member_integer(j, "since");
	bool held = !strcmp(member_text(j, "phase"), "hold");
	if (!since && !held)
		return;
	fprintf(to, "%swrites%s   owner %s", paint(PAINT_BOLD), paint(PAINT_NONE),
		member_text(j, "owner"));
	if (since)
		fprintf(to, " since epoch %lld", since);
	fprintf(to, "%s%s%s\n", paint(PAINT_RED), held ? "   HELD" : "", paint(PAINT_NONE));
}

/* Prints nothing while there is only one process. */
static void put_processes(FILE *to, const json_t *processes)
{
	size_t i;
	const json_t *p;
	if (json_array_size(processes) < 2)
		return;
	json_array_foreach(processes, i, p)
		fprintf(to, "%sprocess%s  %lld %s, %lld workers, %lld requests in flight\n",
			paint(PAINT_BOLD), paint(PAINT_NONE), member_integer(p, "pid"),
			member_text(p, "state"), member_integer(p, "workers"),
			member_integer(p, "in_flight"));
}

/* Prints nothing while no line was lost. */
static void put_log(FILE *to, const json_t *log)
{
	long long lost = member_integer(log, "lines_lost");
	if (lost)
		fprintf(to, "%slog%s      %s%lld lines LOST%s: standard error took no more\n",
			paint(PAINT_BOLD), paint(PAINT_NONE), paint_good(false), lost,
			paint(PAINT_NONE));
}

/* Prints nothing while each change has its line and no line was lost. */
static void put_audit(FILE *to, const json_t *audit)
{
	long long owed = member_integer(audit, "lines_owed");
	if (owed)
		fprintf(to,
			"%saudit%s    %schanges without a line in audit.jsonl: %lld%s: it cannot "
			"be "
			"written\n",
			paint(PAINT_BOLD), paint(PAINT_NONE), paint_good(false), owed,
			paint(PAINT_NONE));
	if (json_is_string(json_object_get(audit, "trouble")))
		fprintf(to, "%saudit%s    %saudit.jsonl at the start: %s%s\n", paint(PAINT_BOLD),
			paint(PAINT_NONE), paint_good(false), member_text(audit, "trouble"),
			paint(PAINT_NONE));
}

/* Prints only certificates that are not valid for long enough. */
static void put_bad_certificates(FILE *to, const json_t *list)
{
	size_t i;
	const json_t *one;
	json_array_foreach(list, i, one)
		if (strcmp(member_text(one, "state"), "good") != 0)
			fprintf(to, "%scertificate%s %s%s%s\n", paint(PAINT_BOLD),
				paint(PAINT_NONE), paint_good(false), member_text(one, "message"),
				paint(PAINT_NONE));
}

/* Prints until when no certificate needs attention. */
static void put_certificates(FILE *to, const json_t *list)
{
	size_t i;
	const json_t *one, *first = NULL;
	json_array_foreach(list, i, one)
		if (!first || member_integer(one, "not_after") < member_integer(first, "not_after"))
			first = one;
	if (first)
		fprintf(to, "%scertificates%s  %zu, the first expires on %.10s: %s\n",
			paint(PAINT_BOLD), paint(PAINT_NONE), json_array_size(list),
			member_text(first, "until"), member_text(first, "use"));
}

/* On a low terminal, so many mistakes are shown, and the number of the others. */
#define MISTAKES_LOW 3
#define ROWS_LOW 50

/* Prints the last reload, with each mistake. */
static void put_reload(FILE *to, const json_t *reload, size_t room)
{
	const json_t *mistakes = json_object_get(reload, "mistakes"), *one;
	bool good = member_is_true(reload, "ok");
	size_t i, n = json_array_size(mistakes);
	long long more = member_integer(reload, "more");
	fprintf(to, "%sreload%s   %s%s%s at %s: ", paint(PAINT_BOLD), paint(PAINT_NONE),
		paint_good(good), good ? "ok" : "REFUSED", paint(PAINT_NONE),
		member_text(reload, "at"));
	if (n + (size_t)more < 2) {
		fprintf(to, "%s\n", member_text(reload, "message"));
		return;
	}
	fprintf(to, "%lld mistakes\n", (long long)n + more);
	json_array_foreach(mistakes, i, one)
		if (i < room)
			fprintf(to, "         %s\n", json_string_value(one));
	more += n > room ? (long long)(n - room) : 0;
	if (more)
		fprintf(to, "         and %lld more\n", more);
}

/* Prints nothing while the file is what is in force. */
static void put_configuration(FILE *to, const struct status_view *v)
{
	const json_t *c = json_object_get(v->now, "configuration");
	const json_t *reload = json_object_get(c, "reload"), *file = json_object_get(c, "weights");
	if (json_is_object(file))
		fprintf(to,
			"%sthe file's source %lld, target %lld are for a first start; the weights "
			"above are in force%s\n",
			paint(PAINT_DIM), member_integer(file, "source"),
			member_integer(file, "target"), paint(PAINT_NONE));
	if (json_is_string(json_object_get(c, "not_in_force")))
		fprintf(to, "%sfile%s     %sNOT IN FORCE%s since a crash: %s\n", paint(PAINT_BOLD),
			paint(PAINT_NONE), paint_good(false), paint(PAINT_NONE),
			member_text(c, "not_in_force"));
	if (!json_is_object(reload))
		return;
	put_reload(to, reload, v->rows < ROWS_LOW ? MISTAKES_LOW : SIZE_MAX);
}

/* --- both sides --- */

/* One cluster, now and before. */
struct side {
	const json_t *now, *before; /* before: NULL when there are no rates */
	const json_t *bounds;	    /* upper bounds of the buckets, in milliseconds */
	double seconds;
};

static struct side status_side(const struct status_view *v, size_t i)
{
	return (struct side){
		.now = json_array_get(json_object_get(v->now, "clusters"), i),
		.before = json_array_get(json_object_get(v->before, "clusters"), i),
		.bounds = json_object_get(v->now, "bucket_bounds_ms"),
		.seconds = v->seconds,
	};
}

/* How much a number has grown since the last look, or since the start. */
static double side_grown(const struct side *s, const char *group, const char *name)
{
	long long n = member_integer(json_object_get(s->now, group), name);
	if (s->before)
		n -= member_integer(json_object_get(s->before, group), name);
	return (double)n;
}

__attribute__((format(printf, 2, 3))) static void print_to(char value[VALUE_BYTES],
							   const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(value, VALUE_BYTES, format, args);
	va_end(args);
}

/* "1,234,567"; a rate below ten has one decimal. */
static void print_count(char value[VALUE_BYTES], double n, bool is_rate)
{
	char digits[32];
	if (is_rate && n > 0 && n < 9.95) {
		print_to(value, "%.1f", n);
		return;
	}
	int length = snprintf(digits, sizeof digits, "%.0f", n), used = 0;
	for (int i = 0; i < length && used < VALUE_BYTES - 2; i++) {
		value[used++] = digits[i];
		if ((length - i) % 3 == 1 && i + 1 < length)
			value[used++] = ',';
	}
	value[used] = 0;
}

static void print_grown(char value[VALUE_BYTES], const struct side *s, const char *group,
			const char *name)
{
	double n = side_grown(s, group, name);
	print_count(value, s->before ? n / s->seconds : n, s->before != NULL);
}

static void print_bytes(char value[VALUE_BYTES], double n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t unit = 0;
	for (; n >= 1024 && unit < 5; unit++)
		n /= 1024;
	print_to(value, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

static void row_requests(char value[VALUE_BYTES], const struct side *s)
{
	print_grown(value, s, "requests", "all");
}

static void row_kinds(char value[VALUE_BYTES], const struct side *s)
{
	char reads[VALUE_BYTES], writes[VALUE_BYTES];
	print_grown(reads, s, "classes", "reads");
	print_grown(writes, s, "classes", "writes");
	print_to(value, "%.11s / %.11s", reads, writes);
}

/* "-" if there were no requests. */
static void row_failures(char value[VALUE_BYTES], const struct side *s)
{
	double all = side_grown(s, "requests", "all");
	double failed = side_grown(s, "requests", "5xx") + side_grown(s, "requests", "unanswered");
	char count[VALUE_BYTES];
	print_count(count, s->before ? failed / s->seconds : failed, s->before != NULL);
	if (all > 0)
		print_to(value, "%.16s (%.2f %%)", count, 100 * failed / all);
	else
		print_to(value, "-");
}

static void row_client_errors(char value[VALUE_BYTES], const struct side *s)
{
	print_grown(value, s, "requests", "4xx");
}

static double new_in_bucket(const struct side *s, const char *which, size_t i)
{
	const json_t *now = json_object_get(json_object_get(s->now, "buckets"), which);
	const json_t *before = json_object_get(json_object_get(s->before, "buckets"), which);
	return (double)(json_integer_value(json_array_get(now, i)) -
			json_integer_value(json_array_get(before, i)));
}

/* The time below which `share` of the new responses took; NAN if there were none. */
static double side_quantile_ms(const struct side *s, const char *which, double share)
{
	size_t n = json_array_size(s->bounds);
	double all = 0, seen = 0, lower = 0;
	for (size_t i = 0; i <= n; i++)
		all += new_in_bucket(s, which, i);
	if (all <= 0)
		return NAN;
	for (size_t i = 0; i < n; i++) {
		double upper = json_number_value(json_array_get(s->bounds, i));
		double here = new_in_bucket(s, which, i);
		if (here > 0 && seen + here >= share * all)
			return lower + (upper - lower) * (share * all - seen) / here;
		seen += here;
		lower = upper;
	}
	return lower;
}

static void print_quantiles(char value[VALUE_BYTES], const struct side *s, const char *which)
{
	double median = side_quantile_ms(s, which, 0.5);
	if (isnan(median))
		print_to(value, "-");
	else
		print_to(value, "%.2f / %.2f", median, side_quantile_ms(s, which, 0.99));
}

static void row_response_times(char value[VALUE_BYTES], const struct side *s)
{
	print_quantiles(value, s, "response");
}

static void row_whole_times(char value[VALUE_BYTES], const struct side *s)
{
	print_quantiles(value, s, "total");
}

static void row_in_flight(char value[VALUE_BYTES], const struct side *s)
{
	print_to(value, "%lld / %lld", member_integer(s->now, "in_flight"),
		 member_integer(s->now, "connections"));
}

static void row_bytes(char value[VALUE_BYTES], const struct side *s)
{
	char in[VALUE_BYTES], out[VALUE_BYTES];
	double per = s->before ? s->seconds : 1;
	print_bytes(in, side_grown(s, "bytes", "requests") / per);
	print_bytes(out, side_grown(s, "bytes", "responses") / per);
	print_to(value, "%.11s / %.11s", in, out);
}

static void row_retries(char value[VALUE_BYTES], const struct side *s)
{
	double n =
		(double)(member_integer(s->now, "retries") - member_integer(s->before, "retries"));
	print_count(value, s->before ? n / s->seconds : n, s->before != NULL);
}

static const struct row {
	const char *sum, *rate; /* the label, without and with rates */
	void (*print)(char value[VALUE_BYTES], const struct side *s);
} rows[] = {
	{ "requests", "requests /s", row_requests },
	{ "reads / writes", "reads / writes /s", row_kinds },
	{ "5xx or no response", "5xx or no response /s", row_failures },
	{ "4xx", "4xx /s", row_client_errors },
	{ "cluster  p50 / p99 ms", "cluster  p50 / p99 ms", row_response_times },
	{ "client   p50 / p99 ms", "client   p50 / p99 ms", row_whole_times },
	{ "in flight / connections", "in flight / connections", row_in_flight },
	{ "bytes in / out", "bytes in / out /s", row_bytes },
	{ "tried again", "tried again /s", row_retries },
};

static void put_side(FILE *to, const struct row *r, const struct side *s, int width)
{
	char value[VALUE_BYTES];
	double failed = side_grown(s, "requests", "5xx") + side_grown(s, "requests", "unanswered");
	bool bad = r->print == row_failures && failed > 0;
	r->print(value, s);
	fprintf(to, " %s%*s%s", bad ? paint(PAINT_RED) : "", width, value,
		bad ? paint(PAINT_NONE) : "");
}

static int side_width(const struct status_view *v)
{
	unsigned used = LABEL_COLUMNS + SIDES_N;
	unsigned width = v->columns > used ? (v->columns - used) / SIDES_N : 0;
	width = width < SIDE_COLUMNS_MIN ? SIDE_COLUMNS_MIN : width;
	return width < SIDE_COLUMNS ? (int)width : SIDE_COLUMNS;
}

/* The rows and their headline. */
#define SIDES_LINES (1 + sizeof rows / sizeof rows[0])

static void put_sides(FILE *to, const struct status_view *v, bool low)
{
	struct side sides[SIDES_N] = { status_side(v, 0), status_side(v, 1) };
	int width = side_width(v);
	char since[32] = "since the start";
	if (v->before)
		snprintf(since, sizeof since, "the last %.1f s", v->seconds);
	if (v->stale_seconds > 0)
		snprintf(since, sizeof since, "STALE: %.0f s old", v->stale_seconds);
	fprintf(to, "%s%s" LABEL "%s", low ? "" : "\n",
		paint(v->stale_seconds > 0 ? PAINT_RED : PAINT_DIM), since, paint(PAINT_NONE));
	for (size_t i = 0; i < SIDES_N; i++)
		fprintf(to, " %s%*s%s", paint(PAINT_BOLD), width, member_text(sides[i].now, "name"),
			paint(PAINT_NONE));
	putc('\n', to);
	for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
		fprintf(to, LABEL, v->before ? rows[r].rate : rows[r].sum);
		for (size_t i = 0; i < SIDES_N; i++)
			put_side(to, &rows[r], &sides[i], width);
		putc('\n', to);
	}
}

/* --- the capture log --- */

/* The follower that copies the log to Kafka; red while it fails. */
static void put_kafka(FILE *to, const json_t *k)
{
	bool good = strcmp(member_text(k, "state"), "failing") != 0;
	if (!json_is_object(k))
		return;
	fprintf(to, "%skafka%s    %s%s%s%s%s  %lld records, %lld behind, %.1f s\n",
		paint(PAINT_BOLD), paint(PAINT_NONE), paint_good(good), member_text(k, "state"),
		good ? "" : ": ", good ? "" : member_text(k, "error"), paint(PAINT_NONE),
		member_integer(k, "records"), member_integer(k, "lag_records"),
		json_number_value(json_object_get(k, "lag_seconds")));
}

/* The durations of commits since the last look, or since the start. */
static void put_commits(FILE *to, const struct status_view *v)
{
	const json_t *c = json_object_get(v->now, "capture");
	const struct side s = { .now = c,
				.before = json_object_get(v->before, "capture"),
				.bounds = json_object_get(v->now, "bucket_bounds_ms") };
	const json_t *refused = json_object_get(c, "refused");
	long long n = member_integer(refused, "reads") + member_integer(refused, "writes");
	char times[VALUE_BYTES], queued[VALUE_BYTES];
	print_quantiles(times, &s, "commit");
	print_bytes(queued, (double)member_integer(c, "queued_bytes"));
	fprintf(to, "%scommits%s  p50 / p99 ms %s, %lld segments, %s queued, %s%lld refused%s\n",
		paint(PAINT_BOLD), paint(PAINT_NONE), times, member_integer(c, "segments"), queued,
		n ? paint(PAINT_RED) : "", n, n ? paint(PAINT_NONE) : "");
}

/*
 * Prints nothing while every unrecorded request is counted and the state directory keeps the count.
 */
static void put_counts(FILE *to, const json_t *c)
{
	const char *key;
	json_t *losses, *all = json_object_get(c, "unrecorded_ever");
	bool kept = !json_is_false(json_object_get(c, "counts_kept")), known = true;
	json_object_foreach(all, key, losses)
		known &= !json_is_true(json_object_get(losses, "at_least"));
	if (kept && known)
		return;
	fprintf(to, "%scounts%s   %sof unrecorded requests %s%s\n", paint(PAINT_BOLD),
		paint(PAINT_NONE), paint_good(false),
		kept ? "are lower bounds: `crossfade capture gaps`"
		     : "are only in memory: the state directory does not keep them",
		paint(PAINT_NONE));
}

/* Prints nothing while what is known of the directory is fresh. */
static void put_look(FILE *to, const json_t *c)
{
	const char *at = member_text(c, "looked_at");
	if (!strcmp(member_text(c, "look"), "stale"))
		fprintf(to, "         %sthe directory does not answer: this is %s%s%s\n",
			paint_good(false), *at == '-' ? "not known yet" : "of ",
			*at == '-' ? "" : at, paint(PAINT_NONE));
}

/* How much is on the disk, and what limits it. */
static void put_kept(FILE *to, const json_t *c)
{
	const json_t *retain = json_object_get(c, "retain");
	long long limit = member_integer(c, "limit_bytes"),
		  size = member_integer(retain, "size_bytes"),
		  age = member_integer(retain, "age_seconds");
	char bytes[VALUE_BYTES], bound[VALUE_BYTES], days[DURATION_TEXT_BYTES];
	print_bytes(bytes, (double)member_integer(c, "kept_bytes"));
	fprintf(to, "%skept%s     %s", paint(PAINT_BOLD), paint(PAINT_NONE), bytes);
	print_bytes(bound, (double)limit);
	fprintf(to, "%s%s, ", limit ? " of limit " : ", no limit", limit ? bound : "");
	print_bytes(bound, (double)size);
	duration_text((uint64_t)age * 1000, days);
	fprintf(to, "%s%s%s%s%s\n", size || age ? "retain " : "nothing is deleted",
		size ? bound : "", size && age ? ", " : "", age ? days : "",
		size || age ? "" : " (no retain)");
	put_look(to, c);
}

static void put_followers(FILE *to, const json_t *list)
{
	size_t i;
	const json_t *f;
	json_array_foreach(list, i, f) {
		const json_t *lag = json_object_get(f, "lag_seconds");
		fprintf(to, "%sfollower%s %-20s ", paint(PAINT_BOLD), paint(PAINT_NONE),
			member_text(f, "name"));
		if (member_is_true(f, "damaged"))
			fprintf(to, "%sits position is damaged%s\n", paint_good(false),
				paint(PAINT_NONE));
		else if (!json_is_string(json_object_get(f, "position")))
			fputs("has passed nothing yet\n", to);
		else if (json_is_number(lag))
			fprintf(to, "%.1f s behind, at %s\n", json_number_value(lag),
				member_text(f, "position"));
		else
			fprintf(to, "at %s\n", member_text(f, "position"));
	}
}

/* Prints nothing while no record was ever lost. */
static void put_losses(FILE *to, const struct status_view *v)
{
	const json_t *c = json_object_get(v->now, "capture"), *l = json_object_get(c, "last_loss");
	if (json_is_object(l))
		fprintf(to, "%sgaps%s     %lld since %s; lost last: %s, %s to %s\n",
			paint(PAINT_BOLD), paint(PAINT_NONE), member_integer(c, "gaps"),
			member_text(v->now, "started"), member_text(l, "reason"),
			member_text(l, "first"), member_text(l, "last"));
}

/* Prints why, and since when, on a line of its own, because it is long. */
static void put_trouble(FILE *to, const json_t *c)
{
	const char *since = member_text(c, "away_since");
	fprintf(to, "%s%s: %s%s\n       ", *since == '-' ? "" : " since ",
		*since == '-' ? "" : since, member_text(c, "error"), paint(PAINT_NONE));
}

/* The capture log, if there is one; red while it cannot be written. */
static void put_capture(FILE *to, const struct status_view *v)
{
	const json_t *c = json_object_get(v->now, "capture");
	bool good = !strcmp(member_text(c, "state"), "available");
	if (!json_is_object(c))
		return;
	fprintf(to, "%scapture%s  %s%s", paint(PAINT_BOLD), paint(PAINT_NONE), paint_good(good),
		member_text(c, "state"));
	if (!good)
		put_trouble(to, c);
	fprintf(to, "%s  %lld records, %.1f MiB, %lld gaps", paint(PAINT_NONE),
		member_integer(c, "records"), (double)member_integer(c, "bytes") / 1048576,
		member_integer(c, "gaps"));
	const json_t *skipped = json_object_get(c, "skipped");
	long long n = member_integer(skipped, "reads") + member_integer(skipped, "writes");
	if (n)
		fprintf(to, ", %lld requests skipped by `skip`", n);
	putc('\n', to);
	put_counts(to, c);
	put_losses(to, v);
	put_kept(to, c);
	put_commits(to, v);
	put_followers(to, json_object_get(c, "followers"));
	put_kafka(to, json_object_get(c, "kafka"));
}

/* --- listeners --- */

static void put_listeners(FILE *to, const struct status_view *v)
{
	const json_t *now = json_object_get(v->now, "listeners");
	const json_t *before = json_object_get(v->before, "listeners"), *l;
	size_t i;
	fprintf(to, "\n%s%-9s %-26s %4s %12s %16s%s\n", paint(PAINT_DIM), "listener", "address",
		"tls", "connections", v->before ? "requests /s" : "requests", paint(PAINT_NONE));
	json_array_foreach(now, i, l) {
		char value[VALUE_BYTES];
		double n = (double)member_integer(l, "requests");
		if (v->before)
			n -= (double)member_integer(json_array_get(before, i), "requests");
		/* After a reload, another listener may have this index. */
		n = n < 0 ? 0 : n;
		print_count(value, v->before ? n / v->seconds : n, v->before != NULL);
		fprintf(to, "%-9s %-26s %4s %12lld %16s\n", member_text(l, "name"),
			member_text(l, "address"), member_is_true(l, "tls") ? "on" : "off",
			member_integer(l, "connections"), value);
	}
}

/* --- nodes --- */

/* Writes the word in upper case, because the node is not well. */
static const char *upper_case(const char *word, char *to, size_t room)
{
	size_t n = 0;
	for (; word[n] && n + 1 < room; n++)
		to[n] = word[n] == '_' ? ' ' : (char)toupper((unsigned char)word[n]);
	to[n] = 0;
	return to;
}

static bool node_is_well(const json_t *node)
{
	return !strcmp(member_text(node, "state"), "healthy");
}

/* After a reload the cluster may have other nodes: the node is found by its name. */
static const json_t *same_node(const json_t *cluster, const json_t *node)
{
	size_t i;
	const json_t *n;
	json_array_foreach(json_object_get(cluster, "nodes"), i, n)
		if (!strcmp(member_text(n, "name"), member_text(node, "name")))
			return n;
	return NULL;
}

static double node_requests_sum(const json_t *node)
{
	return (double)member_integer(json_object_get(node, "requests"), "all");
}

static void node_print_requests(char value[VALUE_BYTES], const struct side *s, const json_t *n)
{
	double sum = node_requests_sum(n);
	if (s->before)
		sum -= node_requests_sum(same_node(s->before, n));
	sum = sum < 0 ? 0 : sum;
	print_count(value, s->before ? sum / s->seconds : sum, s->before != NULL);
}

/* For a node with several addresses that is healthy by at least one of them. */
static void put_failing_addresses(FILE *to, const json_t *n)
{
	size_t i;
	const json_t *a;
	if (!json_is_true(json_object_get(n, "healthy")))
		return;
	json_array_foreach(json_object_get(n, "address_checks"), i, a)
		if (!json_is_true(json_object_get(a, "healthy")))
			fprintf(to, "; %s fails its checks: %s", member_text(a, "address"),
				member_text(a, "check"));
}

static void status_put_node(FILE *to, const struct side *s, const json_t *n)
{
	const json_t *drained = json_object_get(n, "drained");
	const json_t *ejected = json_object_get(n, "ejected");
	const char *state = member_text(n, "state"), *why = member_text(drained, "why");
	char loud[16], requests[VALUE_BYTES];
	node_print_requests(requests, s, n);
	fprintf(to, "%-7s %-25s %s%-10s%s %9s %9lld %s", member_text(s->now, "name"),
		member_text(n, "name"), paint_good(node_is_well(n)),
		node_is_well(n) ? state : upper_case(state, loud, sizeof loud), paint(PAINT_NONE),
		requests, member_integer(n, "in_flight"), member_text(n, "check"));
	if (!strcmp(state, "ejected"))
		fprintf(to, "; by %lld workers: %s", member_integer(ejected, "by_workers"),
			member_text(ejected, "why"));
	put_failing_addresses(to, n);
	if (drained)
		fprintf(to, "; by %s%s%s", member_text(drained, "by"), *why ? ": " : "", why);
	putc('\n', to);
}

/*
 * Puts the nodes that are well, or those that are not, at most *room of them. Returns how many were
 * left out.
 */
static size_t put_some_nodes(FILE *to, const struct status_view *v, bool well, size_t *room)
{
	size_t k, left_out = 0;
	const json_t *n;
	for (size_t i = 0; i < SIDES_N; i++) {
		struct side s = status_side(v, i);
		json_array_foreach(json_object_get(s.now, "nodes"), k, n) {
			if (node_is_well(n) != well)
				continue;
			if (*room) {
				status_put_node(to, &s, n);
				--*room;
			} else {
				left_out++;
			}
		}
	}
	return left_out;
}

static size_t count_nodes(const json_t *clusters)
{
	size_t i, sum = 0;
	const json_t *c;
	json_array_foreach(clusters, i, c)
		sum += json_array_size(json_object_get(c, "nodes"));
	return sum;
}

static void put_nodes(FILE *to, const struct status_view *v, size_t room, bool low)
{
	size_t nodes = count_nodes(json_object_get(v->now, "clusters"));
	fprintf(to, "%s%s%-7s %-25s %-10s %9s %9s %s%s\n", low ? "" : "\n", paint(PAINT_DIM),
		"cluster", "node", "state", v->before ? "req /s" : "requests", "in flight",
		"last check", paint(PAINT_NONE));
	/* The last line is for the number of nodes that do not fit. */
	if (nodes > room)
		room = room ? room - 1 : 0;
	size_t bad = put_some_nodes(to, v, false, &room);
	size_t good = put_some_nodes(to, v, true, &room);
	if (bad + good)
		fprintf(to, "and %zu more, %zu of them not well\n", bad + good, bad);
}

/* --- the whole --- */

static unsigned count_page_lines(const char *page)
{
	unsigned n = 0;
	for (; *page; page++)
		n += *page == '\n';
	return n;
}

/*
 * Listeners and nodes each have an empty line and a headline; an empty line is before the clusters.
 */
static size_t rest_lines(const struct status_view *v)
{
	size_t certificates = json_array_size(json_object_get(v->now, "certificates")) > 0;
	return 1 + certificates + 2 + json_array_size(json_object_get(v->now, "listeners")) + 2 +
	       count_nodes(json_object_get(v->now, "clusters"));
}

static void put_rest(FILE *to, const struct status_view *v)
{
	put_listeners(to, v);
	put_certificates(to, json_object_get(v->now, "certificates"));
	put_nodes(to, v, SIZE_MAX, false);
}

/* Puts as many nodes as there is room for, and says what is not shown. */
static void put_low_rest(FILE *to, const struct status_view *v, size_t used)
{
	size_t listeners = json_array_size(json_object_get(v->now, "listeners"));
	bool certificates = json_array_size(json_object_get(v->now, "certificates")) > 0;
	fprintf(to, "%s... not shown: %zu listeners%s%s\n", paint(PAINT_DIM), listeners,
		certificates ? ", certificates" : "", paint(PAINT_NONE));
	used += 2;
	put_nodes(to, v, v->rows > used ? v->rows - used : 0, true);
}

void status_text(FILE *to, const struct status_view *v)
{
	char *page = NULL;
	size_t n;
	FILE *above = open_memstream(&page, &n);
	if (!above)
		return;
	put_head(above, v->now);
	put_owner(above, v->now);
	put_processes(above, json_object_get(v->now, "processes"));
	put_log(above, json_object_get(v->now, "log"));
	put_audit(above, json_object_get(v->now, "audit"));
	put_bad_certificates(above, json_object_get(v->now, "certificates"));
	replay_text_put(above, json_object_get(v->now, "replay"));
	compare_text_line(above, json_object_get(v->now, "compare"));
	put_capture(above, v);
	put_configuration(above, v);
	fclose(above);
	fputs(page, to);
	size_t used = count_page_lines(page) + SIDES_LINES;
	free(page);
	bool low = used + rest_lines(v) > v->rows;
	put_sides(to, v, low);
	if (low)
		put_low_rest(to, v, used);
	else
		put_rest(to, v);
}
