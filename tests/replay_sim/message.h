#ifndef TESTS_REPLAY_SIM_MESSAGE_H
#define TESTS_REPLAY_SIM_MESSAGE_H

/* HTTP/1 messages as clients and nodes of the model read them: one after the other, whole. */

#include <stdbool.h>

#include "base/span.h"
#include "sim/text.h"

struct message {
	struct text bytes; /* owned: of the present message, and what has come behind it */
	/* Of a whole message; valid until message_next(). */
	size_t head_n, whole_n;
	struct text body; /* owned */
};

/* True: a message is whole. Its body is decoded. */
bool message_hear(struct message *m, const uint8_t *bytes, size_t n);
/* True: what has come behind it is whole, too. */
bool message_next(struct message *m);
void message_close(struct message *m);

/* The i-th word of the first line. */
struct span message_word(const struct message *m, unsigned i);
/* The value of a field; at = NULL: it is not there. `name` is in lower case. */
struct span message_field(const struct message *m, const char *name);

#endif
