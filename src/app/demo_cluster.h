#ifndef APP_DEMO_CLUSTER_H
#define APP_DEMO_CLUSTER_H

/*
 * A sample cluster: a process that keeps documents in memory and answers as a small OpenSearch
 * does, enough for its clients: documents by id, _bulk, _search with match_all, _count,
 * _cluster/health. Each answer tells by X-Demo-Cluster who made it.
 */

/*
 * The hidden command that the demo executes: DEMO_CLUSTER_COMMAND NAME LISTENING-DESCRIPTOR; or,
 * for a trial by hand, with an address and port instead.
 */
#define DEMO_CLUSTER_COMMAND "demo-cluster"

/* Serves until it is killed. */
int demo_cluster_main(int argc, char **argv);

#endif
