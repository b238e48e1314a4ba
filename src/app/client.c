#include "app/client.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/remote.h"
#include "app/unreachable.h"
#include "base/bug.h"
#include "base/limits.h"
#include "base/plain.h"
#include "control/config_read.h"

/* The balancer waits at most 2 s for its workers; the rest is for a slow disk. */
#define RESPONSE_TIMEOUT_S 10L

/* --- finding the balancer --- */

/* A configuration with mistakes may still name the socket of the running balancer. */
static bool socket_of_config(const char *path, char socket[108])
{
	struct config *config = config_open(path);
	bool found = config->admin.socket && strlen(config->admin.socket) < 108;
	if (found)
		snprintf(socket, 108, "%s", config->admin.socket);
	else
		diagnostics_print(&config->diagnostics, stderr);
	config_close(config);
	return found;
}

static bool client_take_socket(struct client *t, const char *path)
{
	if (strstr(path, "://")) {
		command_misused(
			t->command,
			"%s is a URL, but the path of a socket is expected here: use --admin for "
			"a URL",
			path);
		return false;
	}
	if (strlen(path) >= sizeof t->socket) {
		command_misused(t->command, "the socket's path is longer than %zu bytes",
				sizeof t->socket - 1);
		return false;
	}
	snprintf(t->socket, sizeof t->socket, "%s", path);
	return true;
}

static const char *or_environment(const char *said, const char *name)
{
	const char *text = said ? said : getenv(name);
	return text && *text ? text : NULL;
}

static bool client_take_admin(struct client *t, const struct client_options *o, const char *url)
{
	const char *file = or_environment(o->token_file, "CROSSFADE_TOKEN_FILE");
	struct remote r;
	t->ca = or_environment(o->ca, "CROSSFADE_CA");
	if (!remote_read(t->command, url, file, o->clear_text, &r))
		return false;
	memcpy(t->url, r.url, sizeof t->url);
	memcpy(t->authorization, r.authorization, sizeof t->authorization);
	return true;
}

static bool client_find_balancer(struct client *t, const struct client_options *o)
{
	if (!!o->config + !!o->socket + !!o->admin > 1 && o->admin) {
		command_misused(t->command, "--admin cannot be used together with -c or --socket");
		return false;
	}
	if (o->admin)
		return client_take_admin(t, o, o->admin);
	if (o->socket)
		return client_take_socket(t, o->socket);
	if (o->config)
		return socket_of_config(o->config, t->socket);
	const char *path = or_environment(NULL, "CROSSFADE_SOCKET");
	const char *url = or_environment(NULL, "CROSSFADE_ADMIN");
	if (path || url)
		return path ? client_take_socket(t, path) : client_take_admin(t, o, url);
	command_misused(t->command, "which balancer? Say -c FILE, --socket PATH or --admin URL, or "
				    "set CROSSFADE_SOCKET or CROSSFADE_ADMIN");
	return false;
}

bool client_open(struct client *t, const struct command *c, const struct client_options *o,
		 int *code)
{
	*t = (struct client){ .command = c, .timeout_s = RESPONSE_TIMEOUT_S };
	*code = EXIT_USAGE;
	if (!command_wants_json(c, o->output, &t->json) || !client_find_balancer(t, o))
		return false;
	fetch_open(&t->fetch);
	return true;
}

void client_close(struct client *t)
{
	fetch_close(&t->fetch);
}

/* --- asking --- */

/* The response is shown on a terminal, and may contain text from others: reasons, names. */
static json_t *plain_of(json_t *j)
{
	const char *text = json_string_value(j);
	if (!text || plain_is(text))
		return NULL;
	size_t room = 4 * strlen(text) + 1;
	char *to = malloc(room);
	must(to);
	plain_copy(to, room, text);
	json_t *plain = json_string(to);
	free(to);
	return plain;
}

static void json_make_plain(json_t *j)
{
	const char *key;
	json_t *one, *plain;
	size_t i;
	json_object_foreach(j, key, one) {
		json_make_plain(one);
		if ((plain = plain_of(one)))
			json_object_set_new(j, key, plain);
	}
	json_array_foreach(j, i, one) {
		json_make_plain(one);
		if ((plain = plain_of(one)))
			json_array_set_new(j, i, plain);
	}
}

static void client_read_response(struct client_response *a, struct fetch_response *got)
{
	a->status = got->status;
	a->text = got->text;
	a->n = got->n;
	a->json = json_loadb(a->text, a->n, 0, NULL);
	json_make_plain(a->json);
	got->text = NULL;
}

