#ifndef APP_FETCH_H
#define APP_FETCH_H

/* HTTP requests, one after the other, by libcurl. Whole responses are kept in memory. */

#include <stdbool.h>
#include <stddef.h>

#define FETCH_ERROR_BYTES 1500
#define FETCH_HEADERS_MAX 4

struct fetch {
	void *curl; /* owned; keeps its connection open */
};

struct fetch_request {
	const char *method, *url;
	const char *body;			/* NULL: none */
	const char *headers[FETCH_HEADERS_MAX]; /* "Name: value" */
	const char *socket; /* the path of a unix socket; NULL: connects to the URL's host */
	const char *trust;  /* a PEM file of CAs; the host name in the certificate is not checked */
	const char *ca; /* a PEM file of CAs; the host name is checked; NULL: the machine's CAs */
	long timeout_s;
	const char *watch; /* a header field of the response to keep in `watched`; NULL: none */
};

struct fetch_response {
	long status;
	char *text; /* owned, terminated; never NULL after a response */
	size_t n;
	char watched[64];
	double seconds;
	bool unconnected;	       /* no connection could be made */
	bool late;		       /* timeout_s was exceeded */
	bool strange;		       /* the peer does not speak HTTP */
	char error[FETCH_ERROR_BYTES]; /* why there is no response */
};

void fetch_open(struct fetch *f);
void fetch_close(struct fetch *f);

/* False when there is no response. The caller frees the response in either case. */
bool fetch_do(struct fetch *f, const struct fetch_request *r, struct fetch_response *a);
void fetch_response_free(struct fetch_response *a);

#endif
