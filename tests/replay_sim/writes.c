#include "replay_sim/writes.h"

#include <stdio.h>

#include "replay_sim/world.h"

#define JSON "application/json"
#define LINES "application/x-ndjson"
#define BULK_MAX 6
#define ROUTINGS 4

/* A request before it is written. */
struct written {
	char line[200];
	struct text body;
	const char *type;
};

/* --- parts --- */

static const char *writes_index(struct world *w)
{
	return plot_index((unsigned)dice_roll(&w->dice, w->plot.indices));
}

static unsigned writes_id(struct world *w)
{
	return (unsigned)dice_roll(&w->dice, w->plot.ids);
}

/*
 * An alias routes as ever to an index of several shards, and what it writes there has ids of its
 * own: of an id that is there by two routings, one of which the log does not tell, replay may leave
 * one out (docs/migration.md, What does not work yet).
 */
static bool writes_alias_is_apart(const struct world *w, const char *index)
{
	return w->plot.routings && plot_shards(&w->plot, index) > 1;
}

static const char *writes_alias_prefix(const struct world *w, const char *index)
{
	return writes_alias_is_apart(w, index) ? "o" : "";
}

static void writes_field(struct world *w, struct text *to)
{
	struct dice *d = &w->dice;
	unsigned field = (unsigned)dice_roll(d, 8), value = (unsigned)dice_roll(d, 100);
	bool number = w->plot.simple_indices ? field % 2 == 0 : dice_chance(d, 500);
	text_print(to, number ? ",\"f%u\":%u" : ",\"f%u\":\"%u words\"", field, value);
}

static void writes_members(struct world *w, struct text *to)
{
	struct dice *d = &w->dice;
	text_print(to, "\"n\":%llu,\"k\":%u", (unsigned long long)++w->document_n,
		   (unsigned)dice_roll(d, 5));
	if (dice_chance(d, w->plot.new_fields))
		writes_field(w, to);
}

/* No other document has its text. The first one with a field says what the field is. */
static void writes_document(struct world *w, struct text *to)
{
	text_print(to, "{");
	writes_members(w, to);
	text_print(to, "}");
}

static void writes_routing(struct world *w, struct written *r)
{
	size_t n = strlen(r->line);
	char mark = strchr(r->line, '?') ? '&' : '?';
	if (dice_chance(&w->dice, w->plot.routings))
		snprintf(r->line + n, sizeof r->line - n, "%crouting=r%u", mark,
			 (unsigned)dice_roll(&w->dice, ROUTINGS));
}

/* Mostly greater than those before. */
static unsigned writes_version(struct world *w)
{
	return (unsigned)w->document_n + (unsigned)dice_roll(&w->dice, 30);
}

static const char *writes_versioning(struct world *w)
{
	return dice_chance(&w->dice, 500) ? "external" : "external_gte";
}

static void writes_query(struct world *w, struct text *to)
{
	text_print(to, "\"query\":{\"term\":{\"k\":%u}}", (unsigned)dice_roll(&w->dice, 5));
}

/* --- requests --- */

static void write_put(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "PUT /%s/_doc/%u", writes_index(w), writes_id(w));
	writes_routing(w, r);
	writes_document(w, &r->body);
}

static void write_without_id(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "POST /%s/_doc%s", writes_index(w),
		 dice_chance(&w->dice, 300) ? "?filter_path=result" : "");
	writes_document(w, &r->body);
}

static void write_create(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "PUT /%s/_create/%u", writes_index(w), writes_id(w));
	writes_routing(w, r);
	writes_document(w, &r->body);
}

static void write_update(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "POST /%s/_update/%u", writes_index(w), writes_id(w));
	writes_routing(w, r);
	text_print(&r->body, "{\"doc\":");
	writes_document(w, &r->body);
	text_print(&r->body, dice_chance(&w->dice, 300) ? ",\"doc_as_upsert\":true}" : "}");
}

static void write_count(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "POST /%s/_update/%u", writes_index(w), writes_id(w));
	writes_routing(w, r);
	text_print(&r->body, "{\"script\":{\"source\":\"ctx._source.n += 1000000\"}}");
}

static void write_delete(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "DELETE /%s/_doc/%u", writes_index(w), writes_id(w));
	writes_routing(w, r);
}

