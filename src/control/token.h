#ifndef CONTROL_TOKEN_H
#define CONTROL_TOKEN_H

/*
 * The secret for the admin API over TCP: a file in the state directory that only its owner can
 * read.
 */

#include <stdbool.h>

#include "base/span.h"

/* 32 random bytes in hexadecimal, terminated. */
#define TOKEN_BYTES 65
#define TOKEN_FILE "admin.token"

/*
 * Reads `directory`/admin.token, or makes it (mode 0600) when it is missing; *made says which.
 * False with errno.
 */
bool token_take(const char *directory, char token[TOKEN_BYTES], bool *made);

/* Whether `given` is the token. The time does not depend on where they differ. */
bool token_is(const char token[TOKEN_BYTES], struct span given);

#endif
