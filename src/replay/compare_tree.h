#ifndef REPLAY_COMPARE_TREE_H
#define REPLAY_COMPARE_TREE_H

/* A JSON text, taken apart: its values in the order of the text, and members sorted by name. */

#include <stdbool.h>

#include "replay/json_scan.h"

struct compare_node {
	struct span key;   /* of a member, decoded */
	struct span text;  /* of a string, decoded; of a number and a word, as it is written */
	uint8_t kind;	   /* enum json_token: OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL */
	uint32_t end;	   /* the number of the value behind it and all that it has */
	uint32_t child_n;  /* members or items */
	uint32_t children; /* where their numbers stand in `order`; of objects sorted by name */
};

struct compare_tree {
	struct compare_node *nodes; /* owned */
	uint32_t *order;	    /* owned */
	char *plain;		    /* owned: decoded texts */
	size_t n, room, order_n, plain_n;
};

/*
 * `text` is borrowed as long as the tree is. NULL: it is there, and compare_tree_close() ends it.
 * Else why not, in words, and there is nothing to close.
 */
const char *compare_tree_open(struct compare_tree *t, struct span text);
void compare_tree_close(struct compare_tree *t);

static inline const struct compare_node *
compare_tree_child(const struct compare_tree *t, const struct compare_node *of, uint32_t i)
{
	return &t->nodes[t->order[of->children + i]];
}

/* By bytes: less than, equal to or greater than 0. */
int compare_keys(struct span a, struct span b);

#endif
