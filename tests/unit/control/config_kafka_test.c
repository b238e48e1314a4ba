#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/config_kafka.h"
#include "control/config_read.h"
#include "unit/control/kit.h"

#define CAPTURE(more) KIT_CONFIG "capture: { directory: c, " more " }\n"
#define KAFKA(more) CAPTURE("kafka: { brokers: [ k:9092 ], " more " }")

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ CAPTURE("kafka: {}"),
		  "brokers: is missing: some of the brokers, such as [ kafka-1:9092 ]" },
		{ CAPTURE("kafka: { brokers: [] }"),
		  "brokers: a list is expected, such as [ kafka-1:9092 ]" },
		{ CAPTURE("kafka: { brokers: k:9092 }"),
		  "brokers: a list is expected, such as [ kafka-1:9092 ]" },
		{ CAPTURE("kafka: { brokers: [ k ] }"), "brokers: 'k' is not HOST:PORT" },
		{ CAPTURE("kafka: { brokers: [ 'k:0' ] }"), "brokers: 'k:0' is not HOST:PORT" },
		{ CAPTURE("kafka: { brokers: [ 'k:65536' ] }"),
		  "brokers: 'k:65536' is not HOST:PORT" },
		{ CAPTURE("kafka: { brokers: [ 'a:1,b:2' ] }"),
		  "brokers: 'a:1,b:2' is not HOST:PORT" },
		{ KAFKA("topic: a/b"),
		  "topic: 'a/b' is not a topic name: at most 249 letters, digits, dots, - and _" },
		{ KAFKA("acks: 1"), "acks: unknown value '1'; it can be: all" },
		{ KAFKA("compression: brotli"),
		  "compression: unknown value 'brotli'; it can be: none, gzip, lz4, zstd, snappy" },
		{ KAFKA("brokrs: 1"), "unknown key 'brokrs'; did you mean 'brokers'?" },
		{ KAFKA("security: { sasl: { mechanism: PLAIN, username: u } }"),
		  "password_file: is missing: the file with the password" },
		{ KAFKA("security: { sasl: { mechanism: PLAIN, username: u, "
			"password_file: /proc/version } }"),
		  "password_file: /proc/version is empty" },
		{ KAFKA("security: { tls: { ca: /nowhere } }"),
		  "ca: cannot read /nowhere: No such file or directory" },
		{ KAFKA("security: { tls: { ca: /proc/version } }"), "ca: /proc/version is empty" },
		{ KAFKA("security: { tls: { key: /etc/passwd } }"),
		  "tls: certificate and key belong together: one of them is missing" },
		{ CAPTURE("durable_at: kafka"),
		  "capture: durable_at: kafka needs a section kafka" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config *c = config_open_text("f", "", span_of(rows[i].text));
		assert_int_equal(c->diagnostics.n, 1);
		assert_string_equal(c->diagnostics.list[0].message, rows[i].message);
		config_close(c);
	}
}

static void what_the_producer_gets_is_what_was_said(void **state)
{
	(void)state;
	struct config *c =
		kit_config(CAPTURE("kafka: { brokers: [ 'a:1', '[::1]:2' ], compression: zstd }"));
	assert_int_equal(c->diagnostics.n, 0);
	struct producer_config p = kafka_producer(&c->capture.kafka);
	assert_string_equal(p.brokers, "a:1,[::1]:2");
	assert_string_equal(p.topic, "logging-traffic-topic");
	assert_string_equal(p.client_id, "crossfade");
	assert_string_equal(p.compression, "zstd");
	assert_false(p.tls.on);
	assert_null(p.sasl.mechanism);
	config_close(c);
	c = kit_config(KAFKA("security: { tls: {} }"));
	assert_true(kafka_producer(&c->capture.kafka).tls.on);
	config_close(c);
}

/* The first line of the file, without its end. */
static void a_password_is_a_line(void **state)
{
	(void)state;
	char path[] = "/tmp/password-XXXXXX", text[1024];
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "sesame\n", 7), 7);
	close(fd);
	snprintf(text, sizeof text,
		 KAFKA("security: { sasl: { mechanism: SCRAM-SHA-512, username: u, "
		       "password_file: %s } }"),
		 path);
	struct config *c = kit_config(text);
	assert_int_equal(c->diagnostics.n, 0);
	assert_int_equal(c->diagnostics.warning_n, 1);
	struct producer_config p = kafka_producer(&c->capture.kafka);
	assert_string_equal(p.sasl.password, "sesame");
	assert_string_equal(p.sasl.mechanism, "SCRAM-SHA-512");
	assert_false(kafka_differs(&c->capture.kafka, &c->capture.kafka));
	config_close(c);
	unlink(path);
}

static void a_certificate_that_is_none_is_complained_about(void **state)
{
	(void)state;
	struct config *c = kit_config(KAFKA("security: { tls: { ca: /etc/passwd } }"));
	assert_int_equal(c->diagnostics.n, 0);
	kafka_try(c);
	assert_int_equal(c->diagnostics.n, 1);
	assert_non_null(strstr(c->diagnostics.list[0].message, "kafka: "));
	config_close(c);
	c = kit_config(KAFKA("compression: lz4"));
	kafka_try(c);
	assert_int_equal(c->diagnostics.n, 0);
	config_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(what_the_producer_gets_is_what_was_said),
		cmocka_unit_test(a_password_is_a_line),
		cmocka_unit_test(a_certificate_that_is_none_is_complained_about),
	};
	/* Without the library there is one diagnostic, whatever is said. */
	if (!producer_is_built())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
