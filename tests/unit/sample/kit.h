#ifndef TESTS_SAMPLE_KIT_H
#define TESTS_SAMPLE_KIT_H

/* Requests to a sample cluster as a test writes them down. */

#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample/sample.h"
#include "sample/mapping.h"

struct asked {
	const char *line; /* "PUT /a/_doc/1?refresh" */
	const char *body; /* NULL: none */
	unsigned status;
	const char *says; /* stands in the response; NULL: whatever */
};

/* The response, in memory that the caller frees; `opaque_id` may be NULL. */
static inline char *sample_ask_as(struct sample *p, const char *opaque_id, const char *line,
				  const char *body, unsigned *status)
{
	const char *space = strchr(line, ' '), *path = space + 1, *mark = strchrnul(path, '?');
	struct sample_call c = {
		.method = method_find((struct span){ line, (size_t)(space - line) }),
		.path = { path, (size_t)(mark - path) },
		.query = span_of(*mark ? mark + 1 : ""),
		.body = span_of(body ? body : ""),
		.opaque_id = span_of(opaque_id),
	};
	sample_serve(p, &c);
	*status = c.status;
	char *text = strndup(c.text.n ? c.text.at : "", c.text.n);
	json_t *j = json_loads(text, 0, NULL);
	if (!j)
		fail_msg("%s was answered with what is no JSON: %s", line, text);
	json_decref(j);
	sample_text_free(&c.text);
	return text;
}

static inline char *sample_ask(struct sample *p, const char *line, const char *body,
			       unsigned *status)
{
	return sample_ask_as(p, NULL, line, body, status);
}

static inline void sample_expect(struct sample *p, const struct asked *a)
{
	unsigned status;
	char *text = sample_ask(p, a->line, a->body, &status);
	if (status != a->status || (a->says && !strstr(text, a->says)))
		fail_msg("%s %s: %u %s; expected is %u %s", a->line, a->body ? a->body : "", status,
			 text, a->status, a->says ? a->says : "");
	free(text);
}

/* In their order, on a new cluster. */
static inline void sample_expect_all(const struct asked *a, size_t n)
{
	struct sample p;
	sample_open(&p, "source");
	for (size_t i = 0; i < n; i++)
		sample_expect(&p, &a[i]);
	sample_close(&p);
}

#define EXPECT_ALL(...)                                                                            \
	do {                                                                                       \
		const struct asked asked_[] = { __VA_ARGS__ };                                     \
		sample_expect_all(asked_, sizeof asked_ / sizeof asked_[0]);                       \
	} while (0)

#endif
