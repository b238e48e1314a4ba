#ifndef CONTROL_CORES_H
#define CONTROL_CORES_H

/*
 * How many workers have a core to run on. That is the number of cores that the process may use,
 * limited by the CPU quota of its control group and of all groups above it (cgroup version 1 and 2;
 * CPU limits of Kubernetes and Docker, CPUQuota= of systemd). A quota of one and a half cores gives
 * two workers: part of a core is a core for some of the time.
 */

#include <stdint.h>

#include "base/span.h"

#define CORES_FROM_BYTES 320

struct cores {
	unsigned n;		     /* at least 1 */
	char from[CORES_FROM_BYTES]; /* where the number comes from, in words */
};

/*
 * `root` is put before each path that is read; it is "" except in tests. `machine`: cores that may
 * be used.
 */
void cores_count(const char *root, unsigned machine, struct cores *c);
/* The same for this process. */
void cores_here(struct cores *c);

/* Microseconds of CPU time in each period. */
struct quota {
	uint64_t us, period_us;
};

/* Parses cpu.max ("max 100000", "150000 100000"). False: there is no quota. */
bool quota_of_max(struct span text, struct quota *q);
/* Parses cpu.cfs_quota_us and cpu.cfs_period_us ("-1", "150000"; "100000"). */
bool quota_of_cfs(struct span quota, struct span period, struct quota *q);
/* The quota in cores, rounded up. */
unsigned quota_cores(const struct quota *q);

#endif
