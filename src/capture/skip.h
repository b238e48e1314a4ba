#ifndef CAPTURE_SKIP_H
#define CAPTURE_SKIP_H

/*
 * Rules for requests that are not recorded, by method, path and header. They are sorted when they
 * are made, so that a request is compared only with rules whose path begins or ends as its own
 * does. One table has what stands before a rule's first '*', another what stands behind the last
 * '*'; each is asked once for each length that occurs.
 */

#include "base/arena.h"
#include "base/span.h"
#include "http/msg.h"

/* A request matches when all that is given matches. An empty member matches anything. */
struct skip_rule {
	struct span method;
	/* Of the target without its query; each '*' stands for any bytes, also '/'. */
	struct span path;
	struct span header; /* the name of a field that must be there */
	struct span value;  /* a value that such a field must have, with '*' as above */
};

struct skips;

/* What the rules refer to, and what is made, is the arena's. */
struct skips *skips_make(struct arena *a, const struct skip_rule *rules, size_t n);

/*
 * Whether a rule matches. A path that clusters may read as another one (with a code, a backslash,
 * an empty or a dot segment) matches no rule that has a path.
 */
bool skips_have(const struct skips *s, const struct msg *request);

/* Whether `text` matches `pattern`, in which each '*' stands for any bytes. In linear time. */
bool skip_fits(struct span pattern, struct span text);

#endif
