#ifndef CONTROL_CONFIG_KAFKA_H
#define CONTROL_CONFIG_KAFKA_H

/* `capture.kafka`: where the capture log is sent to. */

#include "capture/producer.h"
#include "control/config.h"
#include "control/keys.h"

extern const struct section kafka_section; /* struct config_kafka */

/*
 * Tries the settings and certificates with librdkafka, and adds a diagnostic where it refuses them.
 */
void kafka_try(struct config *c);
/* The same settings for the producer; the result borrows the texts of `k`. */
struct producer_config kafka_producer(const struct config_kafka *k);
/* Whether the two send the log to different places or in different ways. */
bool kafka_differs(const struct config_kafka *a, const struct config_kafka *b);

#endif
