#ifndef CAPTURE_SKIP_H
#define CAPTURE_SKIP_H

/*
 * Which requests are not to be recorded: rules by method, path and header. They are sorted when
 * they are made, so that a request meets only those whose path begins or ends as its own does: a
 * table of what stands before a rule's first '*', and one of what stands behind the last, are asked
 * once for each such length.
 */

#include "base/arena.h"
#include "base/span.h"
#include "http/msg.h"

/* A request fits when all fits that is given; nothing given in a member: anything does. */
struct skip_rule {
	struct span method;
	/* Of the target without its query; each '*' stands for any bytes, '/' among them. */
	struct span path;
	struct span header; /* its name: there is such a field, */
	struct span value;  /* and one of them has this value, with '*' as above */
};

struct skips;

/* What the rules refer to, and what is made, is the arena's. */
struct skips *skips_make(struct arena *a, const struct skip_rule *rules, size_t n);

/*
 * A path that clusters may read as another one (with a code, a backslash, an empty or a dot
 * segment) fits no rule that has a path.
 */
bool skips_have(const struct skips *s, const struct msg *request);

/* Whether `text` is what `pattern` says, whose '*' each stand for any bytes. In linear time. */
bool skip_fits(struct span pattern, struct span text);

#endif
