#include "replay/mget.h"

#include <string.h>

#include "base/bug.h"
#include "replay/json_says.h"
#include "replay/json_write.h"

/* --- the request --- */

void mget_write(struct bytes *to, const struct copy *copies, size_t n)
{
	bytes_add(to, SPAN("{\"docs\":["));
	for (size_t i = 0; i < n; i++) {
		const struct copy_of *of = &copies[i].of;
		bytes_add(to, i ? SPAN(",{\"_index\":") : SPAN("{\"_index\":"));
		json_write_string(to, of->index);
		bytes_add(to, SPAN(",\"_id\":"));
		json_write_string(to, of->id);
		if (of->routing.n) {
			bytes_add(to, SPAN(",\"routing\":"));
			json_write_string(to, of->routing);
		}
		bytes_add(to, SPAN("}"));
	}
	bytes_add(to, SPAN("]}"));
}

/* --- names --- */

/* { "docs": [ { "_id": "1", "error": { "type": "..." } } ] }: brackets around names. */
#define DEPTH_RESPONSE 1
#define DEPTH_DOCS 2
#define DEPTH_DOCUMENT 3
#define DEPTH_ERROR 4

static const struct span mget_names[MGET_FIELDS] = {
	[MGET_OTHER] = SPAN_INIT(""),
	[MGET_INDEX] = SPAN_INIT("_index"),
	[MGET_ID] = SPAN_INIT("_id"),
	[MGET_ROUTING] = SPAN_INIT("_routing"),
	[MGET_VERSION] = SPAN_INIT("_version"),
	[MGET_SEQ_NO] = SPAN_INIT("_seq_no"),
	[MGET_PRIMARY_TERM] = SPAN_INIT("_primary_term"),
	[MGET_IS_FOUND] = SPAN_INIT("found"),
	[MGET_SOURCE] = SPAN_INIT("_source"),
	[MGET_ERROR_FIELD] = SPAN_INIT("error"),
};

static uint8_t mget_field(const struct json_scan *j)
{
	for (uint8_t i = MGET_FIELDS - 1; i > MGET_OTHER; i--)
		if (json_is(j, mget_names[i]))
			return i;
	return MGET_OTHER;
}

bool mget_lacks_routing(const struct mget_document *d)
{
	return d->found == MGET_ERROR &&
	       span_is(cluster_error_type(&d->error), SPAN("routing_missing_exception"));
}

/* --- documents --- */

static void mget_begin_document(struct mget *m)
{
	struct mget_document *d = &m->document;
	m->field = MGET_OTHER;
	m->told = MGET_NOT_TOLD;
	m->names_index = m->names_id = m->has_source = m->unfit = false;
	d->routing_n = 0;
	d->version = d->seq_no = d->primary_term = UINT64_MAX;
	cluster_error_begin(&d->error);
}

static void mget_routing(struct mget *m)
{
	struct mget_document *d = &m->document;
	m->unfit = m->json.text_cut || json_decode(m->json.text, d->routing, sizeof d->routing,
						   &d->routing_n) != JSON_DECODED;
}

/* What is no such number is as if it was not told. */
static uint64_t mget_number(const struct mget *m, enum json_token token)
{
	unsigned long long n;
	bool is = token == TOKEN_NUMBER && span_to_u64(m->json.text, UINT64_MAX - 1, &n);
	return is ? n : UINT64_MAX;
}

/* A value that stands in a document: whether it may stand there. */
static bool mget_value(struct mget *m, enum json_token token)
{
	const struct copy_of *of = &m->asked[m->next].of;
	struct mget_document *d = &m->document;
	switch ((enum mget_field)m->field) {
	case MGET_INDEX:
		m->names_index = token == TOKEN_STRING && json_says(&m->json, of->index);
		return m->names_index;
	case MGET_ID:
		m->names_id = token == TOKEN_STRING && json_says(&m->json, of->id);
		return m->names_id;
	case MGET_ROUTING:
		mget_routing(m);
		return token == TOKEN_STRING;
	case MGET_VERSION:
		d->version = mget_number(m, token);
		return true;
	case MGET_SEQ_NO:
		d->seq_no = mget_number(m, token);
		return true;
	case MGET_PRIMARY_TERM:
		d->primary_term = mget_number(m, token);
		return true;
	case MGET_IS_FOUND:
		m->told = token == TOKEN_TRUE ? MGET_TOLD_FOUND : MGET_TOLD_ABSENT;
		return token == TOKEN_TRUE || token == TOKEN_FALSE;
	case MGET_ERROR_FIELD:
		d->error.there = token != TOKEN_NULL;
		return true;
	case MGET_OTHER:
	case MGET_SOURCE:
	case MGET_FIELDS:
		break;
	}
	return true;
}

/* What it is, when all of it was read. */
static enum mget_step mget_end_document(struct mget *m)
{
	struct mget_document *d = &m->document;
	if (!m->names_index || !m->names_id || (m->told == MGET_NOT_TOLD && !d->error.there))
		return MGET_BAD;
	if (d->error.there)
		d->found = MGET_ERROR;
	else if (m->told == MGET_TOLD_ABSENT)
		d->found = MGET_ABSENT;
	else if (!m->has_source || m->unfit)
		d->found = MGET_NO_SOURCE;
	else
		d->found = d->source.too_long ? MGET_TOO_LONG : MGET_FOUND;
	m->next++;
	return MGET_DOCUMENT;
}

