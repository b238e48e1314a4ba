/*
 * replay_sim FIRST COUNT [-v] [-l] [-k KINDS] [-t TROUBLES]: runs replay on the simulator, COUNT
 * seeds from FIRST on. The first seed that breaks a promise ends the program with status 1. -v
 * prints all events. -l: in all worlds requests to the replica may act late. -k, -t: masks of what
 * clients write, and of what goes wrong (plot.h), in place of the seed's own choice.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/bug.h"
#include "replay_sim/world.h"

/* Real seconds that a seed may take. */
#define TIME_LIMIT_S 120
/* One of so many seeds runs twice, to check that both runs are equal. */
#define TWICE_EVERY 50
/* Seeds that one process runs: what a killed balancer leaves is never freed. */
#define SEEDS_OF_PROCESS 20

struct wanted {
	uint64_t first, end;
	bool verbose;
	struct plot_wishes wishes;
};

static void run_seed(uint64_t seed, const struct wanted *a)
{
	alarm(TIME_LIMIT_S);
	uint64_t trace = world_run(seed, a->verbose, &a->wishes);
	if (seed % TWICE_EVERY || world_run(seed, false, &a->wishes) == trace)
		return;
	printf("seed %llu: equal runs: two runs differ\n", (unsigned long long)seed);
	fflush(stdout);
	_Exit(1);
}

static bool run_some(uint64_t first, uint64_t end, const struct wanted *a)
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint64_t seed = first; seed < end; seed++)
			run_seed(seed, a);
		fflush(NULL);
		_Exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (status)
		printf("one of the seeds %llu to %llu failed; see it with: replay_sim SEED 1 -v\n",
		       (unsigned long long)first, (unsigned long long)end - 1);
	return !status;
}

static bool read_arguments(int argc, char **argv, struct wanted *a)
{
	if (argc < 3)
		return false;
	a->first = strtoull(argv[1], NULL, 10);
	a->end = a->first + strtoull(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "-v"))
			a->verbose = true;
		else if (!strcmp(argv[i], "-l"))
			a->wishes.late = true;
		else if (!strcmp(argv[i], "-k") && i + 1 < argc) {
			a->wishes.kind_given = true;
			a->wishes.kinds = (unsigned)strtoul(argv[++i], NULL, 0);
		} else if (!strcmp(argv[i], "-t") && i + 1 < argc) {
			a->wishes.trouble_given = true;
			a->wishes.trouble = (unsigned)strtoul(argv[++i], NULL, 0);
		} else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct wanted a = { 0 };
	if (!read_arguments(argc, argv, &a)) {
		fprintf(stderr,
			"usage: replay_sim FIRST COUNT [-v] [-l] [-k KINDS] [-t TROUBLES]\n");
		return 2;
	}
	json_object_seed(1);
	for (uint64_t at = a.first; at < a.end; at += SEEDS_OF_PROCESS) {
		uint64_t end = at + SEEDS_OF_PROCESS < a.end ? at + SEEDS_OF_PROCESS : a.end;
		if (!run_some(at, end, &a))
			return 1;
	}
	printf("%llu seeds clean\n", (unsigned long long)(a.end - a.first));
	return 0;
}
