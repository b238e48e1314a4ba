#ifndef CONTROL_CORES_H
#define CONTROL_CORES_H

/*
 * How many workers have a core to run on: the cores that the process may use, and no more than the
 * CPU quota of its control group pays for, or of a group above it (version 1 and 2; Kubernetes' and
 * Docker's CPU limits, CPUQuota= of systemd). A quota of one and a half cores is two workers: part
 * of a core is a core for some of the time.
 */

#include <stdint.h>

#include "base/span.h"

#define CORES_FROM_BYTES 320

struct cores {
	unsigned n;		     /* at least 1 */
	char from[CORES_FROM_BYTES]; /* in words: where the number is from */
};

/* `root` is put before each path that is read: "" but for tests. `machine`: cores that may be used.
 */
void cores_count(const char *root, unsigned machine, struct cores *c);
/* Of this process. */
void cores_here(struct cores *c);

/* Microseconds of CPU time in each period. */
struct quota {
	uint64_t us, period_us;
};

/* What cpu.max says ("max 100000", "150000 100000"). False: there is no quota. */
bool quota_of_max(struct span text, struct quota *q);
/* What cpu.cfs_quota_us and cpu.cfs_period_us say ("-1", "150000"; "100000"). */
bool quota_of_cfs(struct span quota, struct span period, struct quota *q);
/* Rounded up. */
unsigned quota_cores(const struct quota *q);

#endif
