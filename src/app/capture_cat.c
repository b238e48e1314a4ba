#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/capture.h"
#include "app/terminal.h"
#include "base/clock.h"

/* The log's writer wakes a consumer when there is more. A writer that was killed does not. */
#define CAT_WAIT_MS 1000

enum form { FORM_TEXT, FORM_JSON, FORM_RAW };

struct cat {
	enum form form;
	bool bodies;
	const struct capture_filter *filter;
};

/* --- one exchange --- */

static uint64_t took_us(const struct exchange_record *s)
{
	const struct record_outcome *o = &s->outcome;
	return o->responded_mono_ns > o->arrived_mono_ns
		       ? (o->responded_mono_ns - o->arrived_mono_ns) / 1000
		       : 0;
}

/* Stands behind the target: the outcome's column has room for one word. */
static void print_items(const struct bulk_counts *c)
{
	fputs("  partly accepted", stdout);
	if (c->counted)
		printf(": %llu of %llu items, %llu refused", (unsigned long long)c->accepted,
		       (unsigned long long)c->accepted + c->refused,
		       (unsigned long long)c->refused);
}

static void print_text(const struct exchange_record *s)
{
	char time[CLOCK_TEXT_BYTES];
	struct bulk_counts items;
	bool partly = exchange_record_is_partly_accepted(s, &items);
	struct span method = exchange_record_method(s), target = exchange_record_target(s);
	clock_text(s->first.wall_ns, time);
	printf("%s  %-7.*s %3u %-8s %9.2f ms  %8llu B in %8llu B out  ", time, (int)method.n,
	       method.at, exchange_record_status(s), partly ? "partly" : outcome_word(s),
	       (double)took_us(s) / 1000, (unsigned long long)s->request_bytes,
	       (unsigned long long)exchange_record_response_bytes(s));
	terminal_put(target.at, target.n, stdout);
	if (partly)
		print_items(&items);
	putchar('\n');
}

static void text_put(struct exchange_record_text t)
{
	terminal_put(t.at, t.n, stdout);
}

static void print_raw(const struct exchange_record *s)
{
	text_put(s->request_head);
	text_put(s->request_body);
	text_put(s->request_trailers);
	text_put(s->response_heads);
	text_put(s->response_body);
	text_put(s->response_trailers);
}

static void exchange_print_json(const struct exchange_record *s, bool bodies)
{
	json_t *j = exchange_record_json(s, bodies);
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

static void cat_print(const struct cat *cat, const struct exchange_record *s)
{
	if (capture_misfit(cat->filter, s))
		return;
	switch (cat->form) {
	case FORM_TEXT:
		print_text(s);
		return;
	case FORM_JSON:
		exchange_print_json(s, cat->bodies);
		return;
	case FORM_RAW:
		print_raw(s);
		return;
	}
}

/* --- all exchanges --- */

static void print_open(void *user, const struct exchange_record *s)
{
	cat_print(user, s);
}

/* The log's writer wakes the consumer. The reader of standard output may go meanwhile. */
static bool wait_for_more(struct consumer *c)
{
	fflush(stdout);
	if (!ferror(stdout))
		consumer_wait(c, CAT_WAIT_MS);
	return !ferror(stdout);
}

static int cat_all(struct consumer *c, struct cat *cat, bool follow)
{
	struct exchange_records *exchange_records =
		exchange_records_open(cat->bodies || cat->form == FORM_RAW);
	exchange_records_look_at_bulks(exchange_records);
	struct reading reading;
	enum reader_verdict v;
	while ((v = consumer_next(c, &reading)) != READER_ERROR) {
		if (v == READER_END && (!follow || !wait_for_more(c)))
			break;
		struct exchange_record *s =
			v == READER_FRAME ? exchange_records_take(exchange_records, &reading)
					  : NULL;
		if (!s)
			continue;
		cat_print(cat, s);
		exchange_record_free(s);
	}
	/* Exchanges without an outcome: open, or their process was killed. */
	if (v == READER_END)
		exchange_records_each_open(exchange_records, c->reader, print_open, cat);
	exchange_records_close(exchange_records);
	return v == READER_ERROR ? capture_failed(c->reader) : EXIT_OK;
}

static bool read_form(const struct command *c, const char *output, enum form *form)
{
	static const char *const words[] = { "text", "json", "raw" };
	*form = FORM_TEXT;
	for (size_t i = 0; output && i < 3; i++)
		if (!strcmp(output, words[i]))
			*form = (enum form)i;
	if (!output || !strcmp(output, words[*form]))
		return true;
	command_misused(c, "-o %s is not known; it can be text, json or raw", output);
	return false;
}

/* "12:3456", or "3456" of the newest series. False: it is neither. */
static bool seek_sequence_of(struct reader *r, const char *text)
{
	unsigned long long series = reader_newest(r), sequence;
	const char *colon = strchr(text, ':');
	struct span first = { text, colon ? (size_t)(colon - text) : 0 };
	if ((colon && !span_to_u64(first, UINT64_MAX, &series)) ||
	    !span_to_u64(span_of(colon ? colon + 1 : text), UINT64_MAX, &sequence))
		return false;
	reader_seek_sequence(r, series, sequence);
	return true;
}

static bool cat_seek(struct reader *r, const struct capture_filter *f, const char *sequence)
{
	if (sequence)
		return seek_sequence_of(r, sequence);
	if (f->from)
		reader_seek_time(r, f->from_ns);
	return true;
}

int capture_cat(const struct command *c, int argc, char **argv)
{
	struct capture_options o = { 0 };
	struct capture_filter filter = { 0 };
	struct cat cat = { .filter = &filter };
	const char *sequence = NULL;
	bool follow = false;
	const struct command_option options[] = { CAPTURE_OPTIONS(&o),
						  FILTER_OPTIONS(&filter),
						  { 0, "from-sequence", &sequence, NULL },
						  { 'o', "output", &o.output, NULL },
						  { 0, "bodies", NULL, &cat.bodies },
						  { 0, "follow", NULL, &follow } };
	int code, operands = command_options(c, argc, argv, options,
					     sizeof options / sizeof options[0], &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (sequence && filter.from)
		return command_misused(c, "--from and --from-sequence exclude each other");
	if (!read_form(c, o.output, &cat.form) || !capture_filter_read(c, &filter))
		return EXIT_USAGE;
	struct consumer all;
	char *directory = capture_directory(c, &o, &code);
	if (!directory || !capture_consume(&all, directory, NULL)) {
		free(directory);
		return code;
	}
	code = cat_seek(all.reader, &filter, sequence)
		       ? cat_all(&all, &cat, follow)
		       : command_misused(c,
					 "--from-sequence %s is not a sequence: write 3456, or "
					 "12:3456 for series 12",
					 sequence);
	capture_tell_holes(all.reader);
	consumer_close(&all);
	free(directory);
	return code;
}
