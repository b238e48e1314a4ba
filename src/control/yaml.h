#ifndef CONTROL_YAML_H
#define CONTROL_YAML_H

/*
 * A YAML text as a tree of texts with their places. The reader of the tree decides on types: `80%`
 * stays "80%". Only plain YAML is accepted: one document, no aliases, anchors or tags, and each key
 * a scalar that is not repeated in its map.
 */

#include "base/arena.h"
#include "control/diagnostics.h"

enum yaml_kind {
	YAML_SCALAR,
	YAML_LIST,
	YAML_MAP,
	YAML_REFUSED, /* there is a diagnostic for it already */
};

struct yaml {
	enum yaml_kind kind;
	size_t at;	 /* of the value; of the key, where the value is empty */
	const char *key; /* members of a map */
	size_t key_at;
	const char *text;   /* scalars: without quotes, terminated; "" when nothing is there */
	struct yaml *first; /* lists and maps */
	struct yaml *next;  /* the next member of the list or map that it is in */
};

/* The root, in the arena; NULL, and a diagnostic, when the text is not YAML. */
struct yaml *yaml_read(struct arena *arena, struct diagnostics *c);

/* "a list", for messages. */
const char *yaml_kind_word(enum yaml_kind k);

#endif
