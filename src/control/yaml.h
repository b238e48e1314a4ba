#ifndef CONTROL_YAML_H
#define CONTROL_YAML_H

/*
 * A YAML text as a tree of texts with their places. Types are the reader's business: `80%` stays
 * "80%". Only the plain part of YAML is taken: one document, no aliases, anchors or tags, keys that
 * are scalars and stand once.
 */

#include "base/arena.h"
#include "control/complaints.h"

enum yaml_kind {
	YAML_SCALAR,
	YAML_LIST,
	YAML_MAP,
	YAML_REFUSED, /* was complained about already */
};

struct yaml {
	enum yaml_kind kind;
	size_t at;	 /* of the value in the text; of its key, when it has no text of its own */
	const char *key; /* members of a map */
	size_t key_at;
	const char *text;   /* scalars: without quotes, terminated; "" when nothing is there */
	struct yaml *first; /* lists and maps */
	struct yaml *next;  /* the next member of the list or map that it is in */
};

/* The root, in the arena; NULL, and a complaint, when the text is not YAML. */
struct yaml *yaml_read(struct arena *arena, struct complaints *c);

/* "a list", for messages. */
const char *yaml_kind_word(enum yaml_kind k);

#endif
