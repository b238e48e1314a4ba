#ifndef CONTROL_CONFIG_KAFKA_H
#define CONTROL_CONFIG_KAFKA_H

/* `capture.kafka`: where the log is brought to. */

#include "capture/producer.h"
#include "control/config.h"
#include "control/keys.h"

extern const struct section kafka_section; /* struct config_kafka */

/* Whether the library takes it, with its certificates: complains where it does not. */
void kafka_try(struct config *c);
/* As the producer wants it; it refers to what `k` has. */
struct producer_config kafka_producer(const struct config_kafka *k);
/* Whether the two bring the log to different places, or in different ways. */
bool kafka_differs(const struct config_kafka *a, const struct config_kafka *b);

#endif
