#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

/*
 * The admin API: JSON over HTTP, on a unix socket for the socket's owner, and over TCP for clients
 * that have the token.
 *
 *   GET       /v1/status
 *   GET, PUT  /v1/weights    ETag and If-Match are the epoch
 *   POST      /v1/rollback
 *   PUT       /v1/nodes/NAME/state    drain or ready: drains_admin.h
 *   POST      /v1/reload, /v1/upgrade, /v1/stop    like the signals; 202
 *   GET       /v1/history    the last lines of audit.jsonl
 *   POST      /v1/trace      {"client":NETWORK} begins a trace
 *   GET       /v1/trace      the lines since the last GET
 *   DELETE    /v1/trace      the same, and the trace ends
 *   GET       /readyz
 *   GET       /metrics /healthz    these two without the token
 *
 * /v1/status has the outcome of reload, upgrade and stop.
 *
 * Over TCP, Host must be an address, localhost, or one of admin.hosts: admin_host.h.
 */

#include "control/admin_call.h"

void admin_open(struct admin *a, struct workers *w, struct leader *l, const struct reload *r,
		struct loop *loop);
void admin_close(struct admin *a);

#endif
