#ifndef PROXY_CLASS_RULE_H
#define PROXY_CLASS_RULE_H

/*
 * The table class.def: rows of a method and a path's segments, each with a class. A request is
 * compared with all of a row's segments at once, as one word (path.h).
 */

#include <stdint.h>

#include "http/msg.h"
#include "proxy/classes.h"
#include "proxy/path.h"

enum class_repeat { REPEATABLE, ONCE, NO_SCROLL, IN_PARTS };

struct class_rule {
	uint64_t mask, path;
	uint8_t method, class, repeat;
	uint8_t segments[PATH_DEPTH];
};

enum {
	CLASS_RULES = 0
#define RULE(method, class, repeat, ...) +1
#include "proxy/class.def"
#undef RULE
};

/* The first row that matches; NULL: none does. `path` is struct path's word of segments. */
const struct class_rule *class_rule_find(enum method method, uint64_t path);

/* A row's index in the table. */
unsigned class_rule_number(const struct class_rule *r);
const struct class_rule *class_rule_at(unsigned number);

/* The row for people, as "POST /{index}/_search". */
void class_rule_say(const struct class_rule *r, char to[CLASS_RULE_BYTES]);

#endif
