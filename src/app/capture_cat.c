#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/capture.h"
#include "app/terminal.h"
#include "base/clock.h"

enum form { FORM_TEXT, FORM_JSON, FORM_RAW };

struct cat {
	enum form form;
	bool bodies;
	const struct capture_filter *filter;
};

/* --- one exchange --- */

static uint64_t took_us(const struct story *s)
{
	const struct record_outcome *o = &s->outcome;
	return o->answered_mono_ns > o->arrived_mono_ns
		       ? (o->answered_mono_ns - o->arrived_mono_ns) / 1000
		       : 0;
}

/* The word of a column, and behind the target what there is to say. */
static void print_items(const struct bulk_counts *c)
{
	fputs("  partly accepted", stdout);
	if (c->counted)
		printf(": %llu of %llu items, %llu refused", (unsigned long long)c->accepted,
		       (unsigned long long)c->accepted + c->refused,
		       (unsigned long long)c->refused);
}

static void print_text(const struct story *s)
{
	char time[CLOCK_TEXT_BYTES];
	struct bulk_counts items;
	bool partly = story_is_partly_accepted(s, &items);
	struct span method = story_method(s), target = story_target(s);
	clock_text(s->first.wall_ns, time);
	printf("%s  %-7.*s %3u %-8s %9.2f ms  %8llu B in %8llu B out  ", time, (int)method.n,
	       method.at, story_status(s), partly ? "partly" : outcome_word(s),
	       (double)took_us(s) / 1000, (unsigned long long)s->request_bytes,
	       (unsigned long long)story_answer_bytes(s));
	terminal_put(target.at, target.n, stdout);
	if (partly)
		print_items(&items);
	putchar('\n');
}

static void put(struct story_text t)
{
	terminal_put(t.at, t.n, stdout);
}

static void print_raw(const struct story *s)
{
	put(s->request_head);
	put(s->request_body);
	put(s->request_trailers);
	put(s->answer_heads);
	put(s->answer_body);
	put(s->answer_trailers);
}

static void print_json(const struct story *s, bool bodies)
{
	json_t *j = story_json(s, bodies);
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

static void print(const struct cat *cat, const struct story *s)
{
	if (capture_misfit(cat->filter, s))
		return;
	switch (cat->form) {
	case FORM_TEXT:
		print_text(s);
		return;
	case FORM_JSON:
		print_json(s, cat->bodies);
		return;
	case FORM_RAW:
		print_raw(s);
		return;
	}
}

/* --- all of them --- */

static void print_open(void *user, const struct story *s)
{
	print(user, s);
}

/* New ones are looked for now and then: the files are all that there is. */
static void wait_for_more(void)
{
	fflush(stdout);
	usleep(100000);
}

static int cat_all(struct reader *r, struct cat *cat, bool follow)
{
	struct stories *stories = stories_open(cat->bodies || cat->form == FORM_RAW);
	stories_look_at_bulks(stories);
	struct reading reading;
	enum reader_verdict v;
	while ((v = reader_next(r, &reading)) != READER_ERROR) {
		if (v == READER_END && !follow)
			break;
		if (v == READER_END) {
			wait_for_more();
			if (ferror(stdout))
				break;
		}
		struct story *s = v == READER_FRAME ? stories_take(stories, &reading) : NULL;
		if (!s)
			continue;
		print(cat, s);
		story_free(s);
	}
	/* Those without an outcome: open, or the process was killed. */
	if (v == READER_END)
		stories_each_open(stories, r, print_open, cat);
	stories_close(stories);
	return v == READER_ERROR ? capture_failed(r) : EXIT_OK;
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

static bool seek(struct reader *r, const struct capture_filter *f, const char *sequence)
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
	struct reader *r = capture_open(c, &o, &code);
	if (!r)
		return code;
	code = seek(r, &filter, sequence)
		       ? cat_all(r, &cat, follow)
		       : command_misused(
				 c, "--from-sequence %s is none: 3456, or 12:3456 of series 12",
				 sequence);
	capture_tell_holes(r);
	reader_close(r);
	return code;
}
