#ifndef CONTROL_ADMIN_TLS_H
#define CONTROL_ADMIN_TLS_H

/*
 * The TLS context of admin.address for one configuration (section admin.tls). It uses the control
 * thread's own TLS library.
 */

#include "control/contexts.h"

struct admin_tls {
	struct tls_context *context; /* NULL: clear text */
	struct slab chunks;
	struct arena arena;
	struct certificates certificates;
	struct contexts contexts;
};

/* Never NULL: the diagnostics say whether it failed. */
struct admin_tls *admin_tls_open(const struct config *c, struct tls_library *library,
				 const struct ticket_keys *tickets, struct diagnostics *to);
/* Connections that it has made go on. `t` may be NULL. */
void admin_tls_close(struct admin_tls *t);

#endif
