#ifndef REPLAY_ORDERS_H
#define REPLAY_ORDERS_H

/*
 * Orders to replay, from the control thread to the copying one, and what became of them. The caller
 * has a lock around each call.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

enum order_kind {
	ORDER_PAUSE,
	ORDER_RESUME,
	ORDER_BACKFILL,
	ORDER_BACKFILL_PAUSE,
	ORDER_BACKFILL_RESUME,
	ORDER_BACKFILL_STOP,
	ORDER_RESTART,
	ORDER_RETRY,
	ORDER_DROP,
	ORDER_KINDS,
};

/* Of a resume: what becomes of the requests that are held (replay/resend.h). */
enum order_held { ORDER_HELD_STAY, ORDER_HELD_SKIP, ORDER_HELD_SEND };

#define ORDER_WHO_BYTES 256

struct replay_order {
	enum order_kind kind;
	char who[ORDER_WHO_BYTES];
	enum order_held held;
	json_t *indices;  /* owned: patterns of a backfill; NULL: all that are replayed */
	uint32_t rate;	  /* of a backfill, documents a second; 0: no limit */
	uint64_t from_ns; /* of a restart, by the wall clock */
	char *document;	  /* owned: INDEX/ID of what was set aside; NULL: all of it */
};

struct order_outcome {
	unsigned status; /* 200, or the HTTP status of the refusal */
	const char *word;
	uint64_t n;	 /* documents, or requests, that it concerned */
	uint64_t change; /* of the marks: with it the order is durable */
	char text[REPLAY_ORDER_TEXT_BYTES];
};

struct orders {
	struct replay_order list[REPLAY_ORDERS_MAX];
	struct order_outcome outcomes[REPLAY_ORDERS_MAX];
	uint64_t put, taken;
};

/* The order's number, from 1, and its texts are moved in. 0: too many wait; nothing is done. */
uint64_t orders_put(struct orders *o, const struct replay_order *one);
/* The oldest that waits, moved out; its number. 0: none does. */
uint64_t orders_take(struct orders *o, struct replay_order *to);
void orders_end(struct orders *o, uint64_t number, const struct order_outcome *outcome);
/* False: it waits, or is forgotten. */
bool orders_outcome(const struct orders *o, uint64_t number, struct order_outcome *to);
void orders_free(struct orders *o);
void replay_order_free(struct replay_order *one);

#endif
