#include "capture/producer.h"

#include <stdio.h>

#ifdef WITH_KAFKA

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

struct producer {
	rd_kafka_t *kafka;
	rd_kafka_topic_t *topic;
	struct producer_user user;
	bool broken, too_large;
	unsigned batch_bytes;
	char error[PRODUCER_ERROR_BYTES];
};

bool producer_is_built(void)
{
	return true;
}

/* --- what the library tells, on our thread --- */

static void note(struct producer *p, const char *what)
{
	snprintf(p->error, sizeof p->error, "%s", what);
}

/* The topic's limit only its brokers know: what they have refused says how it compares. */
static void say_refused(struct producer *p, const rd_kafka_message_t *m)
{
	char text[PRODUCER_ERROR_BYTES];
	note(p, rd_kafka_err2str(m->err));
	if (m->err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		return;
	p->too_large = true;
	snprintf(
		text, sizeof text,
		"the topic %.100s takes no record of %zu bytes in a batch of at most %u: raise its "
		"max.message.bytes",
		rd_kafka_topic_name(p->topic), m->len, p->batch_bytes);
	note(p, text);
}

/* A record is given up only for a reason that time does not mend: it is begun anew from the log. */
static void delivered(rd_kafka_t *k, const rd_kafka_message_t *m, void *opaque)
{
	struct producer *p = opaque;
	(void)k;
	if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return;
	if (m->err) {
		say_refused(p, m);
		p->broken = true;
		return;
	}
	p->error[0] = 0;
	p->user.delivered(p->user.user, (uintptr_t)m->_private, m->len);
}

static void failed(rd_kafka_t *k, int error, const char *reason, void *opaque)
{
	struct producer *p = opaque;
	char text[PRODUCER_ERROR_BYTES];
	if (error != RD_KAFKA_RESP_ERR__FATAL) {
		note(p, reason);
		return;
	}
	rd_kafka_fatal_error(k, text, sizeof text);
	note(p, text);
	p->broken = true;
}

/* What it would print is told by failed(), once and in one place. */
static void say_nothing(const rd_kafka_t *k, int level, const char *facility, const char *text)
{
	(void)k;
	(void)level;
	(void)facility;
	(void)text;
}

/* --- configuration --- */

struct setting {
	const char *name, *value;
};

static bool set(rd_kafka_conf_t *conf, const struct setting *list, size_t n,
		char error[PRODUCER_ERROR_BYTES])
{
	for (size_t i = 0; i < n; i++)
		if (list[i].value && rd_kafka_conf_set(conf, list[i].name, list[i].value, error,
						       PRODUCER_ERROR_BYTES) != RD_KAFKA_CONF_OK)
			return false;
	return true;
}

static const char *protocol(const struct producer_config *c)
{
	if (c->sasl.mechanism)
		return c->tls.on ? "sasl_ssl" : "sasl_plaintext";
	return c->tls.on ? "ssl" : "plaintext";
}

/* The key is hashed as Kafka's own clients do, so that a connection has one partition for all. */
/* A topic that takes the largest record takes such batches too. */
static unsigned batch_bytes(const struct producer_config *c)
{
	return c->batch_bytes ? c->batch_bytes : KAFKA_RECORD_BYTES;
}

static rd_kafka_conf_t *configure(const struct producer_config *c, char error[PRODUCER_ERROR_BYTES])
{
	char linger[16], queue[16], batch[16];
	snprintf(linger, sizeof linger, "%u", c->linger_ms);
	snprintf(batch, sizeof batch, "%u", batch_bytes(c));
	snprintf(queue, sizeof queue, "%d", KAFKA_QUEUE_BYTES / 1024);
	const struct setting list[] = {
		{ "bootstrap.servers", c->brokers },
		{ "client.id", c->client_id },
		{ "compression.codec", c->compression },
		{ "acks", "all" },
		{ "enable.idempotence", "true" },
		{ "message.timeout.ms", "0" },
		{ "partitioner", "murmur2_random" },
		{ "linger.ms", linger },
		{ "batch.size", batch },
		{ "queue.buffering.max.kbytes", queue },
		{ "socket.keepalive.enable", "true" },
		{ "reconnect.backoff.max.ms", "1000" },
		{ "security.protocol", protocol(c) },
		/* Defaults of the library's newer versions: not left to the one that is there. */
		{ "enable.ssl.certificate.verification", "true" },
		{ "ssl.endpoint.identification.algorithm", "https" },
		{ "ssl.ca.pem", c->tls.ca },
		{ "ssl.certificate.pem", c->tls.certificate },
		{ "ssl.key.pem", c->tls.key },
		{ "sasl.mechanism", c->sasl.mechanism },
		{ "sasl.username", c->sasl.username },
		{ "sasl.password", c->sasl.password },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_conf_set_error_cb(conf, failed);
	rd_kafka_conf_set_log_cb(conf, say_nothing);
	if (set(conf, list, sizeof list / sizeof list[0], error))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static rd_kafka_t *make(const struct producer_config *c, void *opaque,
			char error[PRODUCER_ERROR_BYTES])
{
	rd_kafka_conf_t *conf = configure(c, error);
	if (!conf)
		return NULL;
	rd_kafka_conf_set_opaque(conf, opaque);
	rd_kafka_t *k = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, PRODUCER_ERROR_BYTES);
	if (!k)
		rd_kafka_conf_destroy(conf);
	return k;
}

bool producer_try(const struct producer_config *c, char error[PRODUCER_ERROR_BYTES])
{
	struct producer nobody = { .broken = false };
	rd_kafka_t *k = make(c, &nobody, error);
	if (k)
		rd_kafka_destroy(k);
	return k;
}

/* --- a life --- */

struct producer *producer_open(const struct producer_config *c, const struct producer_user *user,
			       struct waker *waker, char error[PRODUCER_ERROR_BYTES])
{
	static const uint64_t one = 1;
	struct producer *p = calloc(1, sizeof *p);
	must(p);
	p->user = *user;
	p->batch_bytes = batch_bytes(c);
	p->kafka = make(c, p, error);
	if (!p->kafka) {
		free(p);
		return NULL;
	}
	p->topic = rd_kafka_topic_new(p->kafka, c->topic, NULL);
	must(p->topic);
	rd_kafka_queue_t *q = rd_kafka_queue_get_main(p->kafka);
	rd_kafka_queue_io_event_enable(q, waker->fd, &one, sizeof one);
	rd_kafka_queue_destroy(q);
	return p;
}

void producer_close(struct producer *p)
{
	rd_kafka_purge(p->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
					 RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_topic_destroy(p->topic);
	rd_kafka_destroy(p->kafka);
	free(p);
}

enum producer_verdict producer_put(struct producer *p, struct span key, struct span value,
				   uintptr_t tag)
{
	if (p->broken)
		return PRODUCER_BROKEN;
	if (!rd_kafka_produce(p->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
			      (void *)(uintptr_t)value.at, value.n, key.at, key.n, (void *)tag))
		return PRODUCER_TAKEN;
	if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return PRODUCER_FULL;
	note(p, rd_kafka_err2str(rd_kafka_last_error()));
	p->broken = true;
	return PRODUCER_BROKEN;
}

bool producer_turn(struct producer *p)
{
	rd_kafka_poll(p->kafka, 0);
	return !p->broken;
}

bool producer_was_too_large(const struct producer *p)
{
	return p->too_large;
}

const char *producer_error(const struct producer *p)
{
	return p->error;
}

#else

bool producer_is_built(void)
{
	return false;
}

bool producer_try(const struct producer_config *c, char error[PRODUCER_ERROR_BYTES])
{
	(void)c;
	snprintf(error, PRODUCER_ERROR_BYTES, "this program was built without librdkafka");
	return false;
}

struct producer *producer_open(const struct producer_config *c, const struct producer_user *user,
			       struct waker *waker, char error[PRODUCER_ERROR_BYTES])
{
	(void)user;
	(void)waker;
	producer_try(c, error);
	return NULL;
}

void producer_close(struct producer *p)
{
	(void)p;
}

enum producer_verdict producer_put(struct producer *p, struct span key, struct span value,
				   uintptr_t tag)
{
	(void)p;
	(void)key;
	(void)value;
	(void)tag;
	return PRODUCER_BROKEN;
}

bool producer_turn(struct producer *p)
{
	(void)p;
	return false;
}

bool producer_was_too_large(const struct producer *p)
{
	(void)p;
	return false;
}

const char *producer_error(const struct producer *p)
{
	(void)p;
	return "";
}

#endif
