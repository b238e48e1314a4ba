#ifndef BASE_BUG_H
#define BASE_BUG_H

/*
 * For mistakes of our own. must() is on in every build: a broken promise ends the process where it
 * is noticed, and the keeper starts another one. What a peer or the world may do is never a must();
 * that is an `enum err`.
 */

#include <stdbool.h>

#include "base/counter.h"

_Noreturn void bug_die(const char *promise, const char *file, int line);

#define must(promise) ((promise) ? (void)0 : bug_die(#promise, __FILE__, __LINE__))

/*
 * For something surprising but harmless: it is counted, and the work goes on. Returns `oddity`.
 * Each one is a mistake of ours that an engineer should look at.
 */
static inline bool odd(counter *n, bool oddity)
{
	if (__builtin_expect(oddity, 0))
		counter_add(n, 1);
	return oddity;
}

#endif
