#include "control/listeners.h"

#include <errno.h>
#include <unistd.h>

#include "base/bug.h"
#include "io/port_owner.h"

static_assert(LISTENERS_MAX == LISTENER_KINDS * LISTENER_NUMBERS_MAX, "each kind has its numbers");

void listeners_open(struct listeners *s)
{
	*s = (struct listeners){ 0 };
}

/* Sockets that no worker has taken are closed here. */
static void listener_close_sockets(struct listener_record *r)
{
	for (unsigned i = 0; i < r->sockets.n; i++) {
		int fd = atomic_exchange(&r->sockets.list[i], -1);
		if (fd >= 0)
			close(fd);
	}
}

void listeners_close(struct listeners *s)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		listener_close_sockets(&s->list[i]);
}

/* --- identity --- */

struct listener_record *listeners_find(struct listeners *s, enum config_listener_kind kind,
				       const struct addr *a)
{
	struct listener_record *r = &s->list[kind * LISTENER_NUMBERS_MAX];
	for (struct listener_record *end = r + LISTENER_NUMBERS_MAX; r < end; r++)
		if (r->listed && addr_is(&r->addr, a))
			return r;
	return NULL;
}

uint32_t listeners_number(const struct listeners *s, const struct listener_record *r)
{
	return (uint32_t)(r - s->list);
}

/*
 * Best is the address's own earlier number, then a number that no address has had: so counters stay
 * with one address.
 */
static struct listener_record *listeners_choose(struct listeners *s, enum config_listener_kind kind,
						const struct addr *a,
						const bool named[LISTENERS_MAX])
{
	struct listener_record *fresh = NULL, *used = NULL;
	uint32_t first = kind * LISTENER_NUMBERS_MAX;
	for (uint32_t i = first; i < first + LISTENER_NUMBERS_MAX; i++) {
		struct listener_record *r = &s->list[i];
		if (r->known && addr_is(&r->addr, a))
			return r;
		if (r->listed || named[i])
			continue;
		if (!r->known && !fresh)
			fresh = r;
		else if (r->known && !used)
			used = r;
	}
	return fresh ? fresh : used;
}

static bool listeners_add_one(struct listeners *s, struct config *c, enum config_listener_kind kind,
			      const struct config_address *a, const bool named[LISTENERS_MAX])
{
	struct listener_record *r = listeners_choose(s, kind, &a->addr, named);
	if (!r) {
		diagnose(&c->diagnostics, a->at,
			 "address: too many removed addresses still have connections; try again "
			 "later");
		return false;
	}
	r->addr = a->addr;
	r->known = r->listed = true;
	return true;
}

bool listeners_add(struct listeners *s, struct config *c, const bool named[LISTENERS_MAX])
{
	for (int k = 0; k < LISTENER_KINDS; k++)
		for (const struct config_address *a = c->listeners.kinds[k].addresses; a;
		     a = a->next)
			if (!listeners_add_one(s, c, (enum config_listener_kind)k, a, named))
				return false;
	return true;
}

/* --- sockets --- */

static const char *listen_hint(int error)
{
	if (error == EACCES)
		return " (a port below 1024 needs root or the capability CAP_NET_BIND_SERVICE)";
	return error == EADDRNOTAVAIL ? " (no interface of this machine has this address)" : "";
}

void listeners_complain(struct config *c, const struct config_address *a, int error)
{
	char owner[PORT_OWNER_TEXT_BYTES] = "";
	struct port_owner o;
	if (error == EADDRINUSE) {
		port_owner_find(&a->addr, &o);
		port_owner_text(&o, owner);
		if (!owner[0])
			snprintf(owner, sizeof owner, " (another program has it)");
	}
	diagnose(&c->diagnostics, a->at, "address: cannot listen on %s: %s%s%s", a->text,
		 strerror(error), listen_hint(error), owner);
}

static int listeners_get_sockets(struct listener_record *r, unsigned worker_n,
				 const struct socket_source *source)
{
	int list[WORKERS_MAX];
	unsigned n = 0;
	int error = source->listen(source->self, &r->addr, worker_n, list, &n);
	if (error)
		return error;
	must(n >= worker_n && n <= WORKERS_MAX);
	listener_close_sockets(r);
	for (unsigned i = 0; i < n; i++)
		atomic_store(&r->sockets.list[i], list[i]);
	r->sockets.n = n;
	r->open = true;
	return 0;
}

bool listeners_listen(struct listeners *s, struct config *c, unsigned worker_n,
		      const struct socket_source *source)
{
	size_t before = c->diagnostics.n;
	for (int k = 0; k < LISTENER_KINDS; k++)
		for (const struct config_address *a = c->listeners.kinds[k].addresses; a;
		     a = a->next) {
			struct listener_record *r =
				listeners_find(s, (enum config_listener_kind)k, &a->addr);
			int error = r->open ? 0 : listeners_get_sockets(r, worker_n, source);
			if (error)
				listeners_complain(c, a, error);
		}
	return c->diagnostics.n == before;
}

/* --- removing --- */

static bool config_has_listener(const struct config *c, uint32_t kind, const struct addr *a)
{
	for (const struct config_address *b = c->listeners.kinds[kind].addresses; b; b = b->next)
		if (addr_is(&b->addr, a))
			return true;
	return false;
}

static bool any_kind_has(const struct config *c, const struct addr *a)
{
	for (uint32_t kind = 0; kind < LISTENER_KINDS; kind++)
		if (config_has_listener(c, kind, a))
			return true;
	return false;
}

void listeners_retire(struct listeners *s, const struct config *c,
		      const struct socket_source *source)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
		struct listener_record *r = &s->list[i];
		if (!r->listed || config_has_listener(c, i / LISTENER_NUMBERS_MAX, &r->addr))
			continue;
		r->listed = false;
		listener_close_sockets(r);
		if (r->open && !any_kind_has(c, &r->addr))
			source->forget(source->self, &r->addr);
		r->open = false;
	}
}