static void write_versioned(struct world *w, struct written *r)
{
	bool deletes = dice_chance(&w->dice, 250);
	snprintf(r->line, sizeof r->line, "%s /%s/_doc/%u?version=%u&version_type=%s",
		 deletes ? "DELETE" : "PUT", writes_index(w), writes_id(w), writes_version(w),
		 writes_versioning(w));
	writes_routing(w, r);
	if (!deletes)
		writes_document(w, &r->body);
}

/* Mostly a conflict. */
static void write_if(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "PUT /%s/_doc/%u?if_seq_no=%u&if_primary_term=1",
		 writes_index(w), writes_id(w), (unsigned)dice_roll(&w->dice, 20));
	writes_routing(w, r);
	writes_document(w, &r->body);
}

static void write_item(struct world *w, struct text *to)
{
	static const char *const actions[] = { "index", "index", "create", "update", "delete" };
	const char *action = dice_pick(&w->dice, actions);
	bool named = *action != 'i' || dice_chance(&w->dice, 900);
	const char *index = writes_index(w);
	bool by_alias = w->plot.kinds >> PLOT_ALIASES & 1 && dice_chance(&w->dice, 150);
	text_print(to, "{\"%s\":{\"_index\":\"%s%s\"", action, by_alias ? "of-" : "", index);
	if (by_alias)
		text_print(to, ",\"require_alias\":true");
	if (named)
		text_print(to, ",\"_id\":\"%s%u\"", by_alias ? writes_alias_prefix(w, index) : "",
			   writes_id(w));
	if (!by_alias && dice_chance(&w->dice, w->plot.routings))
		text_print(to, ",\"routing\":\"r%u\"", (unsigned)dice_roll(&w->dice, ROUTINGS));
	bool versioned = w->plot.kinds >> PLOT_VERSIONS & 1 && named &&
			 (*action == 'i' || *action == 'd') && dice_chance(&w->dice, 300);
	if (versioned)
		text_print(to, ",\"version\":%u,\"version_type\":\"%s\"", writes_version(w),
			   writes_versioning(w));
	text_print(to, "}}\n");
	if (*action == 'd')
		return;
	text_print(to, *action == 'u' ? "{\"doc\":{" : "{");
	writes_members(w, to);
	text_print(to, *action == 'u' ? "}}\n" : "}\n");
}

static void write_bulk(struct world *w, struct written *r)
{
	bool hides = dice_chance(&w->dice, w->plot.hidden_ids);
	snprintf(r->line, sizeof r->line, "POST /_bulk%s", hides ? "?filter_path=errors" : "");
	r->type = LINES;
	for (uint64_t n = dice_between(&w->dice, 1, BULK_MAX); n; n--)
		write_item(w, &r->body);
}

static void write_delete_by_query(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "POST /%s/_delete_by_query?conflicts=proceed%s",
		 writes_index(w), dice_chance(&w->dice, 300) ? "&refresh=true" : "");
	text_print(&r->body, "{");
	writes_query(w, &r->body);
	text_print(&r->body, "}");
}

static void write_update_by_query(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "POST /%s/_update_by_query?conflicts=proceed",
		 writes_index(w));
	text_print(&r->body, "{");
	writes_query(w, &r->body);
	text_print(&r->body, ",\"script\":{\"source\":\"ctx._source.n += 1000000\"}}");
}

static void write_index_deletion(struct world *w, struct written *r)
{
	bool pattern = dice_chance(&w->dice, 300);
	snprintf(r->line, sizeof r->line, "DELETE /%s", pattern ? "logs-*" : writes_index(w));
}

static void write_index_creation(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "PUT /%s", writes_index(w));
	text_print(&r->body, "{\"mappings\":{\"properties\":{\"f%u\":{\"type\":\"%s\"}}}}",
		   2 * (unsigned)dice_roll(&w->dice, 4),
		   w->plot.simple_indices ? "long" : "keyword");
}

static void write_mapping(struct world *w, struct written *r)
{
	snprintf(r->line, sizeof r->line, "PUT /%s/_mapping", writes_index(w));
	text_print(&r->body, "{\"properties\":{\"f%u\":{\"type\":\"long\"}}}",
		   2 * (unsigned)dice_roll(&w->dice, 4));
}

