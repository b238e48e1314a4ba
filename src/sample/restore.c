#include "sample/restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sample/settings.h"
#include "sample/word.h"

/* --- indices --- */

static void restore_member(const json_t *line, const char *name, json_t **member)
{
	json_t *given = json_object_get(line, name);
	if (!json_is_object(given))
		return;
	json_decref(*member);
	*member = json_incref(given);
}

static void restore_number(const json_t *line, const char *name, uint64_t *n)
{
	const json_t *given = json_object_get(line, name);
	if (json_is_integer(given))
		*n = (uint64_t)json_integer_value(given);
}

static bool restore_index(struct sample *p, json_t *line, struct span name)
{
	struct sample_trouble t;
	struct sample_index *x = sample_store_find(&p->store, name);
	if (!x)
		x = sample_store_create(&p->store, name, &t);
	if (!x)
		return false;
	struct span uuid = sample_word_of(line, "uuid");
	snprintf(x->uuid, sizeof x->uuid, "%.*s", (int)uuid.n, uuid.at ? uuid.at : "");
	restore_member(line, "mappings", &x->mappings);
	restore_member(line, "settings", &x->settings);
	restore_member(line, "aliases", &x->aliases);
	sample_settings_divide(x);
	restore_number(line, "mapping_version", &x->mapping_version);
	restore_number(line, "settings_version", &x->settings_version);
	restore_number(line, "aliases_version", &x->aliases_version);
	return true;
}

static bool restore_deletion(struct sample *p, struct sample_index *x)
{
	if (x)
		sample_store_delete(&p->store, x);
	return x != NULL;
}

/* --- documents --- */

/* The document as it stands in the line, of which it is the last member. */
static struct span restore_source(struct span text)
{
	static const struct span name = SPAN_INIT(",\"source\":");
	const char *at = memmem(text.at, text.n, name.at, name.n);
	if (!at)
		return (struct span){ 0 };
	at += name.n;
	return (struct span){ at, (size_t)(text.at + text.n - 1 - at) };
}

static bool restore_document(const struct sample *p, struct sample_index *x, json_t *line,
			     struct span text)
{
	struct sample_change c = { .id = sample_word_of(line, "id"),
				   .routing = sample_word_of(line, "routing"),
				   .source = restore_source(text),
				   .now_ms = p->store.now_ms };
	const json_t *seq_no = json_object_get(line, "seq_no");
	if (!x || !c.id.n || !json_is_integer(seq_no))
		return false;
	struct sample_shard *shard = &x->shards[sample_index_shard(x, c.id, c.routing)];
	if ((uint64_t)json_integer_value(seq_no) < shard->next_seq_no)
		return false;
	c.version = (uint64_t)json_integer_value(json_object_get(line, "version"));
	shard->next_seq_no = (uint64_t)json_integer_value(seq_no);
	x->primary_term = (uint64_t)json_integer_value(json_object_get(line, "primary_term"));
	sample_index_change(x, &c);
	return true;
}

/* --- lines --- */

static bool restore_operation(struct sample *p, json_t *line, struct span text)
{
	struct span operation = sample_word_of(line, "operation");
	struct span name = sample_word_of(line, "index");
	if (!operation.n || !name.n)
		return false;
	struct sample_index *x = sample_store_find(&p->store, name);
	p->log.n = (uint64_t)json_integer_value(json_object_get(line, "n"));
	if (span_is(operation, SPAN("delete_index")))
		return restore_deletion(p, x);
	if (json_object_get(line, "id"))
		return restore_document(p, x, line, text);
	return restore_index(p, line, name);
}

static bool restore_line(struct sample *p, struct span text)
{
	json_t *line = json_loadb(text.at, text.n, JSON_ALLOW_NUL, NULL);
	bool good = json_is_object(line) && restore_operation(p, line, text);
	json_decref(line);
	return good;
}

static bool restore_lines(struct sample *p, FILE *from, const char *path)
{
	char *line = NULL;
	size_t room = 0;
	bool good = true;
	off_t whole = 0;
	for (ssize_t n; good && (n = getline(&line, &room, from)) > 0;) {
		if (line[n - 1] != '\n')
			break;
		good = restore_line(p, (struct span){ line, (size_t)n - 1 });
		whole += n;
	}
	free(line);
	if (!good)
		fprintf(stderr,
			"crossfade demo-cluster: %s: what ends at byte %jd makes no sense\n", path,
			(intmax_t)whole);
	else if (truncate(path, whole) < 0)
		good = false;
	return good;
}

bool sample_restore(struct sample *p, const char *path)
{
	FILE *from = fopen(path, "re");
	if (!from && errno == ENOENT)
		return true;
	if (!from) {
		fprintf(stderr, "crossfade demo-cluster: %s: %s\n", path, strerror(errno));
		return false;
	}
	bool good = restore_lines(p, from, path);
	fclose(from);
	for (size_t i = 0; i < p->store.n; i++)
		p->store.indices[i]->primary_term++;
	sample_store_refresh(&p->store);
	return good;
}
