#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/capture.h"
#include "app/paint.h"
#include "app/terminal.h"
#include "base/clock.h"

/* A hole of which it is not known yet whether it is damage. */
struct hole {
	uint64_t generation, missing_first;
};

struct verdict {
	uint64_t frames, bytes, requests, outcomes, gaps, holes, damages, missing, untold;
	bool uncertain; /* a process could not keep all that it had counted, and no gap says so */
	struct hole *open; /* owned */
	size_t open_n;
};

static void say_hole(const struct reader *r, const struct reading *h)
{
	if (h->lost == LOST_TABLE) {
		fprintf(stderr, "%s: the table of its blocks, at the file's end, is damaged\n",
			reader_file(r));
		return;
	}
	if (h->lost == LOST_HEAD) {
		fprintf(stderr,
			"%s: its head is damaged, or of another version: none of its %llu "
			"bytes can be read; %llu to %llu are missing at least\n",
			reader_file(r), (unsigned long long)h->hole_bytes,
			(unsigned long long)h->missing_first, (unsigned long long)h->missing_last);
		return;
	}
	if (h->place)
		fprintf(stderr, "%s: the block at %llu of the file is damaged:\n", reader_file(r),
			(unsigned long long)h->place);
	fprintf(stderr, "%s: at %llu, %llu bytes are no frames; %llu to %llu are missing\n",
		reader_file(r), (unsigned long long)h->hole_at, (unsigned long long)h->hole_bytes,
		(unsigned long long)h->missing_first, (unsigned long long)h->missing_last);
}

static void note_hole(struct verdict *v, const struct reader *r, const struct reading *h)
{
	say_hole(r, h);
	v->holes++;
	v->missing += h->missing_last - h->missing_first + 1;
	/* Was durable: all of it when it was packed, and a head when frames stand behind it. */
	if (h->packed || h->lost == LOST_HEAD) {
		v->damages++;
		return;
	}
	v->open = realloc(v->open, (v->open_n + 1) * sizeof *v->open);
	if (!v->open)
		abort();
	v->open[v->open_n++] = (struct hole){ h->segment->generation, h->missing_first };
}

/* What a later commit says was durable must be there; what it does not, a power cut may take. */
static void note_durable(struct verdict *v, uint64_t generation, uint64_t durable)
{
	size_t left = 0;
	for (size_t i = 0; i < v->open_n; i++) {
		struct hole h = v->open[i];
		if (h.generation == generation && h.missing_first <= durable)
			v->damages++;
		else
			v->open[left++] = h;
	}
	v->open_n = left;
}

/* A segment that begins with a commit: what is missing above that was given up before it. */
static void note_given_up(struct verdict *v, uint64_t generation, uint64_t durable)
{
	size_t left = 0;
	for (size_t i = 0; i < v->open_n; i++)
		if (v->open[i].generation != generation || v->open[i].missing_first <= durable)
			v->open[left++] = v->open[i];
	v->open_n = left;
}

static void note_frame(struct verdict *v, const struct reading *r)
{
	struct record_commit commit;
	v->frames++;
	v->bytes += frame_bytes(&r->frame);
	v->requests += r->frame.type == FRAME_REQUEST_HEAD;
	v->outcomes += r->frame.type == FRAME_OUTCOME;
	v->gaps += r->frame.type == FRAME_GAP;
	if (r->frame.type == FRAME_COMMIT && r->payload.n == sizeof commit) {
		memcpy(&commit, r->payload.at, sizeof commit);
		note_durable(v, r->segment->generation, commit.durable_sequence);
		if (r->frame.sequence == r->segment->sequence)
			note_given_up(v, r->segment->generation, commit.durable_sequence);
	}
	/* It is written behind a durable segment. */
	if (r->frame.type == FRAME_SEAL)
		note_durable(v, r->segment->generation, r->frame.sequence);
}

static void note_untold(struct verdict *v, const struct unrecorded_seen *seen)
{
	for (int i = 0; seen && i < GAP_REASONS; i++) {
		const struct losses *l = &seen->untold[i];
		v->untold += l->reads + l->writes + l->outcomes;
		v->uncertain |= l->uncertain;
	}
}

static bool is_good(const struct verdict *v)
{
	return !v->damages && !v->untold && !v->uncertain;
}

static void print(const struct verdict *v, const struct stories *s, bool live)
{
	printf("%llu frames, %.1f MiB: %llu requests, %llu outcomes, %llu without one%s\n",
	       (unsigned long long)v->frames, (double)v->bytes / 1048576,
	       (unsigned long long)v->requests, (unsigned long long)v->outcomes,
	       (unsigned long long)stories_open_n(s), live ? " (it is being written)" : "");
	if (v->gaps)
		printf("%llu gaps: `crossfade capture gaps` lists them\n",
		       (unsigned long long)v->gaps);
	if (v->holes && !v->damages)
		printf("%llu holes, of what was never durable: a power cut leaves such\n",
		       (unsigned long long)v->holes);
	if (v->damages)
		printf("%sDAMAGED: %llu holes where all had been durable; %llu frames are "
		       "missing%s\n",
		       paint(PAINT_RED), (unsigned long long)v->damages,
		       (unsigned long long)v->missing, paint(PAINT_NONE));
	if (v->untold || v->uncertain)
		printf("%sNOT TOLD YET%s: %llu requests or outcomes%s passed unrecorded, and the "
		       "log "
		       "has no gap for them yet: `crossfade capture gaps -c FILE` lists them\n",
		       paint(PAINT_RED), paint(PAINT_NONE), (unsigned long long)v->untold,
		       v->uncertain ? " at least" : "");
	if (is_good(v))
		printf("whole\n");
}

static void print_json(const struct verdict *v, const struct stories *s, bool live)
{
	json_t *j = json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:I}", "whole",
			      is_good(v), "frames", (json_int_t)v->frames, "bytes",
			      (json_int_t)v->bytes, "requests", (json_int_t)v->requests, "outcomes",
			      (json_int_t)v->outcomes, "open", (json_int_t)stories_open_n(s),
			      "gaps", (json_int_t)v->gaps, "holes", (json_int_t)v->holes, "damages",
			      (json_int_t)v->damages, "missing", (json_int_t)v->missing, "live",
			      live, "untold", (json_int_t)v->untold);
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

static int verify(struct reader *r, const struct unrecorded_seen *seen, bool json)
{
	struct verdict v = { 0 };
	struct stories *stories = stories_open(false);
	struct reading reading;
	enum reader_verdict said;
	note_untold(&v, seen);
	while ((said = reader_next(r, &reading)) != READER_END && said != READER_ERROR) {
		if (said == READER_HOLE) {
			note_hole(&v, r, &reading);
			continue;
		}
		note_frame(&v, &reading);
		struct story *s = stories_take(stories, &reading);
		if (s)
			story_free(s);
	}
	if (said == READER_END)
		(json ? print_json : print)(&v, stories, reader_is_live(r));
	stories_close(stories);
	free(v.open);
	return said == READER_ERROR ? capture_failed(r) : is_good(&v) ? EXIT_OK : EXIT_NO;
}

/* --- the commands --- */

int capture_verify(const struct command *c, int argc, char **argv)
{
	return capture_over_all(c, argc, argv, verify);
}
