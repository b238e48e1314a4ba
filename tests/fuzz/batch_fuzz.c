/*
 * What clusters say to a batch: whatever it is, and in whatever pieces it comes, it means the same,
 * and a bulk never has another line than was written. The input is two responses, of which a byte
 * 0xff ends the first; bytes before them say how they are cut.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "capture/bytes.h"
#include "replay/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct copy_of keys[] = {
	{ .index = SPAN_INIT("x"), .id = SPAN_INIT("1") },
	{ .index = SPAN_INIT("x"), .id = SPAN_INIT("2"), .stream = SPAN_INIT("s") },
	{ .index = SPAN_INIT("x"), .id = SPAN_INIT("3"), .versions = COPY_EXTERNAL_VERSIONS },
	{ .index = SPAN_INIT("x"),
	  .id = SPAN_INIT("4"),
	  .absence = COPY_SEARCHED,
	  .place = { SPAN_INIT("y"), SPAN_INIT("r"), 1, 1 } },
};

typedef enum batch_step reading(struct copy_batch *b, struct span *s, bool last);

/* In pieces of that size, and the memory of each ends with it. */
static enum batch_step feed(struct copy_batch *b, reading *read, struct span *s, size_t cut)
{
	enum batch_step step;
	do {
		size_t n = s->n < cut ? s->n : cut;
		char *exact = malloc(n ? n : 1);
		must(exact);
		if (n)
			memcpy(exact, s->at, n);
		struct span piece = { exact, n };
		step = read(b, &piece, n == s->n);
		s->at += n - piece.n;
		s->n -= n - piece.n;
		must(step != BATCH_MORE || piece.n == 0);
		free(exact);
	} while (step == BATCH_MORE && s->n);
	return step;
}

static size_t lines(struct span s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += s.at[i] == '\n';
	return n;
}

/* All that is sent, and what became of it. */
static void send_bulk(struct copy_batch *b, struct span results, size_t cut, struct bytes *said)
{
	struct span bulk = batch_operations(b);
	bytes_add(said, bulk);
	if (!bulk.n)
		return;
	size_t n = batch_operation_n(b);
	must(lines(bulk) >= n && lines(bulk) <= 2 * n && bulk.at[bulk.n - 1] == '\n');
	char step = (char)feed(b, batch_read_results, &results, cut);
	must(step == BATCH_END || step == BATCH_BAD);
	bytes_add(said, (struct span){ &step, 1 });
}

static void add_verdicts(struct copy_batch *b, struct bytes *said)
{
	for (size_t i = 0; i < batch_n(b); i++) {
		const struct copy *c = batch_copy(b, i);
		char verdict[] = { (char)c->verdict, (char)c->action, (char)c->status };
		bytes_add(said, (struct span){ verdict, sizeof verdict });
		const struct cluster_error *e = batch_error(b, c);
		if (!e)
			continue;
		bytes_add(said, cluster_error_type(e));
		bytes_add(said, (struct span){ e->reason, e->reason_n });
	}
}

static void run(struct span documents, struct span results, size_t cut, struct bytes *said)
{
	struct copy_batch_config config = { .bulk_bytes = 120,
					    .keys_max = sizeof keys / sizeof *keys };
	struct copy_batch *b = batch_open(&config);
	enum batch_step step;
	batch_begin(b);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		must(batch_add(b, &keys[i]) == BATCH_ADDED);
	must(batch_question(b).n > 0);
	do {
		step = feed(b, batch_read_documents, &documents, cut);
		send_bulk(b, results, cut, said);
	} while (step == BATCH_SEND);
	must(step == BATCH_END || step == BATCH_BAD);
	add_verdicts(b, said);
	batch_close(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bytes whole = { 0 }, cut = { 0 };
	if (n < 1)
		return 0;
	struct span documents = { (const char *)data + 1, n - 1 };
	const char *end = memchr(documents.at, 0xff, documents.n);
	struct span results = { end ? end + 1 : "",
				end ? documents.n - 1 - (size_t)(end - documents.at) : 0 };
	documents.n = end ? (size_t)(end - documents.at) : documents.n;
	run(documents, results, n, &whole);
	run(documents, results, 1 + data[0] % 64, &cut);
	must(whole.n == cut.n && (whole.n == 0 || memcmp(whole.at, cut.at, whole.n) == 0));
	bytes_free(&whole);
	bytes_free(&cut);
	return 0;
}
