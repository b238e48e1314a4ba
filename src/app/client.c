#include "app/client.h"

#include <curl/curl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "control/config.h"

/* An answer waits 2 s for workers at most, and then some for a disk. */
#define ANSWER_TIMEOUT_S 10L

/* --- finding the balancer --- */

/* A configuration with mistakes may still say where the socket of the one that runs is. */
static bool socket_of_config(const char *path, char socket[108])
{
	struct config *config = config_open(path);
	bool found = config->admin.socket && strlen(config->admin.socket) < 108;
	if (found)
		snprintf(socket, 108, "%s", config->admin.socket);
	else
		complaints_print(&config->complaints, stderr);
	config_close(config);
	return found;
}

static bool find_socket(struct client *t, const struct client_options *o, int *code)
{
	const char *path = o->socket ? o->socket : o->config ? NULL : getenv("CROSSFADE_SOCKET");
	*code = EXIT_USAGE;
	if (!path && o->config)
		return socket_of_config(o->config, t->socket);
	if (!path || !*path) {
		command_misused(t->command, "which balancer? Say -c FILE, --socket PATH, or set "
					    "CROSSFADE_SOCKET");
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

bool client_open(struct client *t, const struct command *c, const struct client_options *o, int *code)
{
	*t = (struct client){ .command = c };
	*code = EXIT_USAGE;
	if (!command_wants_json(c, o->output, &t->json) || !find_socket(t, o, code))
		return false;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	t->curl = curl_easy_init();
	must(t->curl);
	return true;
}

void client_close(struct client *t)
{
	curl_easy_cleanup(t->curl);
	curl_global_cleanup();
}

/* --- asking --- */

static size_t take_bytes(char *bytes, size_t one, size_t n, void *to)
{
	struct client_answer *a = to;
	char *more = realloc(a->text, a->n + one * n + 1);
	if (!more)
		return 0;
	memcpy(more + a->n, bytes, one * n);
	a->text = more;
	a->n += one * n;
	a->text[a->n] = 0;
	return one * n;
}

static struct curl_slist *fields(uint64_t if_epoch)
{
	char line[64];
	struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
	snprintf(line, sizeof line, "If-Match: \"%llu\"", (unsigned long long)if_epoch);
	return if_epoch ? curl_slist_append(list, line) : list;
}

static bool perform(struct client *t, struct client_answer *a)
{
	char why[CURL_ERROR_SIZE] = "";
	curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, why);
	CURLcode result = curl_easy_perform(t->curl);
	curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &a->status);
	if (result == CURLE_OK)
		return true;
	fprintf(stderr, "crossfade %s: no balancer answers at %s: %s\n", t->command->name, t->socket,
		result == CURLE_COULDNT_CONNECT ? "is it running, and are you its user?"
						: why[0] ? why : curl_easy_strerror(result));
	return false;
}

bool client_ask(struct client *t, const char *method, const char *path, json_t *body,
		uint64_t if_epoch, struct client_answer *a)
{
	char url[256];
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct curl_slist *list = fields(if_epoch);
	*a = (struct client_answer){ 0 };
	snprintf(url, sizeof url, "http://crossfade%s", path);
	curl_easy_reset(t->curl);
	curl_easy_setopt(t->curl, CURLOPT_UNIX_SOCKET_PATH, t->socket);
	curl_easy_setopt(t->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(t->curl, CURLOPT_URL, url);
	curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(t->curl, CURLOPT_TIMEOUT, ANSWER_TIMEOUT_S);
	curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, a);
	if (text)
		curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, text);
	bool answered = perform(t, a);
	curl_slist_free_all(list);
	free(text);
	if (answered && a->text)
		a->json = json_loadb(a->text, a->n, 0, NULL);
	if (!answered)
		client_answer_free(a);
	return answered;
}

void client_answer_free(struct client_answer *a)
{
	free(a->text);
	json_decref(a->json);
	*a = (struct client_answer){ 0 };
}

int client_refused(const struct client *t, const struct client_answer *a)
{
	const char *message = json_string_value(json_object_get(a->json, "message"));
	if (t->json)
		fputs(a->text ? a->text : "{}\n", stdout);
	else if (message)
		fprintf(stderr, "crossfade %s: %s\n", t->command->name, message);
	else
		fprintf(stderr, "crossfade %s: the balancer answers with status %ld\n",
			t->command->name, a->status);
	return EXIT_NO;
}

const char *client_who(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *p = getpwuid(getuid());
	return sudo && *sudo ? sudo : p ? p->pw_name : "unknown";
}
