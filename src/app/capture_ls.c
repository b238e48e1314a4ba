#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/capture.h"
#include "app/terminal.h"
#include "base/clock.h"

/* A segment, as far as it was read. */
struct row {
	char file[SERIES_NAME_BYTES];
	struct segment_head head;
	uint64_t last_wall_ns, bytes, requests, outcomes, gaps;
	uint64_t file_bytes; /* of a packed segment; else 0 */
	bool sealed, some;
};

static void row_print(const struct row *r)
{
	char first[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES];
	clock_text(r->head.wall_ns, first);
	clock_text(r->last_wall_ns, last);
	printf("%s  %s to %s %8.1f MiB %9llu requests %9llu outcomes%s%s", r->file, first, last,
	       (double)r->bytes / 1048576, (unsigned long long)r->requests,
	       (unsigned long long)r->outcomes, r->gaps ? "  gaps" : "", r->sealed ? "" : "  open");
	if (r->file_bytes)
		printf("  compressed to %.1f MiB", (double)r->file_bytes / 1048576);
	putchar('\n');
}

static void row_print_json(const struct row *r)
{
	char first[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES];
	clock_text(r->head.wall_ns, first);
	clock_text(r->last_wall_ns, last);
	json_t *j =
		json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:b,s:o}", "segment", r->file, "first",
			  first, "last", last, "bytes", (json_int_t)r->bytes, "requests",
			  (json_int_t)r->requests, "outcomes", (json_int_t)r->outcomes, "gaps",
			  (json_int_t)r->gaps, "sealed", r->sealed, "compressed_bytes",
			  r->file_bytes ? json_integer((json_int_t)r->file_bytes) : json_null());
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

static void end_row(struct row *r, bool json)
{
	if (r->some)
		(json ? row_print_json : row_print)(r);
	*r = (struct row){ 0 };
}

static void row_note(struct row *row, const struct reader *r, const struct reading *n)
{
	if (!row->some) {
		row->some = true;
		row->head = *n->segment;
		row->bytes = sizeof row->head;
		row->file_bytes = n->file_bytes;
		snprintf(row->file, sizeof row->file, "%s", reader_file(r));
	}
	row->last_wall_ns = n->frame.wall_ns;
	row->bytes += frame_bytes(&n->frame);
	row->requests += n->frame.type == FRAME_REQUEST_HEAD;
	row->outcomes += n->frame.type == FRAME_OUTCOME;
	row->gaps += n->frame.type == FRAME_GAP;
	row->sealed |= n->frame.type == FRAME_SEAL;
}

/* Series that were written at the same time are read in turns: so a few rows are open at a time. */
#define ROWS 8

static struct row *row_of(struct row rows[ROWS], const struct segment_head *h, bool json)
{
	for (int i = 0; i < ROWS; i++)
		if (rows[i].some && rows[i].head.generation == h->generation) {
			if (rows[i].head.index != h->index)
				end_row(&rows[i], json);
			return &rows[i];
		}
	for (int i = 0; i < ROWS; i++)
		if (!rows[i].some)
			return &rows[i];
	end_row(&rows[0], json);
	memmove(&rows[0], &rows[1], (ROWS - 1) * sizeof rows[0]);
	rows[ROWS - 1] = (struct row){ 0 };
	return &rows[ROWS - 1];
}

static int segments_list(struct reader *r, const struct unrecorded_seen *seen, bool json)
{
	(void)seen;
	struct row rows[ROWS] = { 0 };
	struct reading reading;
	enum reader_verdict v;
	while ((v = reader_next(r, &reading)) != READER_END && v != READER_ERROR)
		if (v == READER_FRAME)
			row_note(row_of(rows, reading.segment, json), r, &reading);
	for (int i = 0; i < ROWS; i++)
		end_row(&rows[i], json);
	capture_tell_holes(r);
	return v == READER_ERROR ? capture_failed(r) : EXIT_OK;
}

int capture_ls(const struct command *c, int argc, char **argv)
{
	return capture_over_all(c, argc, argv, segments_list);
}
