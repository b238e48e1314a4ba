#include "capture/producer.h"

#include <stdio.h>

#ifdef WITH_KAFKA

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "capture/kafka_limits.h"

struct producer {
	rd_kafka_t *kafka;
	rd_kafka_topic_t *topic;
	struct producer_user user;
	bool broken;
	size_t refused_bytes; /* of the record that the topic refused in a batch; 0: none */
	unsigned batch_bytes;
	bool careful; /* there was a refusal: larger records go alone */
	size_t out;
	bool alone; /* the record that is on its way goes alone */
	char error[PRODUCER_ERROR_BYTES];
};

bool producer_is_built(void)
{
	return true;
}

/* --- callbacks of the library, on our thread --- */

static void producer_note_error(struct producer *p, const char *what)
{
	snprintf(p->error, sizeof p->error, "%s", what);
}

/*
 * The library gives up a record only for a reason that time does not mend: then all begins anew
 * from the log. The first record that is refused says why; those behind it are given up because of
 * it.
 */
static void producer_give_up(struct producer *p, const rd_kafka_message_t *m)
{
	if (m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && !p->refused_bytes)
		p->refused_bytes = m->len;
	if (!p->broken)
		producer_note_error(p, rd_kafka_err2str(m->err));
	p->broken = true;
}

static void producer_delivered(rd_kafka_t *k, const rd_kafka_message_t *m, void *opaque)
{
	struct producer *p = opaque;
	(void)k;
	must(p->out > 0);
	p->out--;
	if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return;
	if (m->err) {
		producer_give_up(p, m);
		return;
	}
	if (!p->broken)
		p->error[0] = 0;
	p->user.delivered(p->user.user, (uintptr_t)m->_private, m->len);
}

static void producer_failed(rd_kafka_t *k, int error, const char *reason, void *opaque)
{
	struct producer *p = opaque;
	char text[PRODUCER_ERROR_BYTES];
	if (p->broken)
		return;
	if (error != RD_KAFKA_RESP_ERR__FATAL) {
		producer_note_error(p, reason);
		return;
	}
	rd_kafka_fatal_error(k, text, sizeof text);
	producer_note_error(p, text);
	p->broken = true;
}

/* producer_failed() reports what the library would print, once and in one place. */
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

static bool conf_set(rd_kafka_conf_t *conf, const struct setting *list, size_t n,
		     char error[PRODUCER_ERROR_BYTES])
{
	for (size_t i = 0; i < n; i++)
		if (list[i].value && rd_kafka_conf_set(conf, list[i].name, list[i].value, error,
						       PRODUCER_ERROR_BYTES) != RD_KAFKA_CONF_OK)
			return false;
	return true;
}

static const char *security_protocol(const struct producer_config *c)
{
	if (c->sasl.mechanism)
		return c->tls.on ? "sasl_ssl" : "sasl_plaintext";
	return c->tls.on ? "ssl" : "plaintext";
}

/* A topic that takes the largest record takes a batch of that size, too. */
static unsigned batch_bytes(const struct producer_config *c)
{
	return c->batch_bytes ? c->batch_bytes : KAFKA_RECORD_BYTES;
}

