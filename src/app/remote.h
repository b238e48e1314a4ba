#ifndef APP_REMOTE_H
#define APP_REMOTE_H

/*
 * A balancer's admin.address and its token, for a client. The token is as good as a key: it goes
 * over a network in clear text only for who asks for that.
 */

#include "app/client.h"

struct remote {
	char url[CLIENT_URL_BYTES]; /* without a path */
	char authorization[CLIENT_TOKEN_BYTES + 32];
};

/* `token_file` may be NULL: no token. False after a complaint. */
bool remote_read(const struct command *c, const char *url, const char *token_file, bool clear_text,
		 struct remote *to);

#endif
