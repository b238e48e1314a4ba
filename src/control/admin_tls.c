#include "control/admin_tls.h"

#include <stdlib.h>

#include "base/bug.h"

struct admin_tls *admin_tls_open(const struct config *c, struct tls_library *library,
				 const struct ticket_keys *tickets, struct diagnostics *to)
{
	const struct front_contexts how = {
		.tls = &c->admin.tls, .libraries = &library, .worker_n = 1, .tickets = tickets
	};
	struct admin_tls *t = calloc(1, sizeof *t);
	must(t);
	slab_open(&t->chunks, ARENA_CHUNK_BYTES, 4);
	arena_open(&t->arena, &t->chunks);
	if (c->admin.tls.head.at != NOWHERE &&
	    certificates_open(&t->certificates, &how, NULL, &t->arena, to) &&
	    contexts_open_front(&t->contexts, &how, &t->certificates, NULL, &t->arena, to))
		t->context = t->contexts.list[0];
	return t;
}

void admin_tls_close(struct admin_tls *t)
{
	if (!t)
		return;
	contexts_close(&t->contexts);
	certificates_close(&t->certificates);
	arena_close(&t->arena);
	slab_close(&t->chunks);
	free(t);
}
