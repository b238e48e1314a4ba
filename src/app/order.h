#ifndef APP_ORDER_H
#define APP_ORDER_H

/* Orders to a running balancer, as a signal would give them, and their outcome. */

#include "app/client.h"

struct order {
	struct client client;
	json_t *before; /* owned: the status before the order */
	uint64_t until_ns;
	const char *timeout; /* as the user wrote it */
};

struct order_options {
	struct client_options client;
	const char *reason, *timeout;
};

#define ORDER_OPTIONS(o)                                                                           \
	CLIENT_OPTIONS(&(o)->client), { 0, "reason", &(o)->reason, NULL },                         \
	{                                                                                          \
		0, "timeout", &(o)->timeout, NULL                                                  \
	}

#define ORDER_HELP                                                                                 \
	CLIENT_HELP                                                                                \
	"      --reason TEXT   why, for the balancer's log\n"                                      \
	"      --timeout TIME  how long to wait for the outcome (default: 120s)\n"

/*
 * Gets the status, and sends the order: POST to `path`. False after a diagnostic: *code is the exit
 * code.
 */
bool order_open(struct order *o, const struct command *c, const struct order_options *options,
		const char *path, int *code);
void order_close(struct order *o);
/* Sends another order: POST to `path`. Errors are ignored. */
void order_tell(struct order *o, const char *path);
/*
 * Waits a little, and gets the current status, owned by the caller; NULL: there was no response.
 * Returns false when the time is over.
 */
bool order_look(struct order *o, json_t **now);
/* Prints that the outcome is not known. Returns EXIT_UNACKNOWLEDGED. */
int order_is_late(const struct order *o, const char *what);

/* An order that takes no operand, and whose outcome is in the status. */
struct order_kind {
	const char *path;
	/* Prints the outcome, and returns the exit code; -1: there is none yet. */
	int (*outcome)(const struct order *o, const json_t *now);
	const char *late; /* what did not happen in time, as "the configuration was not read" */
};

/* Does all that such a command needs. Returns the exit code. */
int order_run(const struct command *c, int argc, char **argv, const struct order_kind *kind);

long long order_integer(const json_t *j, const char *name);

#endif