/* Where documents are routed, writes by most aliases are, too, and the log does not tell how. */
static void write_alias(struct world *w, struct written *r)
{
	const char *index = writes_index(w);
	snprintf(r->line, sizeof r->line, "POST /_aliases");
	text_print(&r->body, "{\"actions\":[{\"add\":{\"index\":\"%s\",\"alias\":\"of-%s\"", index,
		   index);
	if (writes_alias_is_apart(w, index))
		text_print(&r->body, ",\"routing\":\"r1\"");
	else if (w->plot.routings && dice_chance(&w->dice, 700))
		text_print(&r->body, ",\"routing\":\"r%u\"",
			   (unsigned)dice_roll(&w->dice, ROUTINGS));
	text_print(&r->body, "}}]}");
}

static void write_by_alias(struct world *w, struct written *r)
{
	const char *index = writes_index(w);
	snprintf(r->line, sizeof r->line, "PUT /of-%s/_doc/%s%u?require_alias=true", index,
		 writes_alias_prefix(w, index), writes_id(w));
	writes_document(w, &r->body);
}

static void write_deletion_by_alias(struct world *w, struct written *r)
{
	const char *index = writes_index(w);
	snprintf(r->line, sizeof r->line, "DELETE /of-%s/_doc/%s%u", index,
		 writes_alias_prefix(w, index), writes_id(w));
}

static void write_update_by_alias(struct world *w, struct written *r)
{
	const char *index = writes_index(w);
	snprintf(r->line, sizeof r->line, "POST /of-%s/_update/%s%u?require_alias=true", index,
		 writes_alias_prefix(w, index), writes_id(w));
	text_print(&r->body, "{\"doc\":");
	writes_document(w, &r->body);
	text_print(&r->body, "}");
}

/* How often each is chosen, out of the sum. */
static const struct {
	void (*write)(struct world *w, struct written *r);
	enum plot_kind kind;
	unsigned share;
} kinds[] = {
	{ write_put, PLOT_DOCUMENTS, 300 },
	{ write_without_id, PLOT_DOCUMENTS, 40 },
	{ write_create, PLOT_DOCUMENTS, 60 },
	{ write_update, PLOT_DOCUMENTS, 100 },
	{ write_count, PLOT_DOCUMENTS, 60 },
	{ write_delete, PLOT_DOCUMENTS, 150 },
	{ write_if, PLOT_DOCUMENTS, 40 },
	{ write_bulk, PLOT_DOCUMENTS, 200 },
	{ write_delete_by_query, PLOT_QUERIES, 30 },
	{ write_update_by_query, PLOT_QUERIES, 30 },
	{ write_index_deletion, PLOT_INDICES, 15 },
	{ write_index_creation, PLOT_INDICES, 20 },
	{ write_mapping, PLOT_INDICES, 20 },
	{ write_alias, PLOT_ALIASES, 20 },
	{ write_by_alias, PLOT_ALIASES, 40 },
	{ write_deletion_by_alias, PLOT_ALIASES, 20 },
	{ write_update_by_alias, PLOT_ALIASES, 20 },
	{ write_versioned, PLOT_VERSIONS, 200 },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static unsigned writes_share(const struct world *w, size_t i)
{
	return w->plot.kinds >> kinds[i].kind & 1 ? kinds[i].share : 0;
}

static size_t writes_choose(struct world *w)
{
	unsigned all = 0;
	size_t i = 0;
	for (size_t j = 0; j < KINDS; j++)
		all += writes_share(w, j);
	unsigned at = (unsigned)dice_roll(&w->dice, all);
	for (; at >= writes_share(w, i); i++)
		at -= writes_share(w, i);
	return i;
}

static void writes_send(struct text *to, const struct written *r)
{
	text_print(to, "%s HTTP/1.1\r\nhost: sim\r\nx-client: 1\r\n", r->line);
	if (r->body.n)
		text_print(to, "content-type: %s\r\n", r->type);
	text_print(to, "content-length: %zu\r\n\r\n", r->body.n);
	text_add(to, r->body.at, r->body.n);
}

void writes_make(struct world *w, struct text *to)
{
	struct written r = { .type = JSON };
	kinds[writes_choose(w)].write(w, &r);
	writes_send(to, &r);
	text_drop(&r.body);
}
