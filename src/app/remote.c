#include "app/remote.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* --- the token --- */

/* One line of visible characters: it becomes a part of a header. */
static bool is_token(char *text)
{
	size_t n = strcspn(text, "\r\n");
	bool ends = text[n + strspn(text + n, "\r\n")] == 0;
	text[n] = 0;
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at > '~')
			return false;
	return n && ends;
}

static bool read_token(const struct command *c, const char *file, struct remote *to)
{
	char text[CLIENT_TOKEN_BYTES];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	int why = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		command_misused(c, "--token-file: cannot read %s: %s", file, strerror(why));
		return false;
	}
	text[n] = 0;
	if (!is_token(text)) {
		command_misused(c, "--token-file: %s has no token: one line is expected", file);
		return false;
	}
	snprintf(to->authorization, sizeof to->authorization, "Authorization: Bearer %s", text);
	return true;
}

/* --- the URL --- */

struct parts {
	char *scheme, *host, *port, *path, *user, *query;
};

static char *part(CURLU *u, CURLUPart which)
{
	char *text = NULL;
	return curl_url_get(u, which, &text, 0) == CURLUE_OK ? text : NULL;
}

static void parts_free(struct parts *p)
{
	char *const all[] = { p->scheme, p->host, p->port, p->path, p->user, p->query };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		curl_free(all[i]);
}

static bool parts_read(const char *url, struct parts *to)
{
	CURLU *u = curl_url();
	bool good = u && strstr(url, "://") && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK;
	*to = (struct parts){ 0 };
	if (good)
		*to = (struct parts){ part(u, CURLUPART_SCHEME), part(u, CURLUPART_HOST),
				      part(u, CURLUPART_PORT),	 part(u, CURLUPART_PATH),
				      part(u, CURLUPART_USER),	 part(u, CURLUPART_QUERY) };
	curl_url_cleanup(u);
	return good;
}

static bool is_whole(const struct parts *p)
{
	return p->scheme && p->host &&
	       (!strcmp(p->scheme, "http") || !strcmp(p->scheme, "https")) && !p->user &&
	       !p->query && (!p->path || !strcmp(p->path, "/"));
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]");
}

static bool take_url(const struct command *c, const char *url, struct remote *to, bool *exposed)
{
	struct parts p;
	bool good = parts_read(url, &p) && is_whole(&p);
	int n = good ? snprintf(to->url, sizeof to->url, "%s://%s%s%s", p.scheme, p.host,
				p.port ? ":" : "", p.port ? p.port : "")
		     : 0;
	*exposed = good && !strcmp(p.scheme, "http") && !is_loopback(p.host);
	parts_free(&p);
	good = good && (size_t)n < sizeof to->url;
	if (!good)
		command_misused(c, "--admin %s: is not a URL as http://127.0.0.1:9280", url);
	return good;
}

bool remote_read(const struct command *c, const char *url, const char *token_file, bool clear_text,
		 struct remote *to)
{
	bool exposed;
	*to = (struct remote){ 0 };
	if (!take_url(c, url, to, &exposed))
		return false;
	if (exposed && token_file && !clear_text) {
		command_misused(c,
				"%s: the token would go over the network in clear text, for "
				"everybody there to use; ask over a tunnel to its loopback "
				"(ssh -L), or say --clear-text",
				to->url);
		return false;
	}
	return !token_file || read_token(c, token_file, to);
}
