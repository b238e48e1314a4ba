#ifndef REPLAY_COMPARE_AROUND_H
#define REPLAY_COMPARE_AROUND_H

/*
 * What documents stand in, compared: mappings, aliases and settings of an index; templates and
 * pipelines by their names. Pure functions.
 *
 * Some differences say nothing: how many copies a cluster keeps is its own business, and each
 * product brings templates of its own. They are known, and told as such with the reason.
 */

#include <jansson.h>
#include <stdbool.h>

/* One difference: "mapping: properties.n.type: \"long\" / \"text\"". `known`: why it does not
 * count; NULL: it counts. Texts are borrowed for the call. */
typedef void around_told(void *user, const char *what, const char *known);

/* Two bodies of `GET /INDEX`, below the index' name. True: nothing that counts differs. */
bool around_compare_index(const json_t *owner, const json_t *replica, around_told *told,
			  void *user);

enum around_kind {
	AROUND_INDEX_TEMPLATES,
	AROUND_COMPONENT_TEMPLATES,
	AROUND_TEMPLATES, /* legacy ones */
	AROUND_PIPELINES,
	AROUND_KINDS,
};

/* "/_index_template" */
const char *around_path(enum around_kind kind);
/* Two responses to that; NULL: there are none. The same. */
bool around_compare_kind(enum around_kind kind, const json_t *owner, const json_t *replica,
			 around_told *told, void *user);

#endif
