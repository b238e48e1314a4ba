/*
 * sim FIRST COUNT [-v] [-c] [-d DECEIT]: runs whole workers on the simulator, COUNT seeds from
 * FIRST on. The first seed that breaks an invariant ends the program with status 1. -v prints all
 * events. -c prints how many of the seeds had each kind of event.
 */

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "sim/world.h"

/* Real seconds that a seed may take: thousands of times what it needs. */
#define TIME_LIMIT_S 60
/* One of so many seeds runs twice, to check that both runs are equal. */
#define TWICE_EVERY 50
#define JOBS_MAX 16

/* The arguments. */
struct wanted {
	uint64_t first, end;
	bool verbose, counts;
	struct deceit deceit;
	_Atomic(uint64_t) *seen; /* seeds with each kind of event; shared by all processes */
};

static void run_here(uint64_t seed, const struct wanted *a)
{
	alarm(TIME_LIMIT_S);
	uint64_t seen, trace = world_run(seed, a->verbose, &a->deceit, &seen);
	for (int i = 0; i < SEENS; i++)
		atomic_fetch_add(&a->seen[i], seen >> i & 1);
	if (seed % TWICE_EVERY == 0 && world_run(seed, a->verbose, &a->deceit, &seen) != trace) {
		fprintf(stderr, "seed %llu: equal runs: two runs differ\n",
			(unsigned long long)seed);
		_exit(1);
	}
}

/* A seed with crashes leaks memory, so it runs in a process of its own. */
static void run_seed(uint64_t seed, const struct wanted *a)
{
	int status;
	if (!world_leaks(seed)) {
		run_here(seed, a);
		return;
	}
	alarm(2 * TIME_LIMIT_S);
	fflush(NULL);
	pid_t pid = fork();
	must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_here(seed, a);
		fflush(NULL);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	if (status)
		_exit(1);
}

/* --- several processes: if one dies, the parent prints its seed --- */

struct job {
	pid_t pid;
	volatile uint64_t *at; /* the present seed; shared with the process */
};

static void *share_memory(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(at != MAP_FAILED);
	return at;
}

static struct job job_start(const struct wanted *a, uint64_t first, unsigned step)
{
	struct job j = { .at = share_memory(sizeof *j.at) };
	fflush(NULL);
	j.pid = fork();
	must(j.pid >= 0);
	if (j.pid)
		return j;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (*j.at = first; *j.at < a->end; *j.at += step)
		run_seed(*j.at, a);
	_exit(0);
}

/* Waits for a job to end; returns its index and its status. */
static unsigned jobs_await(const struct job *jobs, unsigned n, int *status)
{
	pid_t pid = wait(status);
	for (unsigned i = 0; i < n; i++)
		if (jobs[i].pid == pid)
			return i;
	must(!"a process that nobody started");
	return 0;
}

static void jobs_stop(const struct job *jobs, unsigned n, unsigned but)
{
	for (unsigned i = 0; i < n; i++)
		if (i != but)
			kill(jobs[i].pid, SIGKILL);
}

static bool run_seeds(const struct wanted *a)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (unsigned)cores;
	struct job jobs[JOBS_MAX];
	for (unsigned i = 0; i < n; i++)
		jobs[i] = job_start(a, a->first + i, n);
	for (unsigned left = n; left > 0; left--) {
		int status;
		unsigned i = jobs_await(jobs, n, &status);
		if (status == 0)
			continue;
		jobs_stop(jobs, n, i);
		printf("seed %llu failed; see it with: sim %llu 1 -v\n",
		       (unsigned long long)*jobs[i].at, (unsigned long long)*jobs[i].at);
		return false;
	}
	return true;
}

/* Defects on purpose: the judge must find them. */
static const struct {
	const char *name;
	struct deceit deceit;
} deceits[] = {
	{ "syncs-nothing", { .disk = SIM_DISK_SYNCS_NOTHING } },
	{ "repeats-syncs", { .disk = SIM_DISK_REPEATS_SYNCS } },
	{ "forgets-names", { .disk = SIM_DISK_FORGETS_NAMES } },
	{ "cuts-nothing", { .disk = SIM_DISK_CUTS_NOTHING } },
	{ "releases-early", { .releases_early = true } },
	{ "acknowledges-early", { .acknowledges_early = true } },
};

static bool find_deceit(const char *name, struct deceit *to)
{
	for (size_t i = 0; i < sizeof deceits / sizeof *deceits; i++)
		if (strcmp(name, deceits[i].name) == 0) {
			*to = deceits[i].deceit;
			return true;
		}
	return false;
}

static bool read_arguments(int argc, char **argv, struct wanted *a)
{
	if (argc < 3)
		return false;
	a->first = strtoull(argv[1], NULL, 10);
	a->end = a->first + strtoull(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			a->verbose = true;
		else if (strcmp(argv[i], "-c") == 0)
			a->counts = true;
		else if (strcmp(argv[i], "-d") != 0 || ++i == argc ||
			 !find_deceit(argv[i], &a->deceit))
			return false;
	}
	return true;
}

static void print_counts(const struct wanted *a)
{
	for (int i = 0; i < SEENS; i++)
		printf("%7llu %s\n", (unsigned long long)a->seen[i], tally_words((enum seen)i));
}

int main(int argc, char **argv)
{
	struct wanted a = { .seen = share_memory(SEENS * sizeof *a.seen) };
	if (!read_arguments(argc, argv, &a)) {
		fprintf(stderr, "usage: sim FIRST COUNT [-v] [-c] [-d DECEIT]\n");
		return 2;
	}
	if (a.verbose) {
		setlinebuf(stdout);
		for (uint64_t s = a.first; s < a.end; s++)
			run_seed(s, &a);
		return 0;
	}
	if (!run_seeds(&a))
		return 1;
	if (a.counts)
		print_counts(&a);
	printf("%llu seeds clean\n", (unsigned long long)(a.end - a.first));
	return 0;
}
