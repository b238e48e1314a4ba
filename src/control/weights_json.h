#ifndef CONTROL_WEIGHTS_JSON_H
#define CONTROL_WEIGHTS_JSON_H

/* Weights in JSON: what is asked for, strictly, and what is answered. */

#include <jansson.h>

#include "control/weights.h"

/*
 * {"weights":{"source":N,"target":N},"reason":TEXT,"who":TEXT,"force":BOOL}; the last three may
 * be left out. Fills in weights, why and who ("" without one), and force. False: `error` says what
 * is wrong.
 */
bool weights_json_read(struct span body, struct weights_change *c, char error[WEIGHTS_TEXT_BYTES]);

/* {"reason":TEXT,"who":TEXT}, or nothing at all: the body of a rollback. */
bool weights_json_read_rollback(struct span body, struct weights_change *c,
				char error[WEIGHTS_TEXT_BYTES]);

/* {"weights":{"source":N,"target":N},"epoch":N,"saved":...}, in this order. */
json_t *weights_json(const uint32_t weights[ARMS], uint64_t epoch, bool saved);

/* The same of what came of a change, and what it was before, who is late, what is on its way. */
json_t *weights_json_change(const struct weights_change *c);

#endif
