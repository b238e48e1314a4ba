#ifndef APP_DEMO_API_H
#define APP_DEMO_API_H

/* The parts of a sample cluster's API, each of which answers its calls. */

#include "app/demo_store.h"
#include "control/service.h"

struct demo_cluster {
	const char *name;
	struct demo_store store;
	struct loop loop;
	struct service service;
};

static inline struct demo_cluster *demo_cluster_of(const struct call *c)
{
	return c->service->owner;
}

/* NULL: a name in the path was not UTF-8, so that no JSON could be made with it. */
void demo_answer(struct call *c, unsigned status, json_t *j /* moved in */);
void demo_answer_error(struct call *c, unsigned status, const char *type, const char *reason);
/* The "_shards" of an answer. */
json_t *demo_shards(void);

/* /INDEX/_doc/ID and /INDEX/_create/ID; `id` NULL: one is made. */
void demo_serve_document(struct call *c, const char *index, const char *id, bool create);
/* `index`: where an action names none; may be NULL. */
void demo_serve_bulk(struct call *c, const char *index);

/* `index` NULL, "_all" or "*": all of them. */
void demo_serve_search(struct call *c, const char *index);
void demo_serve_count(struct call *c, const char *index);
/* PUT, GET, HEAD, DELETE /INDEX */
void demo_serve_index(struct call *c, const char *index);
void demo_serve_indices(struct call *c);

#endif
