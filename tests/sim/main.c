/*
 * sim FIRST COUNT [-v]: whole workers on the simulator, COUNT seeds from FIRST on. The first seed that
 * breaks an invariant ends it, with status 1. -v prints all that happens, of each seed.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "sim/judge.h"
#include "sim/world.h"

/* Real seconds that a seed may take: a thousand times what one does. */
#define PATIENCE_S 60
/* Each such seed runs twice, to see that both runs are the same. */
#define TWICE_EVERY 50

/* Seeds that once showed a bug, and the bug. They run first. */
static const struct {
	uint64_t seed;
	const char *bug;
} regressions[] = {
	{ 1, "none yet" },
};

static void run_seed(uint64_t seed, bool verbose)
{
	alarm(PATIENCE_S);
	uint64_t trace = world_run(seed, verbose);
	if (seed % TWICE_EVERY == 0 && world_run(seed, false) != trace) {
		fprintf(stderr, "seed %llu: equal runs: they are not\n", (unsigned long long)seed);
		_exit(1);
	}
}

/* In a process of its own; *at is the seed that it is at. */
static pid_t start(uint64_t first, uint64_t end, unsigned step, volatile uint64_t *at)
{
	fflush(NULL);
	pid_t child = fork();
	must(child >= 0);
	if (child)
		return child;
	for (*at = first; *at < end; *at += step)
		run_seed(*at, false);
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 200;
	bool verbose = argc > 3 && strcmp(argv[3], "-v") == 0;
	(void)regressions;
	setlinebuf(stdout);
	if (verbose) {
		for (uint64_t s = first; s < first + count; s++)
			run_seed(s, true);
		return 0;
	}
	volatile uint64_t *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t child = start(first, first + count, 1, at);
	must(waitpid(child, &status, 0) == child);
	if (status) {
		printf("seed %llu failed; see it with: sim %llu 1 -v\n", (unsigned long long)*at,
		       (unsigned long long)*at);
		return 1;
	}
	printf("%llu seeds clean\n", (unsigned long long)count);
	return 0;
}