/* --- tokens --- */

/* The document's own bytes are not the scanner's business: for it the value is null. */
static enum mget_step mget_source(struct mget *m, struct span *s)
{
	enum document_taken taken = document_take(&m->document.source, s);
	if (taken != DOCUMENT_WHOLE)
		return taken == DOCUMENT_BAD ? MGET_BAD : MGET_MORE;
	m->in_source = false;
	m->has_source = true;
	json_put(&m->json, SPAN(":null"), false);
	return json_next(&m->json) == TOKEN_MORE ? MGET_MORE : MGET_BAD;
}

static void mget_key(struct mget *m)
{
	unsigned depth = m->json.depth;
	bool is_error = m->field == MGET_ERROR_FIELD;
	if (depth == DEPTH_RESPONSE) {
		m->in_docs = json_is(&m->json, SPAN("docs"));
	} else if (depth == DEPTH_DOCUMENT && m->in_docs) {
		m->field = mget_field(&m->json);
		m->in_source = m->field == MGET_SOURCE;
		if (m->in_source)
			document_begin(&m->document.source);
	} else if (depth == DEPTH_ERROR && m->in_docs && is_error) {
		m->wants_text = cluster_error_wants(&m->json, &m->is_type);
	}
}

/* A value, or a bracket that opens one, among documents. */
static enum mget_step mget_in_docs(struct mget *m, enum json_token token)
{
	bool opens = token == TOKEN_OBJECT || token == TOKEN_ARRAY;
	unsigned around = m->json.depth - opens;
	if (around == DEPTH_RESPONSE)
		return token == TOKEN_ARRAY ? MGET_MORE : MGET_BAD;
	if (around == DEPTH_DOCS) {
		if (token != TOKEN_OBJECT || m->next == m->asked_n)
			return MGET_BAD;
		mget_begin_document(m);
	} else if (around == DEPTH_DOCUMENT) {
		return mget_value(m, token) ? MGET_MORE : MGET_BAD;
	} else if (around == DEPTH_ERROR && m->wants_text && token == TOKEN_STRING) {
		cluster_error_take(&m->document.error, &m->json, m->is_type);
	}
	m->wants_text = false;
	return MGET_MORE;
}

static enum mget_step mget_token(struct mget *m, enum json_token token)
{
	if (token == TOKEN_KEY) {
		mget_key(m);
		return MGET_MORE;
	}
	if (token == TOKEN_OBJECT_END || token == TOKEN_ARRAY_END) {
		bool ends = m->in_docs && token == TOKEN_OBJECT_END;
		return ends && m->json.depth == DEPTH_DOCS ? mget_end_document(m) : MGET_MORE;
	}
	if (m->json.depth == 0 || (m->json.depth == DEPTH_RESPONSE && token == TOKEN_ARRAY))
		return MGET_BAD;
	return m->in_docs ? mget_in_docs(m, token) : MGET_MORE;
}

/* Up to something to tell, or to a document's text, or until no bytes are left. */
static enum mget_step mget_scan(struct mget *m, struct span *s)
{
	enum mget_step step = MGET_MORE;
	enum json_token token = TOKEN_MORE;
	json_put(&m->json, *s, false);
	while (step == MGET_MORE && !m->in_source && (token = json_next(&m->json)) != TOKEN_MORE)
		step = token == TOKEN_BAD ? MGET_BAD : mget_token(m, token);
	size_t left = json_take_back(&m->json);
	*s = (struct span){ s->at + s->n - left, left };
	return step;
}

static enum mget_step mget_finish(struct mget *m)
{
	json_put(&m->json, SPAN(""), true);
	return json_next(&m->json) == TOKEN_END && m->next == m->asked_n ? MGET_END : MGET_BAD;
}

enum mget_step mget_read(struct mget *m, struct span *s, bool last)
{
	enum mget_step step = m->over;
	while (step == MGET_MORE && s->n)
		step = m->in_source ? mget_source(m, s) : mget_scan(m, s);
	if (step == MGET_MORE && last)
		step = mget_finish(m);
	if (step == MGET_END || step == MGET_BAD)
		m->over = step;
	return step;
}

/* --- a life --- */

void mget_open(struct mget *m)
{
	memset(m, 0, offsetof(struct mget, json));
	m->over = MGET_BAD;
}

void mget_close(struct mget *m)
{
	document_free(&m->document.source);
}

void mget_rest(struct mget *m, size_t bytes)
{
	m->over = MGET_BAD;
	if (m->document.source.text.room > 2 * bytes)
		document_free(&m->document.source);
}

void mget_begin(struct mget *m, const struct copy *asked, size_t n)
{
	m->asked = asked;
	m->asked_n = n;
	m->next = 0;
	json_open(&m->json, JSON_ONE_VALUE);
	m->over = MGET_MORE;
	m->in_docs = m->in_source = m->wants_text = false;
	mget_begin_document(m);
}
