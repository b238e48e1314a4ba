#include "replay/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "replay/bulk_read.h"
#include "replay/bulk_write.h"
#include "replay/json_write.h"
#include "replay/mget.h"

#define NO_INDEX SPAN("index_not_found_exception")

/* Of the other cluster, or of both, as one text after the other. */
struct batch_error {
	size_t at; /* in `texts`: the type, and then the reason */
	uint16_t type_n, reason_n;
};

enum batch_held {
	BATCH_HOLDS_NOTHING,
	BATCH_HOLDS_DOCUMENT, /* the reader's document waits until there is room in the bulk */
};

struct copy_batch {
	struct copy_batch_config config;
	struct copy *copies; /* owned */
	size_t n;
	struct bytes question, operations;
	size_t operation_n;
	/* The operations are of copies from `first` to before `next`; copies before have verdicts.
	 */
	size_t first, next;
	enum batch_held held;
	struct mget mget;
	struct bulk_read results;
	bool reads_results;
	struct bytes verdicts; /* of the results as far as they are read, a byte each */
	struct bytes texts;
	struct batch_error *errors; /* owned */
	size_t error_n, error_room;
	struct cluster_error error; /* the one that was asked for last */
};

static __attribute__((unused)) void batch_check(const struct copy_batch *b)
{
	must(b->first <= b->next && b->next <= b->n && b->n <= b->config.keys_max);
	must((b->operation_n == 0) == (b->operations.n == 0));
	must(b->operation_n <= b->next - b->first);
	must(b->held == BATCH_HOLDS_NOTHING || b->next < b->n);
	must(b->operations.n <= b->config.bulk_bytes || b->operation_n == 1);
}

/* --- keys --- */

enum batch_added batch_add(struct copy_batch *b, const struct copy_of *of)
{
	if (b->n == b->config.keys_max)
		return BATCH_FULL;
	if (!json_is_utf8(of->index) || !json_is_utf8(of->id) || !json_is_utf8(of->routing) ||
	    !json_is_utf8(of->stream))
		return BATCH_NO_TEXT;
	b->copies[b->n++] = (struct copy){ .of = *of };
	return BATCH_ADDED;
}

size_t batch_n(const struct copy_batch *b)
{
	return b->n;
}

struct span batch_question(struct copy_batch *b)
{
	b->question.n = 0;
	mget_write(&b->question, b->copies, b->n);
	mget_begin(&b->mget, b->copies, b->n);
	return (struct span){ b->question.at, b->question.n };
}

/* --- errors --- */

static void batch_keep_error(struct copy_batch *b, struct copy *c, const struct cluster_error *e)
{
	if (!e->there)
		return;
	if (b->error_n == b->error_room) {
		b->error_room = b->error_room ? 2 * b->error_room : 16;
		b->errors = realloc(b->errors, b->error_room * sizeof *b->errors);
		must(b->errors);
	}
	b->errors[b->error_n++] = (struct batch_error){ .at = b->texts.n,
							.type_n = (uint16_t)e->type_n,
							.reason_n = (uint16_t)e->reason_n };
	bytes_add(&b->texts, cluster_error_type(e));
	bytes_add(&b->texts, (struct span){ e->reason, e->reason_n });
	c->error = (uint32_t)b->error_n;
}

const struct cluster_error *batch_error(struct copy_batch *b, const struct copy *c)
{
	if (!c->error)
		return NULL;
	const struct batch_error *kept = &b->errors[c->error - 1];
	struct cluster_error *e = &b->error;
	e->there = true;
	e->type_n = kept->type_n;
	e->reason_n = kept->reason_n;
	if (e->type_n)
		memcpy(e->type, b->texts.at + kept->at, e->type_n);
	if (e->reason_n)
		memcpy(e->reason, b->texts.at + kept->at + e->type_n, e->reason_n);
	return e;
}

/* --- documents --- */

/* Of what is not written at the replica. */
static enum copy_verdict batch_verdict(const struct copy_of *of, const struct mget_document *d)
{
	if (d->found == MGET_ABSENT || mget_lacks_routing(d))
		return of->absence == COPY_SEARCHED ? COPY_DONE : COPY_UNSURE;
	if (d->found == MGET_ERROR && cluster_error_passes(&d->error))
		return COPY_AGAIN;
	if (d->found == MGET_ERROR && span_is(cluster_error_type(&d->error), NO_INDEX))
		return COPY_NO_INDEX;
	return d->found == MGET_TOO_LONG ? COPY_TOO_LONG : COPY_UNREADABLE;
}

/* A document that is larger than all that a bulk has else: its line is put before it, and so there
 * is one of it only. */
static void batch_put_large(struct copy_batch *b, struct bytes *source)
{
	size_t line_n = b->operations.n;
	struct bytes line = b->operations;
	bytes_add(source, (struct span){ line.at, line_n });
	memmove(source->at + line_n, source->at, source->n - line_n);
	memcpy(source->at, line.at, line_n);
	b->operations = *source;
	*source = line;
	source->n = 0;
}

static void batch_put_source(struct copy_batch *b, struct bytes *source, size_t before)
{
	if (before == 0 && source->n > b->config.bulk_bytes)
		batch_put_large(b, source);
	else
		bytes_add(&b->operations, (struct span){ source->at, source->n });
	bytes_add(&b->operations, SPAN("\n"));
}

