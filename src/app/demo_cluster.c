#include "app/demo_cluster.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/demo_api.h"
#include "base/bug.h"
#include "io/addr.h"

/* A bulk of a client has a few MiB. */
#define BODY_BYTES (64u * 1024 * 1024)
#define SEGMENTS_MAX 3

/* A request's path in pieces, decoded: "/logs/_doc/a%20b" is logs, _doc, "a b". */
struct path {
	char *segments[SEGMENTS_MAX];
	size_t n;
	char text[4096];
};

/* --- answers --- */

void demo_answer(struct call *c, unsigned status, json_t *j /* moved in */)
{
	if (!j) {
		call_error(c, ERR_TARGET);
		return;
	}
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	must(text);
	struct msg *head = call_head(c, status, SPAN("application/json; charset=UTF-8"));
	msg_add_named(head, SPAN("X-Demo-Cluster"), span_of(demo_cluster_of(c)->name));
	call_answer(c, span_of(text));
	free(text);
}

void demo_answer_error(struct call *c, unsigned status, const char *type, const char *reason)
{
	demo_answer(c, status,
		    json_pack("{s:{s:s,s:s},s:i}", "error", "type", type, "reason", reason,
			      "status", (int)status));
}

json_t *demo_shards(void)
{
	return json_pack("{s:i,s:i,s:i,s:i}", "total", 1, "successful", 1, "skipped", 0, "failed",
			 0);
}

/* --- the cluster --- */

static void serve_info(struct call *c)
{
	const char *name = demo_cluster_of(c)->name;
	demo_answer(c, 200,
		    json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s},s:s}", "name", name,
			      "cluster_name", name, "cluster_uuid", name, "version", "distribution",
			      "opensearch", "number", "2.19.0", "lucene_version", "9.12.1",
			      "minimum_wire_compatibility_version", "7.10.0",
			      "minimum_index_compatibility_version", "7.0.0", "tagline",
			      "A sample cluster of Crossfade"));
}

static void serve_health(struct call *c)
{
	const struct demo_cluster *p = demo_cluster_of(c);
	int shards_n = (int)json_object_size(p->store.indices);
	demo_answer(c, 200,
		    json_pack("{s:s,s:s,s:b,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "cluster_name", p->name,
			      "status", "green", "timed_out", 0, "number_of_nodes", 1,
			      "number_of_data_nodes", 1, "active_primary_shards", shards_n,
			      "active_shards", shards_n, "relocating_shards", 0,
			      "initializing_shards", 0, "unassigned_shards", 0));
}

/* --- routes --- */

static bool decode(char *text)
{
	char *to = text;
	for (const char *at = text; *at; at++) {
		if (*at != '%') {
			*to++ = *at;
			continue;
		}
		if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
			return false;
		char digits[3] = { at[1], at[2], 0 };
		*to++ = (char)strtol(digits, NULL, 16);
		at += 2;
	}
	*to = 0;
	return true;
}

static bool read_path(const struct call *c, struct path *p)
{
	char *rest = p->text, *segment;
	p->n = 0;
	memset(p->segments, 0, sizeof p->segments);
	if (c->path.n >= sizeof p->text)
		return false;
	memcpy(p->text, c->path.at, c->path.n);
	p->text[c->path.n] = 0;
	while ((segment = strsep(&rest, "/"))) {
		if (!*segment)
			continue;
		if (p->n == SEGMENTS_MAX || !decode(segment))
			return false;
		p->segments[p->n++] = segment;
	}
	return true;
}

static bool is(const char *word, const char *other)
{
	return strcmp(word, other) == 0;
}

/* `index` NULL: over all of them. False: there is no such verb. */
static bool serve_verb(struct call *c, const char *index, const char *verb)
{
	if (is(verb, "_bulk"))
		demo_serve_bulk(c, index);
	else if (is(verb, "_search"))
		demo_serve_search(c, index);
	else if (is(verb, "_count"))
		demo_serve_count(c, index);
	else if (is(verb, "_refresh"))
		demo_answer(c, 200, json_pack("{s:o}", "_shards", demo_shards()));
	else
		return false;
	return true;
}

static bool serve_one(struct call *c, const char *name)
{
	if (name[0] == '_')
		return serve_verb(c, NULL, name);
	demo_serve_index(c, name);
	return true;
}

static bool serve_two(struct call *c, const char *first, const char *second)
{
	if (is(first, "_cluster") && is(second, "health"))
		serve_health(c);
	else if (is(first, "_cat") && is(second, "indices"))
		demo_serve_indices(c);
	else if (is(second, "_doc"))
		demo_serve_document(c, first, NULL, false);
	else
		return serve_verb(c, first, second);
	return true;
}

static bool serve_three(struct call *c, const char *index, const char *verb, const char *id)
{
	bool create = is(verb, "_create");
	if (is(index, "_cluster"))
		serve_health(c);
	else if (create || is(verb, "_doc"))
		demo_serve_document(c, index, id, create);
	else
		return false;
	return true;
}

static bool serve_path(struct call *c, const struct path *p)
{
	char *const *s = p->segments;
	switch (p->n) {
	case 0:
		serve_info(c);
		return true;
	case 1:
		return serve_one(c, s[0]);
	case 2:
		return serve_two(c, s[0], s[1]);
	case 3:
		return serve_three(c, s[0], s[1], s[2]);
	default:
		return false;
	}
}

static void serve(struct call *c)
{
	struct path p;
	if (!read_path(c, &p) || !serve_path(c, &p))
		call_error(c, ERR_NOT_FOUND);
}

static void gone(struct call *c)
{
	(void)c; /* it is answered at once, or not at all */
}

static const struct service_user user = { serve, gone };

/* "127.0.0.1:9200"; -1 after a complaint. */
static int listen_at(const char *where)
{
	const char *colon = strrchr(where, ':');
	unsigned long long port;
	struct addr a;
	if (!colon || !span_to_u64(span_of(colon + 1), 65535, &port) ||
	    !addr_parse((struct span){ where, (size_t)(colon - where) }, (uint16_t)port, &a)) {
		fprintf(stderr, "crossfade demo-cluster: '%s' is not as 127.0.0.1:9200\n", where);
		return -1;
	}
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd >= 0 && !bind(fd, &a.any, addr_bytes(&a)) && !listen(fd, 128))
		return fd;
	fprintf(stderr, "crossfade demo-cluster: cannot listen on %s: %s\n", where,
		strerror(errno));
	return -1;
}

int demo_cluster_main(int argc, char **argv)
{
	unsigned long long given;
	if (argc != 3) {
		fprintf(stderr, "crossfade demo-cluster: a name and an address are expected, as "
				"source 127.0.0.1:9200\n");
		return EXIT_USAGE;
	}
	bool inherited = span_to_u64(span_of(argv[2]), INT32_MAX, &given);
	int fd = inherited ? (int)given : listen_at(argv[2]);
	if (fd < 0)
		return EXIT_NO;
	struct demo_cluster p = { .name = argv[1] };
	signal(SIGPIPE, SIG_IGN);
	demo_store_open(&p.store);
	if (!loop_open(&p.loop))
		return EXIT_NO;
	service_open(&p.service, &p.loop, &user, &p, BODY_BYTES);
	service_listen(&p.service, fd, false, NULL);
	for (;;)
		loop_turn(&p.loop);
}
