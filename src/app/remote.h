#ifndef APP_REMOTE_H
#define APP_REMOTE_H

/*
 * The admin.address and the token of a balancer, for a client. Whoever has the token can do
 * everything. Therefore it is sent unencrypted over a network only when the user asks for that.
 */

#include "app/client.h"

struct remote {
	char url[CLIENT_URL_BYTES]; /* without a path */
	char authorization[CLIENT_TOKEN_BYTES + 32];
};

/* `token_file` NULL: no token. False after a diagnostic. */
bool remote_read(const struct command *c, const char *url, const char *token_file, bool clear_text,
		 struct remote *to);

#endif
