#ifndef SAMPLE_SAMPLE_H
#define SAMPLE_SAMPLE_H

/*
 * A sample cluster without its sockets: a request becomes a response, at once and in memory. It
 * responds as a small OpenSearch of one node does.
 */

#include "sample/log.h"
#include "sample/store.h"
#include "http/msg.h"

/* "/_cluster/state/metadata/logs" has the most; one more is seen. */
#define SAMPLE_SEGMENTS_MAX 6

/* What tests ask for: how it fails. All 0: it does not. */
struct sample_faults {
	unsigned refuse;       /* a status: each request that writes documents is refused with it */
	unsigned refuse_items; /* the same, item by item of a bulk */
	unsigned refuse_objects;   /* the same, of templates, pipelines and scripts */
	bool read_only;		   /* writes are refused as by an index block */
	unsigned stall_ms;	   /* a request that writes documents waits before it is applied */
	unsigned stall_changes_ms; /* one that makes, changes or deletes an index does */
	unsigned stall_reads_ms;   /* all others do */
	char authorization[64];	   /* requests without this Authorization get 401; "": none is asked
				      for */
	unsigned act_after_ms; /* a waiting write whose connection broke is applied so much later */
};

/* A change that waits, for _tasks; server.c has them. */
struct sample_task {
	struct list link;
	uint64_t id, began_ms;
	const char *action;    /* "indices:data/write/bulk" */
	struct span opaque_id; /* borrowed */
};

struct sample {
	const char *name; /* borrowed */
	struct sample_store store;
	struct sample_log log;
	struct sample_faults faults;
	json_t *objects;   /* owned: templates, pipelines and scripts by their path */
	struct list tasks; /* of struct sample_task */
	uint64_t task_id;  /* of the last one */
};

struct sample_call {
	struct sample *cluster;
	enum method method;
	struct span opaque_id;	       /* of X-Opaque-Id; at = NULL: none */
	struct span path, query, body; /* borrowed */
	/* The path in pieces, decoded: "/logs/_doc/a%20b" is logs, _doc, "a b". */
	struct span segments[SAMPLE_SEGMENTS_MAX];
	size_t n;
	char path_text[4096];
	/* The response: */
	unsigned status;
	struct sample_text text; /* owned */
};

void sample_open(struct sample *p, const char *name);
void sample_close(struct sample *p);

/* Answers it. method, opaque_id, path, query and body are given, all else is set. */
void sample_serve(struct sample *p, struct sample_call *c);
/* Reads the path only, for sample_writes(); false: it is too long, or no UTF-8. */
bool sample_read_path(struct sample_call *c);
/* The action of a task that writes documents; NULL: this call is none. */
const char *sample_writes(const struct sample_call *c);
/* The same of one that changes an index. */
const char *sample_changes(const struct sample_call *c);
/* Leads it to who answers; its path is read. */
void sample_route(struct sample_call *c);

/* --- for who answers --- */

/* The value of a parameter of the query, decoded; false: it is not there, or longer than `room`. */
bool sample_parameter(const struct sample_call *c, const char *name, char *to, size_t room,
		      struct span *value);
bool sample_has(const struct sample_call *c, const char *name);
/* It is there, and not "false". */
bool sample_is_asked(const struct sample_call *c, const char *name);
/* The body as JSON, owned; of an empty body an empty object. NULL after a response. */
json_t *sample_body(struct sample_call *c);

/* A line of the log of operations (log.h). `v` NULL: it was of no document. */
void sample_note(const struct sample_call *c, const char *operation, const struct sample_index *x,
		 const struct sample_version *v);

/* Whole responses. `j` is moved in. */
void sample_respond_json(struct sample_call *c, unsigned status, json_t *j);
void sample_respond_trouble(struct sample_call *c, const struct sample_trouble *t);
__attribute__((format(printf, 4, 5))) void sample_respond_error(struct sample_call *c,
								unsigned status, const char *type,
								const char *format, ...);
/* {"acknowledged":true} */
void sample_acknowledge(struct sample_call *c);
/* The "_shards" of a response. */
json_t *sample_shards(void);
/* sample_store_resolve(); false after a response. */
bool sample_indices_of(struct sample_call *c, struct span expression, struct sample_index **found,
		       size_t *n);

/* --- who answers what: each one file --- */

/* /INDEX/_doc/ID, /INDEX/_create/ID, /INDEX/_update/ID, /INDEX/_source/ID; `id` empty: one is made
 */
void sample_serve_document(struct sample_call *c, struct span index, struct span id);
void sample_serve_create(struct sample_call *c, struct span index, struct span id);
void sample_serve_update(struct sample_call *c, struct span index, struct span id);
void sample_serve_source(struct sample_call *c, struct span index, struct span id);
/* `index`: where a part names none; may be empty. */
void sample_serve_mget(struct sample_call *c, struct span index);
void sample_serve_bulk(struct sample_call *c, struct span index);

/* `indices` is an expression; empty: all. */
void sample_serve_search(struct sample_call *c, struct span indices);
void sample_serve_scroll(struct sample_call *c);
void sample_serve_count(struct sample_call *c, struct span indices);
void sample_serve_delete_by_query(struct sample_call *c, struct span indices);
void sample_serve_update_by_query(struct sample_call *c, struct span indices);

void sample_serve_index(struct sample_call *c, struct span indices);
void sample_serve_mapping(struct sample_call *c, struct span indices);
void sample_serve_settings(struct sample_call *c, struct span indices);
void sample_serve_refresh(struct sample_call *c, struct span indices);
void sample_serve_closing(struct sample_call *c, struct span indices, bool closed);
/* `name`: an alias, or a pattern of them; empty: all. */
void sample_serve_alias(struct sample_call *c, struct span indices, struct span name);
void sample_serve_aliases(struct sample_call *c);

void sample_serve_info(struct sample_call *c);
void sample_serve_health(struct sample_call *c);
void sample_serve_state(struct sample_call *c, struct span indices);
void sample_serve_stats(struct sample_call *c, struct span indices);
void sample_serve_cat_indices(struct sample_call *c);
void sample_serve_tasks(struct sample_call *c);
/* One that is over: who does not wait for a query that writes is told of it so. */
void sample_serve_task(struct sample_call *c);
void sample_serve_faults(struct sample_call *c);

/* /_data_stream/NAME; a stream is made by the first document, too, where a template says so. */
void sample_serve_stream(struct sample_call *c);
void sample_serve_rollover(struct sample_call *c);
/* NULL after a trouble: no template fits, or the name is taken. */
struct sample_index *sample_make_stream(struct sample_call *c, struct span name,
					struct sample_trouble *t);

/* /_index_template/NAME and others: kept, shown, and applied to data streams only. */
void sample_serve_object(struct sample_call *c);
/* The index template for a data stream of that name; NULL: there is none. Borrowed. */
const json_t *sample_stream_template(const struct sample *p, struct span name);
json_t *sample_scripts(const struct sample *p); /* as the state has them; a new reference */

#endif
