#ifndef CONTROL_ADMIN_REPLAY_H
#define CONTROL_ADMIN_REPLAY_H

/*
 * The admin API's handlers of replay. A change has the members `reason` and `who`, both optional,
 * and those that are named here; its response follows when it is durable.
 */

#include "control/service.h"

/* GET /v1/replay: as `replay` of /v1/status. */
void admin_serve_replay(struct call *c);
/* POST /v1/replay/pause, /resume */
void admin_serve_replay_pause(struct call *c);
void admin_serve_replay_resume(struct call *c);
/* POST /v1/replay/backfill {"indices":[PATTERN,...],"rate":N}; .../pause, /resume, /stop */
void admin_serve_backfill(struct call *c);
void admin_serve_backfill_pause(struct call *c);
void admin_serve_backfill_resume(struct call *c);
void admin_serve_backfill_stop(struct call *c);
/* POST /v1/replay/restart {"from":TIME} */
void admin_serve_restart(struct call *c);
/* GET /v1/replay/set-aside?from=N; POST .../retry, /drop {"document":"INDEX/ID"} */
void admin_serve_aside(struct call *c);
void admin_serve_aside_retry(struct call *c);
void admin_serve_aside_drop(struct call *c);

#endif
