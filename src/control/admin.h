#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

/*
 * The admin API: JSON over HTTP, on a unix socket for its owner and over TCP for whoever has the
 * token.
 *
 *   GET       /v1/status
 *   GET, PUT  /v1/weights    ETag and If-Match are the epoch
 *   POST      /v1/rollback
 *   PUT       /v1/nodes/NAME/state    drained, or ready: drains_admin.h
 *   POST      /v1/reload, /v1/upgrade, /v1/stop    as the signals; 202, and /v1/status tells more
 *   GET       /v1/history    the last lines of the audit
 *   GET       /readyz
 *   GET       /metrics /healthz    these two without the token
 *
 * Over TCP, Host is an address, localhost, or one of admin.hosts: admin_host.h.
 */

#include "control/service.h"
#include "control/token.h"

struct control;

/* Weights and a reason are small; whoever sends more is lost. */
#define ADMIN_BODY_BYTES (64 * 1024)

struct admin {
	struct control *control; /* borrowed */
	struct service service;
	char token[TOKEN_BYTES];
};

void admin_open(struct admin *a, struct control *control, struct loop *loop);
void admin_close(struct admin *a);

#endif
