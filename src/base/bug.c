#include "base/bug.h"

#include <stdio.h>
#include <stdlib.h>

void bug_die(const char *promise, const char *file, int line)
{
	fprintf(stderr, "crossfade: broken promise at %s:%d: %s\n", file, line, promise);
	abort();
}
