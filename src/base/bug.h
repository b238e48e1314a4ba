#ifndef BASE_BUG_H
#define BASE_BUG_H

/*
 * What only we can do wrong. must() is on in every build: a broken promise ends the process at the
 * place that noticed it, and the keeper starts it again. What a peer or the world may do is never
 * a must(); that is an `enum err`.
 */

#include <stdbool.h>

#include "base/counter.h"

_Noreturn void bug_die(const char *promise, const char *file, int line);

#define must(promise) ((promise) ? (void)0 : bug_die(#promise, __FILE__, __LINE__))

/*
 * What is surprising and does no harm: it is counted, and the work goes on. Returns whether it is
 * so. Each one is a mistake of ours that somebody should look at.
 */
static inline bool odd(counter *n, bool oddity)
{
	if (__builtin_expect(oddity, 0))
		counter_add(n, 1);
	return oddity;
}

#endif
