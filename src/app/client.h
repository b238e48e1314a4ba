#ifndef APP_CLIENT_H
#define APP_CLIENT_H

/* A client of a running balancer's admin API, over its unix socket. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/command.h"
#include "app/fetch.h"

/* How a command finds the balancer: -c FILE, --socket PATH or CROSSFADE_SOCKET. */
struct client_options {
	const char *config, *socket, *output;
};

#define CLIENT_OPTIONS(o)                                                                          \
	{ 'c', "config", &(o)->config, NULL }, { 0, "socket", &(o)->socket, NULL },                \
	{                                                                                          \
		'o', "output", &(o)->output, NULL                                                  \
	}

#define CLIENT_HELP                                                                                \
	"  -c, --config FILE   finds the balancer by its configuration\n"                          \
	"      --socket PATH   or by its admin socket (CROSSFADE_SOCKET does the same)\n"          \
	"  -o, --output FORM   text (default) or json\n"

struct client {
	const struct command *command; /* borrowed */
	bool json;
	long timeout_s; /* for an answer */
	char socket[108];
	struct fetch fetch;
};

struct client_answer {
	long status;
	char *text; /* owned */
	size_t n;
	json_t *json; /* owned; NULL: it is not JSON */
};

/* False after a complaint: *code is what to exit with. */
bool client_open(struct client *t, const struct command *c, const struct client_options *o,
		 int *code);
void client_close(struct client *t);

/*
 * Asks and waits at most 10 s. `body` and `if_epoch` may be NULL and 0. False after a complaint:
 * nobody answers.
 */
bool client_ask(struct client *t, const char *method, const char *path, json_t *body,
		uint64_t if_epoch, struct client_answer *a);
/* The same without a word: `error` gets it. */
bool client_try(struct client *t, const char *method, const char *path, json_t *body,
		uint64_t if_epoch, struct client_answer *a, char error[FETCH_ERROR_BYTES]);
void client_answer_free(struct client_answer *a);

/* Says what the balancer found wrong; EXIT_NO. With -o json the answer itself is printed. */
int client_refused(const struct client *t, const struct client_answer *a);

/* What a command asks of the balancer. */
struct client_request {
	const char *method, *path;
	json_t *body;	   /* moved in */
	uint64_t if_epoch; /* 0: whatever it is */
	/* Says in text what the answer to it says. Returns the exit code. */
	int (*print)(struct client *t, const json_t *answer);
};

/*
 * All that a command does that asks once: finds the balancer, asks, and prints what it says; with
 * -o json the answer itself. Returns the exit code.
 */
int client_do(const struct command *c, const struct client_options *o,
	      const struct client_request *r);

/* Who asks, for the audit log: the login name, also behind sudo. */
const char *client_who(void);

#endif
