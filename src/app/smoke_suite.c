#include "app/smoke_suite.h"

#include <errno.h>
#include <string.h>

#include "control/text_file.h"
#include "base/limits.h"

void smoke_suite_open(struct smoke_suite *s)
{
	*s = (struct smoke_suite){ 0 };
	s->end = &s->first;
	slab_open(&s->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&s->arena, &s->chunks);
	diagnostics_open(&s->diagnostics, "", SPAN(""));
}

void smoke_suite_close(struct smoke_suite *s)
{
	diagnostics_close(&s->diagnostics);
	arena_close(&s->arena);
	slab_close(&s->chunks);
}

static const char *suite_copy(struct smoke_suite *s, struct span text)
{
	char *to = arena_take(&s->arena, text.n + 1);
	memcpy(to, text.at, text.n);
	to[text.n] = 0;
	return to;
}

static void suite_add(struct smoke_suite *s, struct span method, struct span path, struct span body)
{
	struct smoke_request *r = arena_take(&s->arena, sizeof *r);
	*r = (struct smoke_request){ .method = suite_copy(s, method),
				     .path = suite_copy(s, path),
				     .body = body.n ? suite_copy(s, body) : NULL };
	*s->end = r;
	s->end = &r->next;
}

void smoke_suite_add(struct smoke_suite *s, const char *method, const char *path, const char *body)
{
	suite_add(s, span_of(method), span_of(path), span_of(body));
}

/* --- a file of them --- */

static struct span next_word(struct span *rest)
{
	size_t n = 0;
	*rest = span_trim(*rest);
	while (n < rest->n && rest->at[n] != ' ' && rest->at[n] != '\t')
		n++;
	struct span word = { rest->at, n };
	*rest = (struct span){ rest->at + n, rest->n - n };
	return word;
}

static bool posts_that_read(struct span path)
{
	static const char *const verbs[] = { "_search",	    "_count",	"_msearch", "_mget",
					     "_field_caps", "_analyze", "_validate" };
	const char *mark = memchr(path.at, '?', path.n);
	size_t n = mark ? (size_t)(mark - path.at) : path.n, from = n;
	while (from > 0 && path.at[from - 1] != '/')
		from--;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (span_is((struct span){ path.at + from, n - from }, span_of(verbs[i])))
			return true;
	return false;
}

static bool is_read_only(struct span method, struct span path)
{
	if (span_is(method, SPAN("GET")) || span_is(method, SPAN("HEAD")) ||
	    span_is(method, SPAN("OPTIONS")))
		return true;
	return span_is(method, SPAN("POST")) && posts_that_read(path);
}

static bool is_path(struct span path)
{
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.at[i] <= ' ' || (unsigned char)path.at[i] > '~')
			return false;
	return path.n && path.at[0] == '/';
}

static void suite_read_line(struct smoke_suite *s, struct span line)
{
	const char *text = s->diagnostics.text.at;
	struct span rest = line, method = next_word(&rest), path;
	if (!method.n || method.at[0] == '#')
		return;
	path = next_word(&rest);
	if (!is_path(path))
		diagnose(&s->diagnostics, (size_t)(method.at - text),
			 "a line must be METHOD PATH [BODY], such as GET /_cluster/health");
	else if (!is_read_only(method, path))
		diagnose(
			&s->diagnostics, (size_t)(method.at - text),
			"%.*s %.*s may write: a smoke test only reads (GET, HEAD, OPTIONS, POST to "
			"_search and the like)",
			(int)method.n, method.at, (int)path.n, path.at);
	else
		suite_add(s, method, path, span_trim(rest));
}

bool smoke_suite_read(struct smoke_suite *s, const char *path)
{
	struct span text;
	s->diagnostics.file = path;
	if (!text_file_read(path, &s->arena, &text)) {
		diagnose(&s->diagnostics, NOWHERE, "cannot be read: %s", strerror(errno));
		return false;
	}
	s->diagnostics.text = text;
	for (size_t at = 0; at < text.n;) {
		const char *end = memchr(text.at + at, '\n', text.n - at);
		size_t n = end ? (size_t)(end - (text.at + at)) : text.n - at, line_n = n;
		if (line_n && text.at[at + line_n - 1] == '\r')
			line_n--;
		suite_read_line(s, (struct span){ text.at + at, line_n });
		at += n + 1;
	}
	if (!s->first && !s->diagnostics.n)
		diagnose(&s->diagnostics, NOWHERE, "contains no request");
	return s->diagnostics.n == 0;
}
