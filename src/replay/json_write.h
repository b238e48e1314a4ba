#ifndef REPLAY_JSON_WRITE_H
#define REPLAY_JSON_WRITE_H

/* What is said to clusters, in JSON. */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "capture/bytes.h"

/* Whether it is UTF-8 (RFC 3629): else it cannot stand in JSON. */
bool json_is_utf8(struct span s);

/* A string with its quotes. `text` is UTF-8. */
void json_write_string(struct bytes *to, struct span text);
void json_write_number(struct bytes *to, uint64_t n);

#endif
