#ifndef APP_DEMO_CLUSTER_H
#define APP_DEMO_CLUSTER_H

/*
 * A sample cluster: a process that keeps documents in memory and responds as a small OpenSearch
 * does (sample/sample.h). Each response tells by X-Demo-Cluster who made it.
 */

/*
 * The hidden command that the demo executes: DEMO_CLUSTER_COMMAND NAME LISTENING-DESCRIPTOR; or,
 * for tests and for a trial by hand, with an address and port instead, and options:
 *
 *   --log FILE           each operation in the order in which it was applied (sample/log.h)
 *   --keep               begins with what that file says (sample/restore.h)
 *   --refuse STATUS, --refuse-items STATUS, --read-only, --stall-ms N, --act-after-ms N
 *                        how it fails from its start (struct sample_faults); PUT /_demo/faults
 *                        changes that
 */
#define DEMO_CLUSTER_COMMAND "demo-cluster"

/* Serves until it is killed. */
int demo_cluster_main(int argc, char **argv);

#endif
