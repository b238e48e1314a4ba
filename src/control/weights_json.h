#ifndef CONTROL_WEIGHTS_JSON_H
#define CONTROL_WEIGHTS_JSON_H

/* Weights in JSON: reads requests strictly, and writes responses. */

#include <jansson.h>

#include "control/weights.h"

/*
 * {"weights":{"source":N,"target":N},"reason":TEXT,"who":TEXT,"force":BOOL}; only weights are
 * required. Sets weights, why and who ("" when left out), and force. False: `error` says what is
 * wrong.
 */
bool weights_json_read(struct span body, struct weights_change *c, char error[WEIGHTS_TEXT_BYTES]);

/* {"reason":TEXT,"who":TEXT}, or an empty body: the body of a rollback. */
bool weights_json_read_rollback(struct span body, struct weights_change *c,
				char error[WEIGHTS_TEXT_BYTES]);

/* {"weights":{"source":N,"target":N},"epoch":N,"saved":...}, in this order. */
json_t *weights_json(const uint32_t weights[ARMS], uint64_t epoch, bool saved);

/*
 * The same for the outcome of a change, with the weights before it, the workers that are late, and
 * the requests still on their way.
 */
json_t *weights_json_change(const struct weights_change *c);

#endif
