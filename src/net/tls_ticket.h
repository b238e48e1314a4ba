#ifndef NET_TLS_TICKET_H
#define NET_TLS_TICKET_H

/*
 * Session tickets. With a ticket a client resumes its session without a full handshake, at any
 * worker of any process. The keys are in shared memory that the keeper owns; every process and
 * worker reads them. `sequence` is odd while the keeper writes. A ticket is valid only for the
 * server name that it was made for.
 */

#include <stdbool.h>
#include <stdint.h>

struct ticket_key {
	uint8_t name[16], cipher[32], mac[32];
};
struct ticket_keys {
	_Atomic uint32_t sequence;
	uint32_t version; /* of this layout: TICKET_KEYS_VERSION */
	struct ticket_key previous, current, next;
};
#define TICKET_KEYS_VERSION 1
/* Fills all three keys with random bytes. The keeper calls it once. */
bool ticket_keys_fill(struct ticket_keys *k);
/*
 * `next` becomes `current`, `current` becomes `previous`, and a new `next` is made. Only one
 * writer.
 */
bool ticket_keys_rotate(struct ticket_keys *k);

#endif
