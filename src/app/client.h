#ifndef APP_CLIENT_H
#define APP_CLIENT_H

/* A client of a running balancer's admin API, over its unix socket, or over TCP with its token. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/command.h"
#include "app/fetch.h"

/*
 * How a command finds the balancer: -c FILE, --socket PATH, --admin URL, or CROSSFADE_SOCKET or
 * CROSSFADE_ADMIN. The token for a URL is in --token-file, or CROSSFADE_TOKEN_FILE.
 */
struct client_options {
	const char *config, *socket, *output, *admin, *token_file;
	bool clear_text; /* the token may go over a network as it is */
};

#define CLIENT_OPTIONS(o)                                                                          \
	{ 'c', "config", &(o)->config, NULL }, { 0, "socket", &(o)->socket, NULL },                \
		{ 0, "admin", &(o)->admin, NULL }, { 0, "token-file", &(o)->token_file, NULL },    \
		{ 0, "clear-text", NULL, &(o)->clear_text },                                       \
	{                                                                                          \
		'o', "output", &(o)->output, NULL                                                  \
	}

#define CLIENT_OPTION_N 6

#define CLIENT_WHERE "[-c FILE | --socket PATH | --admin URL]"

#define CLIENT_HELP                                                                                \
	"  -c, --config FILE   finds the balancer by its configuration\n"                          \
	"      --socket PATH   or by its admin socket (CROSSFADE_SOCKET does the same)\n"          \
	"      --admin URL     or by its admin.address, as http://127.0.0.1:9280\n"                \
	"                      (CROSSFADE_ADMIN)\n"                                                \
	"      --token-file F  has the token for that: the balancer's state/admin.token\n"         \
	"                      (CROSSFADE_TOKEN_FILE)\n"                                           \
	"      --clear-text    sends the token over a network unencrypted, too\n"                  \
	"  -o, --output FORM   text (default) or json\n"

#define CLIENT_URL_BYTES 300
#define CLIENT_TOKEN_BYTES 256

struct client {
	const struct command *command; /* borrowed */
	bool json;
	long timeout_s;	  /* for an answer */
	char socket[108]; /* "": by the URL */
	char url[CLIENT_URL_BYTES];
	char authorization[CLIENT_TOKEN_BYTES + 32]; /* the header; "": none */
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

/* In words. */
void client_tell_refusal(const struct client *t, const struct client_answer *a,
			 char text[FETCH_ERROR_BYTES]);
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
