#include "control/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

const char *listener_name(enum config_listener_kind k)
{
	static const char *const names[] = { "weighted", "source", "target" };
	must(k < LISTENER_KINDS);
	return names[k];
}

struct config *config_hold(struct config *c)
{
	c->holds++;
	return c;
}

static const struct yaml *yaml_member(const struct yaml *map, struct span key)
{
	for (const struct yaml *y = map->first; y; y = y->next)
		if (y->key && span_is(span_of(y->key), key))
			return y;
	return NULL;
}

size_t config_place(const struct config *c, const char *path)
{
	const struct yaml *at = c->root;
	while (at && *path) {
		size_t n = strcspn(path, ".");
		const struct yaml *next = yaml_member(at, (struct span){ path, n });
		if (!next)
			break;
		at = next;
		path += n + (path[n] == '.');
	}
	return at && at != c->root ? at->at : NOWHERE;
}

void config_close(struct config *c)
{
	must(c->holds > 0);
	if (--c->holds)
		return;
	diagnostics_close(&c->diagnostics);
	arena_close(&c->arena);
	slab_close(&c->chunks);
	free(c);
}