static bool client_ask_patiently(struct fetch *f, const struct fetch_request *r,
				 struct fetch_response *a)
{
	static const struct timespec pause = { .tv_nsec = HANDED_OVER_PAUSE_MS * 1000000 };
	for (int i = 0; i < HANDED_OVER_TRIES; i++) {
		if (!fetch_do(f, r, a) || a->status != 503 || !strstr(a->text, "\"handed_over\""))
			break;
		fetch_response_free(a);
		nanosleep(&pause, NULL);
	}
	return a->status != 0;
}

static void say_unreachable(const struct client *t, const struct fetch_response *got,
			    char error[FETCH_ERROR_BYTES])
{
	char why[UNREACHABLE_BYTES] = "";
	if (got->unconnected && t->socket[0])
		unreachable_why(t->socket, why);
	if (!why[0] && got->late)
		snprintf(why, sizeof why,
			 "it accepts connections, but sent no response within %ld s", t->timeout_s);
	snprintf(error, FETCH_ERROR_BYTES, "no balancer answers at %.300s: %s%.1000s",
		 t->socket[0] ? t->socket : t->url,
		 got->strange ? "what listens there is no balancer: " : "",
		 why[0] ? why : got->error);
}

bool client_try(struct client *t, const char *method, const char *path, json_t *body,
		uint64_t if_epoch, struct client_response *a, char error[FETCH_ERROR_BYTES])
{
	char url[1400], if_match[64];
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct fetch_response got;
	snprintf(url, sizeof url, "%s%s", t->socket[0] ? "http://crossfade" : t->url, path);
	snprintf(if_match, sizeof if_match, "If-Match: \"%llu\"", (unsigned long long)if_epoch);
	struct fetch_request r = {
		.method = method,
		.url = url,
		.body = text,
		.socket = t->socket[0] ? t->socket : NULL,
		.ca = t->ca,
		.timeout_s = t->timeout_s,
	};
	size_t n = 0;
	r.headers[n++] = "Content-Type: application/json";
	if (if_epoch)
		r.headers[n++] = if_match;
	if (t->authorization[0])
		r.headers[n++] = t->authorization;
	*a = (struct client_response){ 0 };
	bool responded = client_ask_patiently(&t->fetch, &r, &got);
	if (responded)
		client_read_response(a, &got);
	else
		say_unreachable(t, &got, error);
	fetch_response_free(&got);
	free(text);
	return responded;
}

bool client_ask(struct client *t, const char *method, const char *path, json_t *body,
		uint64_t if_epoch, struct client_response *a)
{
	char error[FETCH_ERROR_BYTES];
	if (client_try(t, method, path, body, if_epoch, a, error))
		return true;
	fprintf(stderr, "crossfade %s: %s\n", t->command->name, error);
	return false;
}

void client_response_free(struct client_response *a)
{
	free(a->text);
	json_decref(a->json);
	*a = (struct client_response){ 0 };
}

void client_tell_refusal(const struct client *t, const struct client_response *a,
			 char text[FETCH_ERROR_BYTES])
{
	const char *message = json_string_value(json_object_get(a->json, "message"));
	if (a->status == 401)
		snprintf(text, FETCH_ERROR_BYTES,
			 "the balancer %s: give it the token in its file state/admin.token, with "
			 "--token-file FILE",
			 t->authorization[0] ? "does not accept this token" : "requires a token");
	else if (message)
		snprintf(text, FETCH_ERROR_BYTES, "%s", message);
	else
		snprintf(text, FETCH_ERROR_BYTES, "the balancer responded with status %ld",
			 a->status);
}

int client_refused(const struct client *t, const struct client_response *a)
{
	char text[FETCH_ERROR_BYTES];
	client_tell_refusal(t, a, text);
	if (t->json)
		plain_put_json(a->text ? a->text : "{}\n", stdout);
	else
		fprintf(stderr, "crossfade %s: %s\n", t->command->name, text);
	return EXIT_NO;
}

static int client_print_response(struct client *t, const struct client_request *r,
				 const struct client_response *a)
{
	if ((a->status != 200 && a->status != 202) || !a->json)
		return client_refused(t, a);
	if (!t->json)
		return r->print(t, a->json);
	plain_put_json(a->text, stdout);
	return a->status == 200 ? EXIT_OK : EXIT_UNACKNOWLEDGED;
}

int client_do(const struct command *c, const struct client_options *o,
	      const struct client_request *r)
{
	struct client t;
	struct client_response a;
	int code;
	if (client_open(&t, c, o, &code)) {
		bool responded = client_ask(&t, r->method, r->path, r->body, r->if_epoch, &a);
		code = responded ? client_print_response(&t, r, &a) : EXIT_UNREACHABLE;
		client_response_free(&a);
		client_close(&t);
	}
	json_decref(r->body);
	return code;
}

const char *client_who(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *p = getpwuid(getuid());
	return sudo && *sudo ? sudo : p ? p->pw_name : "unknown";
}
