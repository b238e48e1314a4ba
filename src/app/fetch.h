#ifndef APP_FETCH_H
#define APP_FETCH_H

/* One HTTP request after the other, by libcurl, with whole answers in memory. */

#include <stdbool.h>
#include <stddef.h>

#define FETCH_ERROR_BYTES 1500
#define FETCH_HEADERS_MAX 4

struct fetch {
	void *curl; /* owned; keeps its connection */
};

struct fetch_request {
	const char *method, *url;
	const char *body;			/* NULL: none */
	const char *headers[FETCH_HEADERS_MAX]; /* "Name: value" */
	const char *socket;			/* a unix socket's path; NULL: by the URL */
	const char *trust; /* a file of PEM; the name in the certificate does not matter then */
	long timeout_s;
	const char *watch; /* the name of a header of the answer to keep; NULL: none */
};

struct fetch_answer {
	long status;
	char *text; /* owned, terminated; never NULL after an answer */
	size_t n;
	char watched[64];
	double seconds;
	bool unconnected;	       /* nobody listens there */
	bool late;		       /* it was not there in time */
	bool strange;		       /* who listens there speaks no HTTP */
	char error[FETCH_ERROR_BYTES]; /* without an answer: why */
};

void fetch_open(struct fetch *f);
void fetch_close(struct fetch *f);

/* False without an answer. Either way the answer is to be freed. */
bool fetch_do(struct fetch *f, const struct fetch_request *r, struct fetch_answer *a);
void fetch_answer_free(struct fetch_answer *a);

#endif
