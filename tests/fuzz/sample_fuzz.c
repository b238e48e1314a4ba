/*
 * A sample cluster is asked by what comes: requests, separated by a NUL, of a line "METHOD
 * /PATH?QUERY" and a body. Each is answered by JSON, whatever it is; between two of them a second
 * passes.
 */

#include <stdint.h>
#include <stdlib.h>

#include "sample/sample.h"
#include "base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define STORE_BYTES (1024u * 1024)
#define REQUESTS_MAX 32

static struct span take_until(struct span *rest, char end)
{
	const char *at = memchr(rest->at, end, rest->n);
	struct span part = { rest->at, at ? (size_t)(at - rest->at) : rest->n };
	size_t passed = part.n + (at != NULL);
	*rest = (struct span){ rest->at + passed, rest->n - passed };
	return part;
}

static void serve(struct sample *p, struct span request)
{
	struct span line = take_until(&request, '\n');
	struct sample_call c = { .method = method_find(take_until(&line, ' ')) };
	c.path = take_until(&line, '?');
	c.query = line;
	c.body = request;
	sample_serve(p, &c);
	must(c.status >= 200 && c.status < 600);
	json_t *j = json_loadb(c.text.at, c.text.n, JSON_ALLOW_NUL, NULL);
	must(j);
	json_decref(j);
	sample_text_free(&c.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sample p;
	/* From memory of its own, so that a read behind its end is seen. */
	char *copy = malloc(n + 1);
	must(copy);
	memcpy(copy, data, n);
	struct span rest = { copy, n };
	sample_open(&p, "source");
	p.store.bytes_max = STORE_BYTES;
	for (unsigned i = 0; rest.n && i < REQUESTS_MAX; i++) {
		serve(&p, take_until(&rest, 0));
		p.store.now_ms += 20000;
		sample_store_second(&p.store);
	}
	sample_close(&p);
	free(copy);
	return 0;
}
