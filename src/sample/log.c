#include "sample/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sample/json.h"

bool sample_log_open(struct sample_log *l, const char *path)
{
	*l = (struct sample_log){ .fd = -1 };
	if (path)
		l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return !path || l->fd >= 0;
}

void sample_log_close(struct sample_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	sample_text_free(&l->line);
}

static void log_add_version(struct sample_text *t, const struct sample_version *v)
{
	const struct sample_document *d = v->document;
	sample_text_member(t, SPAN("id"), (struct span){ d->id, d->id_n });
	sample_text_count(t, SPAN("seq_no"), v->seq_no);
	sample_text_count(t, SPAN("primary_term"), v->primary_term);
	sample_text_count(t, SPAN("version"), v->version);
	if (v->routing.at)
		sample_text_member(t, SPAN("routing"), v->routing);
	if (v->source.at) {
		sample_text_name(t, SPAN("source"));
		sample_json_compact(t, v->source);
	}
}

static void log_add_index(struct sample_text *t, const struct sample_index *x)
{
	sample_text_count(t, SPAN("mapping_version"), x->mapping_version);
	sample_text_count(t, SPAN("settings_version"), x->settings_version);
	sample_text_count(t, SPAN("aliases_version"), x->aliases_version);
	sample_text_name(t, SPAN("mappings"));
	sample_text_json(t, x->mappings);
	sample_text_name(t, SPAN("settings"));
	sample_text_json(t, x->settings);
	sample_text_name(t, SPAN("aliases"));
	sample_text_json(t, x->aliases);
}

static void log_write(const struct sample_log *l)
{
	ssize_t n;
	do
		n = write(l->fd, l->line.at, l->line.n);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)l->line.n)
		return;
	fprintf(stderr, "crossfade demo-cluster: the log of operations cannot be written\n");
	exit(1);
}

void sample_log_add(struct sample_log *l, const struct sample_event *e)
{
	struct sample_text *t = &l->line;
	if (l->fd < 0)
		return;
	t->n = 0;
	SAMPLE_ADD(t, "{");
	sample_text_count(t, SPAN("n"), ++l->n);
	sample_text_count(t, SPAN("at_ms"), e->now_ms);
	sample_text_member(t, SPAN("operation"), span_of(e->operation));
	sample_text_member(t, SPAN("index"), span_of(e->index->name));
	sample_text_member(t, SPAN("uuid"), span_of(e->index->uuid));
	if (e->opaque_id.at)
		sample_text_member(t, SPAN("opaque_id"), e->opaque_id);
	if (e->version)
		log_add_version(t, e->version);
	else if (strcmp(e->operation, "delete_index") != 0)
		log_add_index(t, e->index);
	SAMPLE_ADD(t, "}\n");
	log_write(l);
}
