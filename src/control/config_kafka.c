#include "control/config_kafka.h"

#include <stdio.h>
#include <string.h>

#include "capture/kafka_limits.h"

#define KEYS(table) .keys = (table), .key_n = sizeof(table) / sizeof((table)[0])

static const char *const compression_words[] = { "none", "gzip", "lz4", "zstd", "snappy", NULL };
static const char *const acks_words[] = { "all", NULL };
static const char *const mechanism_words[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL };

/* --- brokers --- */

static bool is_broker(const char *text)
{
	const char *colon = strrchr(text, ':');
	unsigned long long port;
	return colon && colon > text && strcspn(text, ", /\t") == strlen(text) &&
	       span_to_u64(span_of(colon + 1), 65535, &port) && port > 0;
}

static void brokers_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	char all[BROKERS_BYTES];
	size_t n = 0;
	if (y->kind != YAML_LIST || !y->first) {
		diagnose(b->diagnostics, y->at, "%s: a list is expected, such as [ kafka-1:9092 ]",
			 k->name);
		return;
	}
	for (const struct yaml *item = y->first; item; item = item->next) {
		if (!key_is_scalar(b, k, item))
			return;
		if (!is_broker(item->text)) {
			diagnose(b->diagnostics, item->at, "%s: '%s' is not HOST:PORT", k->name,
				 item->text);
			return;
		}
		int more = snprintf(all + n, sizeof all - n, "%s%s", n ? "," : "", item->text);
		if ((size_t)more >= sizeof all - n) {
			diagnose(b->diagnostics, item->at,
				 "%s: there are too many brokers: a few of them are enough, the "
				 "client finds the others",
				 k->name);
			return;
		}
		n += (size_t)more;
	}
	*(char **)to = key_copy(b, (struct span){ all, n });
}

static void kafka_text_preset(const struct key *k, void *to)
{
	*(const char **)to = k->text;
}

static const struct key_type key_brokers = { brokers_bind, kafka_text_preset, true,
					     "a list of HOST:PORT" };

/* --- a topic's name, by Kafka's own rule --- */

static void topic_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	if (!key_is_scalar(b, k, y))
		return;
	size_t n = strlen(y->text);
	if (n > 249 || strspn(y->text, letters) != n || !strcmp(y->text, ".") ||
	    !strcmp(y->text, ".."))
		diagnose(b->diagnostics, y->at,
			 "%s: '%s' is not a topic name: at most 249 letters, digits, dots, - and _",
			 k->name, y->text);
	else
		*(const char **)to = y->text;
}

static const struct key_type key_topic = { topic_bind, kafka_text_preset, true,
					   "the name of a topic" };

/* --- a password: the first line of a file --- */

static void password_bind(struct binder *b, const struct key *k, const struct yaml *y, void *to)
{
	struct key_file_value file = { .path = NULL };
	key_file.bind(b, k, y, &file);
	if (!file.path)
		return;
	size_t n = strcspn(file.text, "\r\n");
	if (!n)
		diagnose(b->diagnostics, y->at, "%s: %s is empty", k->name, file.path);
	*(char **)to = key_copy(b, (struct span){ file.text, n });
}

static const struct key_type key_password = { password_bind, kafka_text_preset, false,
					      "{ file: PATH }" };

/* --- sections --- */

/* librdkafka treats an empty file as none, and would trust the system's authorities. */
static void complain_if_empty(struct binder *b, const char *name, const struct key_file_value *f)
{
	if (f->path && !*f->text)
		diagnose(b->diagnostics, f->at, "%s: %s is empty", name, f->path);
}

static void check_kafka_tls(struct binder *b, const void *to)
{
	const struct config_kafka_tls *t = to;
	complain_if_empty(b, "ca", &t->ca);
	complain_if_empty(b, "certificate", &t->certificate);
	complain_if_empty(b, "key", &t->key);
	if (!t->certificate.path != !t->key.path)
		diagnose(b->diagnostics, t->head.at,
			 "tls: certificate and key belong together: one of them is missing");
}

#define AT(member) .offset = offsetof(struct config_kafka_tls, member)
static const struct key tls_keys[] = {
	{ "ca", &key_file, AT(ca) },
	{ "certificate", &key_file, AT(certificate) },
	{ "key", &key_file, AT(key) },
};
#undef AT
static const struct section tls_section = { KEYS(tls_keys), check_kafka_tls };

