/*
 * sim FIRST COUNT [-v]: whole workers on the simulator, COUNT seeds from FIRST on. The first seed
 * that breaks an invariant ends it, with status 1. -v prints all that happens.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "sim/world.h"

/* Real seconds that a seed may take: many thousand times what it does. */
#define PATIENCE_S 60
/* Each such seed runs twice, to see that both runs are the same. */
#define TWICE_EVERY 50
#define JOBS_MAX 16

static void run_seed(uint64_t seed, bool verbose)
{
	alarm(PATIENCE_S);
	uint64_t trace = world_run(seed, verbose);
	if (seed % TWICE_EVERY == 0 && world_run(seed, verbose) != trace) {
		fprintf(stderr, "seed %llu: equal runs: they are not\n", (unsigned long long)seed);
		_exit(1);
	}
}

/* --- several processes, so that one that dies is survived by somebody who says its seed --- */

struct job {
	pid_t pid;
	volatile uint64_t *at; /* shared with it: the seed that it is at */
};

static struct job start(uint64_t first, uint64_t end, unsigned step)
{
	struct job j = { .at = mmap(NULL, sizeof *j.at, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	must(j.at != MAP_FAILED);
	fflush(NULL);
	j.pid = fork();
	must(j.pid >= 0);
	if (j.pid)
		return j;
	for (*j.at = first; *j.at < end; *j.at += step)
		run_seed(*j.at, false);
	_exit(0);
}

/* The number of the job that has ended, and how. */
static unsigned await(const struct job *jobs, unsigned n, int *status)
{
	pid_t pid = wait(status);
	for (unsigned i = 0; i < n; i++)
		if (jobs[i].pid == pid)
			return i;
	must(!"a process that nobody started");
	return 0;
}

static void stop(const struct job *jobs, unsigned n, unsigned but)
{
	for (unsigned i = 0; i < n; i++)
		if (i != but)
			kill(jobs[i].pid, SIGKILL);
}

static bool run_seeds(uint64_t first, uint64_t end)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (unsigned)cores;
	struct job jobs[JOBS_MAX];
	for (unsigned i = 0; i < n; i++)
		jobs[i] = start(first + i, end, n);
	for (unsigned left = n; left > 0; left--) {
		int status;
		unsigned i = await(jobs, n, &status);
		if (status == 0)
			continue;
		stop(jobs, n, i);
		printf("seed %llu failed; see it with: sim %llu 1 -v\n",
		       (unsigned long long)*jobs[i].at, (unsigned long long)*jobs[i].at);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: sim FIRST COUNT [-v]\n");
		return 2;
	}
	uint64_t first = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
	if (argc > 3 && strcmp(argv[3], "-v") == 0) {
		setlinebuf(stdout);
		for (uint64_t s = first; s < first + count; s++)
			run_seed(s, true);
		return 0;
	}
	if (!run_seeds(first, first + count))
		return 1;
	printf("%llu seeds clean\n", (unsigned long long)count);
	return 0;
}