/* False: the bulk has no room for it, and is as it was. */
static bool batch_put(struct copy_batch *b, struct copy *c)
{
	struct mget_document *d = &b->mget.document;
	struct bytes *source = &d->source.text;
	size_t before = b->operations.n;
	enum copy_action action = bulk_write_action(&c->of, d);
	if (action == COPY_NOTHING) {
		c->verdict = batch_verdict(&c->of, d);
		batch_keep_error(b, c, &d->error);
		return true;
	}
	bulk_write_line(&b->operations, &c->of, d, action);
	size_t source_n = action == COPY_DELETE ? 0 : source->n + 1;
	if (before && b->operations.n + source_n > b->config.bulk_bytes) {
		b->operations.n = before;
		return false;
	}
	if (action != COPY_DELETE)
		batch_put_source(b, source, before);
	c->action = action;
	b->operation_n++;
	return true;
}

/* The document that was read, or waits, is the next copy's. */
static bool batch_take_document(struct copy_batch *b)
{
	bool put = batch_put(b, &b->copies[b->next]);
	b->held = put ? BATCH_HOLDS_NOTHING : BATCH_HOLDS_DOCUMENT;
	b->next += put;
	return put;
}

enum batch_step batch_read_documents(struct copy_batch *b, struct span *s, bool last)
{
	must(!b->reads_results);
	if (b->held == BATCH_HOLDS_DOCUMENT && !batch_take_document(b))
		return BATCH_SEND;
	enum mget_step step;
	while ((step = mget_read(&b->mget, s, last)) == MGET_DOCUMENT)
		if (!batch_take_document(b))
			return BATCH_SEND;
	checks(batch_check(b));
	if (step == MGET_MORE)
		return BATCH_MORE;
	return step == MGET_END ? BATCH_END : BATCH_BAD;
}

/* --- results --- */

struct span batch_operations(const struct copy_batch *b)
{
	return (struct span){ b->operations.at, b->operations.n };
}

size_t batch_operation_n(const struct copy_batch *b)
{
	return b->operation_n;
}

static void batch_next_bulk(struct copy_batch *b)
{
	b->first = b->next;
	b->operation_n = 0;
	b->operations.n = 0;
	if (b->operations.room > 2 * b->config.bulk_bytes)
		bytes_free(&b->operations);
	b->reads_results = false;
	checks(batch_check(b));
}

/* Verdicts count when all of the response is what it should be. */
static void batch_take_item(struct copy_batch *b)
{
	struct bulk_read *r = &b->results;
	struct copy *c = &b->copies[b->first + r->at];
	char verdict = (char)r->verdict;
	bytes_add(&b->verdicts, (struct span){ &verdict, 1 });
	c->status = (uint16_t)r->status;
	if (r->verdict != COPY_DONE)
		batch_keep_error(b, c, &r->error);
}

static void batch_take_verdicts(struct copy_batch *b)
{
	const char *verdict = b->verdicts.at;
	for (size_t i = b->first; i < b->next; i++)
		if (b->copies[i].action != COPY_NOTHING)
			b->copies[i].verdict = (uint8_t)*verdict++;
	must(verdict == b->verdicts.at + b->verdicts.n && b->verdicts.n == b->operation_n);
}

static void batch_forget_items(struct copy_batch *b)
{
	for (size_t i = b->first; i < b->next; i++)
		if (b->copies[i].action != COPY_NOTHING)
			b->copies[i].status = b->copies[i].error = 0;
}

void batch_no_results(struct copy_batch *b)
{
	batch_forget_items(b);
	batch_next_bulk(b);
}

enum batch_step batch_read_results(struct copy_batch *b, struct span *s, bool last)
{
	must(b->operation_n > 0 || b->reads_results);
	if (!b->reads_results) {
		bulk_read_begin(&b->results, b->copies + b->first, b->next - b->first);
		b->verdicts.n = 0;
		b->reads_results = true;
	}
	enum bulk_read_step step;
	while ((step = bulk_read(&b->results, s, last)) == BULK_READ_ITEM)
		batch_take_item(b);
	if (step == BULK_READ_MORE)
		return BATCH_MORE;
	if (step == BULK_READ_END)
		batch_take_verdicts(b);
	else
		batch_forget_items(b);
	batch_next_bulk(b);
	return step == BULK_READ_END ? BATCH_END : BATCH_BAD;
}

const struct copy *batch_copy(const struct copy_batch *b, size_t i)
{
	must(i < b->n);
	return &b->copies[i];
}

/* --- a life --- */

struct copy_batch *batch_open(const struct copy_batch_config *config)
{
	struct copy_batch *b = calloc(1, sizeof *b);
	must(b && config->keys_max > 0 && config->keys_max <= REPLAY_BATCH_OPERATIONS_MAX);
	must(config->bulk_bytes <= REPLAY_BATCH_BYTES_MAX);
	b->config = *config;
	b->copies = calloc(config->keys_max, sizeof *b->copies);
	must(b->copies);
	mget_open(&b->mget);
	return b;
}

void batch_begin(struct copy_batch *b)
{
	b->n = b->first = b->next = 0;
	b->held = BATCH_HOLDS_NOTHING;
	b->error_n = 0;
	b->texts.n = 0;
	batch_next_bulk(b);
	mget_rest(&b->mget, b->config.bulk_bytes);
}

void batch_close(struct copy_batch *b)
{
	mget_close(&b->mget);
	bytes_free(&b->question);
	bytes_free(&b->operations);
	bytes_free(&b->verdicts);
	bytes_free(&b->texts);
	free(b->errors);
	free(b->copies);
	free(b);
}
