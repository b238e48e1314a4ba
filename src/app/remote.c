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

/* A token is one line of visible characters, because it becomes part of a header field. */
static bool token_is_valid(char *text)
{
	size_t n = strcspn(text, "\r\n");
	bool ends = text[n + strspn(text + n, "\r\n")] == 0;
	text[n] = 0;
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at > '~')
			return false;
	return n && ends;
}

static bool remote_read_token(const struct command *c, const char *file, struct remote *to)
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
	if (!token_is_valid(text)) {
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

static char *url_part(CURLU *u, CURLUPart which)
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
		*to = (struct parts){ url_part(u, CURLUPART_SCHEME), url_part(u, CURLUPART_HOST),
				      url_part(u, CURLUPART_PORT),   url_part(u, CURLUPART_PATH),
				      url_part(u, CURLUPART_USER),   url_part(u, CURLUPART_QUERY) };
	curl_url_cleanup(u);
	return good;
}

static bool parts_are_whole(const struct parts *p)
{
	return p->scheme && p->host &&
	       (!strcmp(p->scheme, "http") || !strcmp(p->scheme, "https")) && !p->user &&
	       !p->query && (!p->path || !strcmp(p->path, "/"));
}

static bool host_is_loopback(const char *host)
{
	struct in_addr v4;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return !strcasecmp(host, "localhost") || !strcmp(host, "[::1]");
}

static bool remote_take_url(const struct command *c, const char *url, struct remote *to,
			    bool *exposed)
{
	struct parts p;
	bool good = parts_read(url, &p) && parts_are_whole(&p);
	int n = good ? snprintf(to->url, sizeof to->url, "%s://%s%s%s", p.scheme, p.host,
				p.port ? ":" : "", p.port ? p.port : "")
		     : 0;
	*exposed = good && !strcmp(p.scheme, "http") && !host_is_loopback(p.host);
	parts_free(&p);
	good = good && (size_t)n < sizeof to->url;
	if (!good)
		command_misused(c, "--admin: '%s' is not a URL such as http://127.0.0.1:9280", url);
	return good;
}

bool remote_read(const struct command *c, const char *url, const char *token_file, bool clear_text,
		 struct remote *to)
{
	bool exposed;
	*to = (struct remote){ 0 };
	if (!remote_take_url(c, url, to, &exposed))
		return false;
	if (exposed && token_file && !clear_text) {
		command_misused(c,
				"%s: the token would cross the network in clear text, where others "
				"can read and use it; a balancer refuses such a token. Use https "
				"(admin.tls), or a tunnel to the balancer's loopback address (ssh "
				"-L). If a proxy with TLS is in between, use --clear-text",
				to->url);
		return false;
	}
	return !token_file || remote_read_token(c, token_file, to);
}
