#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/capture.h"
#include "app/paint.h"
#include "app/terminal.h"
#include "base/clock.h"

/* A hole that may or may not be damage. */
struct hole {
	uint64_t generation, missing_first;
};

struct verdict {
	uint64_t frames, bytes, requests, outcomes, gaps, holes, damages, missing, unreported;
	bool uncertain;	   /* a process could not save all of its counts, and no gap reports that */
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
			"%s: its head is damaged: none of its %llu "
			"bytes can be read; at least frames %llu to %llu are missing\n",
			reader_file(r), (unsigned long long)h->hole_bytes,
			(unsigned long long)h->missing_first, (unsigned long long)h->missing_last);
		return;
	}
	if (h->place)
		fprintf(stderr, "%s: the block at %llu of the file is damaged:\n", reader_file(r),
			(unsigned long long)h->place);
	fprintf(stderr, "%s: at %llu, %llu bytes are not frames; frames %llu to %llu are missing\n",
		reader_file(r), (unsigned long long)h->hole_at, (unsigned long long)h->hole_bytes,
		(unsigned long long)h->missing_first, (unsigned long long)h->missing_last);
}

static void verdict_note_hole(struct verdict *v, const struct reader *r, const struct reading *h)
{
	say_hole(r, h);
	v->holes++;
	v->missing += h->missing_last - h->missing_first + 1;
	/* It was durable: all of a packed segment was, and so was a head that frames follow. */
	if (h->packed || h->lost == LOST_HEAD) {
		v->damages++;
		return;
	}
	v->open = realloc(v->open, (v->open_n + 1) * sizeof *v->open);
	if (!v->open)
		abort();
	v->open[v->open_n++] = (struct hole){ h->segment->generation, h->missing_first };
}

/* What a later commit calls durable must be there. A power cut may take the rest. */
static void verdict_note_durable(struct verdict *v, uint64_t generation, uint64_t durable)
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

/* The segment begins with a commit: what is missing above its sequence was given up before. */
static void note_given_up(struct verdict *v, uint64_t generation, uint64_t durable)
{
	size_t left = 0;
	for (size_t i = 0; i < v->open_n; i++)
		if (v->open[i].generation != generation || v->open[i].missing_first <= durable)
			v->open[left++] = v->open[i];
	v->open_n = left;
}

static void verdict_note_frame(struct verdict *v, const struct reading *r)
{
	struct record_commit commit;
	v->frames++;
	v->bytes += frame_bytes(&r->frame);
	v->requests += r->frame.type == FRAME_REQUEST_HEAD;
	v->outcomes += r->frame.type == FRAME_OUTCOME;
	v->gaps += r->frame.type == FRAME_GAP;
	if (r->frame.type == FRAME_COMMIT && r->payload.n >= sizeof commit) {
		memcpy(&commit, r->payload.at, sizeof commit);
		verdict_note_durable(v, r->segment->generation, commit.durable_sequence);
		if (r->frame.sequence == r->segment->sequence)
			note_given_up(v, r->segment->generation, commit.durable_sequence);
	}
	/* A seal is written behind a durable segment. */
	if (r->frame.type == FRAME_SEAL)
		verdict_note_durable(v, r->segment->generation, r->frame.sequence);
}

static void note_untold(struct verdict *v, const struct unrecorded_seen *seen)
{
	for (int i = 0; seen && i < GAP_REASONS; i++) {
		const struct losses *l = &seen->untold[i];
		v->unreported += l->reads + l->writes + l->outcomes;
		v->uncertain |= l->uncertain;
	}
}

static bool verdict_is_good(const struct verdict *v)
{
	return !v->damages && !v->unreported && !v->uncertain;
}

static void verdict_print(const struct verdict *v, const struct exchange_records *s,
			  const struct reader *r)
{
	printf("%llu frames, %.1f MiB: %llu requests, %llu outcomes, %llu without one%s\n",
	       (unsigned long long)v->frames, (double)v->bytes / 1048576,
	       (unsigned long long)v->requests, (unsigned long long)v->outcomes,
	       (unsigned long long)exchange_records_open_n(s),
	       reader_is_live(r) ? " (it is being written)" : "");
	if (v->gaps)
		printf("%llu gaps: `crossfade capture gaps` lists them\n",
		       (unsigned long long)v->gaps);
	if (v->holes && !v->damages)
		printf("%llu holes in what was never durable: a power cut leaves such holes\n",
		       (unsigned long long)v->holes);
	if (v->damages)
		printf("%sDAMAGED: %llu holes in what had been durable; %llu frames are "
		       "missing%s\n",
		       paint(PAINT_RED), (unsigned long long)v->damages,
		       (unsigned long long)v->missing, paint(PAINT_NONE));
	if (v->unreported || v->uncertain)
		printf("%sNOT REPORTED YET%s: %llu requests or outcomes%s passed unrecorded, and "
		       "the "
		       "log "
		       "has no gap for them yet: `crossfade capture gaps -c FILE` lists them\n",
		       paint(PAINT_RED), paint(PAINT_NONE), (unsigned long long)v->unreported,
		       v->uncertain ? " at least" : "");
	if (reader_unknown(r))
		printf("%llu more frames are of a newer version, which this version cannot read\n",
		       (unsigned long long)reader_unknown(r));
	if (verdict_is_good(v))
		printf("whole\n");
}

static void verdict_print_json(const struct verdict *v, const struct exchange_records *s,
			       const struct reader *r)
{
	json_t *j =
		json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:I}", "whole",
			  verdict_is_good(v), "frames", (json_int_t)v->frames, "bytes",
			  (json_int_t)v->bytes, "requests", (json_int_t)v->requests, "outcomes",
			  (json_int_t)v->outcomes, "open", (json_int_t)exchange_records_open_n(s),
			  "gaps", (json_int_t)v->gaps, "holes", (json_int_t)v->holes, "damages",
			  (json_int_t)v->damages, "missing", (json_int_t)v->missing, "live",
			  reader_is_live(r), "untold", (json_int_t)v->unreported);
	json_object_set_new(j, "unknown", json_integer((json_int_t)reader_unknown(r)));
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

static int log_verify(struct reader *r, const struct unrecorded_seen *seen, bool json)
{
	struct verdict v = { 0 };
	struct exchange_records *exchange_records = exchange_records_open(false);
	struct reading reading;
	enum reader_verdict said;
	note_untold(&v, seen);
	while ((said = reader_next(r, &reading)) != READER_END && said != READER_ERROR) {
		if (said == READER_HOLE) {
			verdict_note_hole(&v, r, &reading);
			continue;
		}
		verdict_note_frame(&v, &reading);
		struct exchange_record *s = exchange_records_take(exchange_records, &reading);
		if (s)
			exchange_record_free(s);
	}
	if (said == READER_END)
		(json ? verdict_print_json : verdict_print)(&v, exchange_records, r);
	exchange_records_close(exchange_records);
	free(v.open);
	return said == READER_ERROR ? capture_failed(r) : verdict_is_good(&v) ? EXIT_OK : EXIT_NO;
}

/* --- the commands --- */

int capture_verify(const struct command *c, int argc, char **argv)
{
	return capture_over_all(c, argc, argv, log_verify);
}
