#ifndef APP_CLIENT_H
#define APP_CLIENT_H

/*
 * A client for the admin API of a running balancer, over its unix socket, or over TCP with a token.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/command.h"
#include "app/fetch.h"

/*
 * How a command finds the balancer: -c FILE, --socket PATH, --admin URL, or the environment's
 * CROSSFADE_SOCKET or CROSSFADE_ADMIN. The token for a URL is in the file that --token-file or
 * CROSSFADE_TOKEN_FILE names.
 */
struct client_options {
	const char *config, *socket, *output, *admin, *token_file, *ca;
	bool clear_text; /* sends the token unencrypted, too */
};

#define CLIENT_OPTIONS(o)                                                                          \
	{ 'c', "config", &(o)->config, NULL }, { 0, "socket", &(o)->socket, NULL },                \
		{ 0, "admin", &(o)->admin, NULL }, { 0, "token-file", &(o)->token_file, NULL },    \
		{ 0, "ca", &(o)->ca, NULL }, { 0, "clear-text", NULL, &(o)->clear_text },          \
	{                                                                                          \
		'o', "output", &(o)->output, NULL                                                  \
	}

#define CLIENT_OPTION_N 7

#define CLIENT_WHERE "[-c FILE | --socket PATH | --admin URL]"

#define CLIENT_HELP                                                                                \
	"  -c, --config FILE   finds the balancer by its configuration\n"                          \
	"      --socket PATH   or by its admin socket (CROSSFADE_SOCKET does the same)\n"          \
	"      --admin URL     or by its admin.address, as http://127.0.0.1:9280\n"                \
	"                      (CROSSFADE_ADMIN does the same)\n"                                  \
	"      --token-file F  the file with the token for that URL: state/admin.token of the\n"   \
	"                      balancer (CROSSFADE_TOKEN_FILE)\n"                                  \
	"      --ca FILE       for https://, trusts certificates signed by this CA\n"              \
	"                      (CROSSFADE_CA); default: the CAs that this machine trusts\n"        \
	"      --clear-text    allows sending the token unencrypted over a network\n"              \
	"  -o, --output FORM   text (default) or json\n"

#define CLIENT_URL_BYTES 300
#define CLIENT_TOKEN_BYTES 256

struct client {
	const struct command *command; /* borrowed */
	bool json;
	long timeout_s;	  /* how long to wait for a response */
	char socket[108]; /* "": `url` is used */
	char url[CLIENT_URL_BYTES];
	const char *ca; /* borrowed; NULL: the CAs that this machine trusts */
	char authorization[CLIENT_TOKEN_BYTES + 32]; /* the header; "": none */
	struct fetch fetch;
};

struct client_response {
	long status;
	char *text; /* owned */
	size_t n;
	json_t *json; /* owned; NULL: the body is not JSON */
};

/* False after a diagnostic: *code is the exit code. */
bool client_open(struct client *t, const struct command *c, const struct client_options *o,
		 int *code);
void client_close(struct client *t);

/*
 * Sends a request and waits at most 10 s for the response. `body` may be NULL; `if_epoch` 0 means
 * no condition. False after a diagnostic: there is no response.
 */
bool client_ask(struct client *t, const char *method, const char *path, json_t *body,
		uint64_t if_epoch, struct client_response *a);
/* The same without a diagnostic: `error` gets the text. */
bool client_try(struct client *t, const char *method, const char *path, json_t *body,
		uint64_t if_epoch, struct client_response *a, char error[FETCH_ERROR_BYTES]);
void client_response_free(struct client_response *a);

/* Writes why the balancer refused, in words. */
void client_tell_refusal(const struct client *t, const struct client_response *a,
			 char text[FETCH_ERROR_BYTES]);
/* Prints why the balancer refused; with -o json, the response itself. Returns EXIT_NO. */
int client_refused(const struct client *t, const struct client_response *a);

/* One request of a command to the balancer. */
struct client_request {
	const char *method, *path;
	json_t *body;	   /* moved in */
	uint64_t if_epoch; /* 0: no condition */
	/* Prints the response as text. Returns the exit code. */
	int (*print)(struct client *t, const json_t *response);
};

/*
 * Does all that a command with one request needs: finds the balancer, sends the request, and prints
 * the response; with -o json, the response itself. Returns the exit code.
 */
int client_do(const struct command *c, const struct client_options *o,
	      const struct client_request *r);

/* The user's login name, for the audit log. Under sudo, the name of the user who called sudo. */
const char *client_who(void);

#endif