static rd_kafka_conf_t *producer_configure(const struct producer_config *c,
					   char error[PRODUCER_ERROR_BYTES])
{
	char linger[16], queue[16], batch[16];
	snprintf(linger, sizeof linger, "%u", c->batch_bytes ? 0 : c->linger_ms);
	snprintf(batch, sizeof batch, "%u", batch_bytes(c));
	snprintf(queue, sizeof queue, "%d", KAFKA_QUEUE_BYTES / 1024);
	const struct setting list[] = {
		{ "bootstrap.servers", c->brokers },
		{ "client.id", c->client_id },
		{ "compression.codec", c->compression },
		{ "acks", "all" },
		{ "enable.idempotence", "true" },
		{ "message.timeout.ms", "0" },
		/* As Kafka's own clients hash the key: a connection has one partition for all of
		 * them. */
		{ "partitioner", "murmur2_random" },
		{ "linger.ms", linger },
		{ "batch.size", batch },
		{ "queue.buffering.max.kbytes", queue },
		{ "socket.keepalive.enable", "true" },
		{ "reconnect.backoff.max.ms", "1000" },
		{ "security.protocol", security_protocol(c) },
		/* Defaults of newer versions of the library: an older one may be installed. */
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
	rd_kafka_conf_set_dr_msg_cb(conf, producer_delivered);
	rd_kafka_conf_set_error_cb(conf, producer_failed);
	rd_kafka_conf_set_log_cb(conf, say_nothing);
	if (conf_set(conf, list, sizeof list / sizeof list[0], error))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static rd_kafka_t *producer_make(const struct producer_config *c, void *opaque,
				 char error[PRODUCER_ERROR_BYTES])
{
	rd_kafka_conf_t *conf = producer_configure(c, error);
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
	rd_kafka_t *k = producer_make(c, &nobody, error);
	if (k)
		rd_kafka_destroy(k);
	return k;
}

/* --- open and close --- */

struct producer *producer_open(const struct producer_config *c, const struct producer_user *user,
			       struct waker *waker, char error[PRODUCER_ERROR_BYTES])
{
	static const uint64_t one = 1;
	struct producer *p = calloc(1, sizeof *p);
	must(p);
	p->user = *user;
	p->batch_bytes = batch_bytes(c);
	p->careful = c->batch_bytes;
	p->kafka = producer_make(c, p, error);
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
	bool alone = p->careful && value.n > p->batch_bytes;
	if (p->broken)
		return PRODUCER_BROKEN;
	if (p->out && (alone || p->alone))
		return PRODUCER_FULL;
	if (!rd_kafka_produce(p->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
			      (void *)(uintptr_t)value.at, value.n, key.at, key.n, (void *)tag)) {
		p->out++;
		p->alone = alone;
		return PRODUCER_TAKEN;
	}
	if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return PRODUCER_FULL;
	producer_note_error(p, rd_kafka_err2str(rd_kafka_last_error()));
	p->broken = true;
	return PRODUCER_BROKEN;
}

bool producer_turn(struct producer *p)
{
	rd_kafka_poll(p->kafka, 0);
	return !p->broken;
}

/* --- a topic's limit --- */

static unsigned limit_among(const rd_kafka_ConfigResource_t *topic)
{
	size_t n;
	const rd_kafka_ConfigEntry_t **entry = rd_kafka_ConfigResource_configs(topic, &n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rd_kafka_ConfigEntry_name(entry[i]), "max.message.bytes"))
			return (unsigned)strtoul(rd_kafka_ConfigEntry_value(entry[i]), NULL, 10);
	return 0;
}

static unsigned limit_answered(rd_kafka_event_t *answer)
{
	const rd_kafka_DescribeConfigs_result_t *result =
		rd_kafka_event_DescribeConfigs_result(answer);
	size_t n = 0;
	const rd_kafka_ConfigResource_t **topic =
		result ? rd_kafka_DescribeConfigs_result_resources(result, &n) : NULL;
	return n && !rd_kafka_ConfigResource_error(topic[0]) ? limit_among(topic[0]) : 0;
}

/* 0: the brokers do not say it, or not in time. */
static unsigned ask_limit(struct producer *p)
{
	rd_kafka_ConfigResource_t *topic =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, rd_kafka_topic_name(p->topic));
	rd_kafka_queue_t *q = rd_kafka_queue_new(p->kafka);
	rd_kafka_DescribeConfigs(p->kafka, &topic, 1, NULL, q);
	rd_kafka_event_t *answer = rd_kafka_queue_poll(q, KAFKA_ASK_MS);
	unsigned bytes = answer ? limit_answered(answer) : 0;
	if (answer)
		rd_kafka_event_destroy(answer);
	rd_kafka_queue_destroy(q);
	rd_kafka_ConfigResource_destroy(topic);
	return bytes;
}

bool producer_was_too_large(struct producer *p, struct producer_refusal *r)
{
	char limit[32] = "unknown";
	if (!p->refused_bytes)
		return false;
	*r = (struct producer_refusal){ p->refused_bytes, ask_limit(p) };
	if (r->limit_bytes)
		snprintf(limit, sizeof limit, "%u bytes", r->limit_bytes);
	snprintf(p->error, sizeof p->error,
		 "the topic %.100s refused a record of %zu bytes in a batch of at most %u; "
		 "its max.message.bytes: %s",
		 rd_kafka_topic_name(p->topic), p->refused_bytes, p->batch_bytes, limit);
	return true;
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

bool producer_was_too_large(struct producer *p, struct producer_refusal *refusal)
{
	(void)p;
	(void)refusal;
	return false;
}

const char *producer_error(const struct producer *p)
{
	(void)p;
	return "";
}

#endif
