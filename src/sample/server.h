#ifndef SAMPLE_SERVER_H
#define SAMPLE_SERVER_H

/*
 * A sample cluster with its socket, on a loop of its own. Each response tells by X-Demo-Cluster who
 * made it. Requests that are to wait, because a test wants it, stand here.
 */

#include "sample/sample.h"
#include "control/service.h"

struct sample_server {
	struct sample sample;
	struct loop loop;
	struct service service;
	struct timer second;
	struct list jobs; /* of struct sample_job: requests that wait */
	size_t job_n, job_bytes;
};

struct sample_options {
	const char *name;     /* borrowed */
	const char *log_path; /* NULL: no log of operations is kept */
	bool keep;	      /* begins with what the log says */
	struct sample_faults faults;
};

/* False after a diagnostic. */
bool sample_server_open(struct sample_server *s, const struct sample_options *o,
			int fd /* moved in */);
/* Serves until the process is killed. */
_Noreturn void sample_server_run(struct sample_server *s);

#endif
