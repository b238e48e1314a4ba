#ifndef APP_ORDER_H
#define APP_ORDER_H

/* What a running balancer is told to do as by a signal, and what becomes of that. */

#include "app/client.h"

struct order {
	struct client client;
	json_t *before; /* owned: its status when it was told */
	uint64_t until_ns;
	const char *timeout; /* as it was said */
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
	"      --reason TEXT   why, for its log\n"                                                 \
	"      --timeout TIME  how long the outcome is waited for (default: 120s)\n"

/* Looks at it, and tells it: POST to the path. False after a complaint: *code is what to exit with.
 */
bool order_open(struct order *o, const struct command *c, const struct order_options *options,
		const char *path, int *code);
void order_close(struct order *o);
/* Once more: POST to the path; whatever comes of it. */
void order_tell(struct order *o, const char *path);
/*
 * Its status as it is now, after a little while; owned by the caller. NULL: nobody answers. False:
 * the time is over.
 */
bool order_look(struct order *o, json_t **now);
/* Says that nobody knows what became of it. */
int order_is_late(const struct order *o, const char *what);

/* One that takes no operand, and whose outcome shows in the status. */
struct order_kind {
	const char *path;
	/* Prints it, and gives the exit code; -1: it is not there yet. */
	int (*outcome)(const struct order *o, const json_t *now);
	const char *late; /* what did not happen in time: "the configuration was not read" */
};

/* All of such a command. The exit code. */
int order_run(const struct command *c, int argc, char **argv, const struct order_kind *kind);

long long order_integer(const json_t *j, const char *name);

#endif
