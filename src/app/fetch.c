#include "app/fetch.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

void fetch_open(struct fetch *f)
{
	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	f->curl = curl_easy_init();
	must(f->curl);
}

void fetch_close(struct fetch *f)
{
	curl_easy_cleanup(f->curl);
	f->curl = NULL;
}

static size_t fetch_take_bytes(char *bytes, size_t one, size_t n, void *to)
{
	struct fetch_response *a = to;
	char *more = realloc(a->text, a->n + one * n + 1);
	if (!more)
		return 0;
	memcpy(more + a->n, bytes, one * n);
	a->text = more;
	a->n += one * n;
	a->text[a->n] = 0;
	return one * n;
}

static struct curl_slist *headers_of(const struct fetch_request *r)
{
	struct curl_slist *list = NULL;
	for (int i = 0; i < FETCH_HEADERS_MAX && r->headers[i]; i++) {
		list = curl_slist_append(list, r->headers[i]);
		must(list);
	}
	return list;
}

static void fetch_set_options(CURL *curl, const struct fetch_request *r, struct fetch_response *a,
			      struct curl_slist *headers)
{
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_URL, r->url);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (!strcmp(r->method, "HEAD"))
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
	if (r->body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, r->timeout_s);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	if (r->socket)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, r->socket);
	if (r->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, r->ca);
	if (r->trust) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, r->trust);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, fetch_take_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, a->error);
}

static void fetch_read_facts(CURL *curl, const struct fetch_request *r, struct fetch_response *a)
{
	struct curl_header *h;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
	curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &a->seconds);
	if (r->watch && curl_easy_header(curl, r->watch, 0, CURLH_HEADER, -1, &h) == CURLHE_OK)
		snprintf(a->watched, sizeof a->watched, "%s", h->value);
}

bool fetch_do(struct fetch *f, const struct fetch_request *r, struct fetch_response *a)
{
	struct curl_slist *headers = headers_of(r);
	static_assert(FETCH_ERROR_BYTES >= CURL_ERROR_SIZE, "curl writes its error there");
	*a = (struct fetch_response){ .text = strdup("") };
	must(a->text);
	curl_easy_reset(f->curl);
	fetch_set_options(f->curl, r, a, headers);
	CURLcode result = curl_easy_perform(f->curl);
	curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	fetch_read_facts(f->curl, r, a);
	a->unconnected = result == CURLE_COULDNT_CONNECT;
	a->strange = result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_WEIRD_SERVER_REPLY ||
		     result == CURLE_GOT_NOTHING;
	a->late = result == CURLE_OPERATION_TIMEDOUT;
	if (result != CURLE_OK && !a->error[0])
		snprintf(a->error, sizeof a->error, "%s", curl_easy_strerror(result));
	return result == CURLE_OK;
}

void fetch_response_free(struct fetch_response *a)
{
	free(a->text);
	a->text = NULL;
}