#define AT(member) .offset = offsetof(struct config_kafka_sasl, member)
static const struct key sasl_keys[] = {
	{ "mechanism", &key_choice, AT(mechanism), .words = mechanism_words,
	  .missing = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512" },
	{ "username", &key_text, AT(username), .missing = "the balancer's user name there" },
	{ "password_file", &key_password, AT(password), .missing = "the file with the password" },
};
#undef AT
static const struct section sasl_section = { KEYS(sasl_keys), NULL };

static void check_security(struct binder *b, const void *to)
{
	const struct config_kafka_security *s = to;
	if (s->sasl.head.at != NOWHERE && s->tls.head.at == NOWHERE)
		warn_at(b->diagnostics, s->sasl.head.at,
			"sasl: without tls%s anybody who can listen on the network",
			s->sasl.mechanism ? " the log's records are open to"
					  : " the password is open to");
}

#define AT(member) .offset = offsetof(struct config_kafka_security, member)
static const struct key security_keys[] = {
	{ "tls", &key_section, AT(tls), .section = &tls_section },
	{ "sasl", &key_section, AT(sasl), .section = &sasl_section },
};
#undef AT
static const struct section security_section = { KEYS(security_keys), check_security };

static void check_kafka(struct binder *b, const void *to)
{
	const struct config_kafka *k = to;
	if (!producer_is_built())
		diagnose(b->diagnostics, k->head.at,
			 "kafka: this program was built without librdkafka, and cannot send the "
			 "log to Kafka");
}

#define AT(member) .offset = offsetof(struct config_kafka, member)
static const struct key kafka_keys[] = {
	{ "brokers", &key_brokers, AT(brokers),
	  .missing = "some of the brokers, such as [ kafka-1:9092 ]" },
	{ "topic", &key_topic, AT(topic), .text = "logging-traffic-topic" },
	{ "compression", &key_choice, AT(compression), .words = compression_words },
	{ "acks", &key_choice, AT(acks), .words = acks_words },
	{ "client_id", &key_text, AT(client_id), .text = "crossfade" },
	{ "security", &key_section, AT(security), .section = &security_section },
};
#undef AT
const struct section kafka_section = { KEYS(kafka_keys), check_kafka };

/* --- the producer's configuration --- */

struct producer_config kafka_producer(const struct config_kafka *k)
{
	const struct config_kafka_tls *tls = &k->security.tls;
	const struct config_kafka_sasl *sasl = &k->security.sasl;
	struct producer_config c = {
		.brokers = k->brokers,
		.topic = k->topic,
		.client_id = k->client_id,
		.compression = compression_words[k->compression],
		.linger_ms = KAFKA_POLL_MS,
		.tls = { tls->head.at != NOWHERE, tls->ca.text, tls->certificate.text,
			 tls->key.text },
	};
	if (sasl->head.at != NOWHERE)
		c.sasl = (struct producer_sasl){ mechanism_words[sasl->mechanism], sasl->username,
						 sasl->password };
	return c;
}

void kafka_try(struct config *c)
{
	const struct config_kafka *k = &c->capture.kafka;
	char error[PRODUCER_ERROR_BYTES];
	if (c->capture.head.at == NOWHERE || k->head.at == NOWHERE)
		return;
	struct producer_config p = kafka_producer(k);
	if (!producer_try(&p, error))
		diagnose(&c->diagnostics, k->head.at, "kafka: %s", error);
}

static bool texts_differ(const char *a, const char *b)
{
	return (a && b) ? strcmp(a, b) != 0 : a != b;
}

bool kafka_differs(const struct config_kafka *a, const struct config_kafka *b)
{
	if (a->head.at == NOWHERE || b->head.at == NOWHERE)
		return (a->head.at == NOWHERE) != (b->head.at == NOWHERE);
	struct producer_config x = kafka_producer(a), y = kafka_producer(b);
	return texts_differ(x.brokers, y.brokers) || texts_differ(x.topic, y.topic) ||
	       texts_differ(x.client_id, y.client_id) ||
	       texts_differ(x.compression, y.compression) || x.tls.on != y.tls.on ||
	       texts_differ(x.tls.ca, y.tls.ca) ||
	       texts_differ(x.tls.certificate, y.tls.certificate) ||
	       texts_differ(x.tls.key, y.tls.key) ||
	       texts_differ(x.sasl.mechanism, y.sasl.mechanism) ||
	       texts_differ(x.sasl.username, y.sasl.username) ||
	       texts_differ(x.sasl.password, y.sasl.password);
}
