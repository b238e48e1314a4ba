#include "unit/http/kit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/stream.h"

/* A party that writes down what it is told. */
struct party {
	struct stream stream;
	char heard[256];
	size_t bytes;
};

struct talk {
	struct kit kit;
	struct party client, cluster;
	struct msg request, response, interim, trailers;
};

static void hear(struct stream *to, const char *what, bool end)
{
	struct party *p = (struct party *)to;
	size_t n = strlen(p->heard);
	snprintf(p->heard + n, sizeof p->heard - n, "%s%s%s", n ? " " : "", what, end ? "." : "");
}

static void on_head(struct stream *to, struct msg *m, bool end)
{
	hear(to, m->kind == MSG_RESPONSE && m->status < 200 ? "interim" : "head", end);
}

static void on_data(struct stream *to, struct chain *c, bool end)
{
	((struct party *)to)->bytes += c->bytes;
	chain_drop(c);
	hear(to, "data", end);
}

static void on_trailers(struct stream *to, struct msg *m)
{
	(void)m;
	hear(to, "trailers", true);
}

static void on_grant(struct stream *to, size_t bytes)
{
	(void)bytes;
	hear(to, "grant", false);
}

static void on_abort(struct stream *to, enum stream_way way, enum err why)
{
	(void)why;
	hear(to, way == STREAM_RESET ? "reset" : "stop", true);
}

static const struct stream_verbs verbs = {
	.head = on_head,
	.data = on_data,
	.trailers = on_trailers,
	.grant = on_grant,
	.abort = on_abort,
};

static void talk_open(struct talk *t)
{
	memset(t, 0, sizeof *t);
	kit_open(&t->kit);
	stream_init(&t->client.stream, &verbs, "client");
	stream_init(&t->cluster.stream, &verbs, "cluster");
	stream_join(&t->client.stream, &t->cluster.stream);
	msg_open(&t->request, &t->kit.arena, MSG_REQUEST);
	msg_set_request(&t->request, SPAN("POST"), SPAN("/"));
	t->request.body = BODY_UNKNOWN;
	msg_open(&t->response, &t->kit.arena, MSG_RESPONSE);
	msg_set_status(&t->response, 200, SPAN("OK"));
	msg_open(&t->interim, &t->kit.arena, MSG_RESPONSE);
	msg_set_status(&t->interim, 103, SPAN(""));
	msg_open(&t->trailers, &t->kit.arena, MSG_TRAILERS);
}

static void talk_close(struct talk *t)
{
	kit_close(&t->kit);
}

static void say_data(struct talk *t, struct stream *to, size_t n, bool end)
{
	struct chain c = { 0 };
	char bytes[64] = { 0 };
	chain_copy_in(&c, &t->kit.bufs, bytes, n);
	stream_data(to, &c, end);
}

static void an_exchange_is_over_when_both_directions_are_closed(void **state)
{
	(void)state;
	struct talk t;
	talk_open(&t);
	struct stream *client = &t.client.stream, *cluster = &t.cluster.stream;
	stream_head(cluster, &t.request, false);
	stream_grant(client, 10);
	say_data(&t, cluster, 10, false);
	stream_grant(client, 5);
	say_data(&t, cluster, 3, true);
	assert_false(stream_sends(client));
	assert_true(stream_receives(client));
	stream_head(client, &t.interim, false);
	stream_head(client, &t.interim, false);
	stream_head(client, &t.response, false);
	stream_grant(cluster, 1);
	say_data(&t, client, 1, false);
	assert_false(stream_over(client) || stream_over(cluster));
	stream_trailers(client, &t.trailers);
	assert_true(stream_over(client) && stream_over(cluster));
	assert_string_equal(t.cluster.heard, "head data data. grant");
	assert_string_equal(t.client.heard, "grant grant interim interim head data trailers.");
	assert_int_equal(t.cluster.bytes, 13);
	assert_int_equal(cluster->credit, 2);
	talk_close(&t);
}

static void the_end_needs_no_credit(void **state)
{
	(void)state;
	struct talk t;
	talk_open(&t);
	stream_head(&t.cluster.stream, &t.request, false);
	say_data(&t, &t.cluster.stream, 0, true);
	stream_head(&t.client.stream, &t.response, true);
	assert_true(stream_over(&t.client.stream));
	assert_string_equal(t.cluster.heard, "head data.");
	talk_close(&t);
}

static void a_reset_closes_the_direction_toward_it_and_a_stop_the_other(void **state)
{
	(void)state;
	struct talk t;
	talk_open(&t);
	struct stream *client = &t.client.stream, *cluster = &t.cluster.stream;
	stream_head(cluster, &t.request, false);
	stream_head(client, &t.response, true);
	stream_abort(client, STREAM_STOP, ERR_CANCELED);
	assert_true(stream_over(client) && stream_over(cluster));
	assert_string_equal(t.client.heard, "head. stop.");

	stream_join(client, cluster);
	stream_head(cluster, &t.request, false);
	stream_abort(cluster, STREAM_RESET, ERR_PEER_RESET);
	assert_true(stream_receives(client) && !stream_receives(cluster));
	stream_abort(cluster, STREAM_STOP, ERR_CANCELED);
	assert_true(stream_over(client) && stream_over(cluster));
	talk_close(&t);
}

struct traced {
	struct stream_tracer tracer;
	char text[128];
};

static void on_said(const struct stream_tracer *t, const struct stream *to, const char *verb,
		    unsigned long long number, bool end)
{
	struct traced *traced = (struct traced *)(uintptr_t)t;
	size_t n = strlen(traced->text);
	snprintf(traced->text + n, sizeof traced->text - n, "%s>%s(%llu)%s ", to->name, verb,
		 number, end ? "." : "");
}

static void a_tracer_hears_every_word(void **state)
{
	(void)state;
	struct talk t;
	talk_open(&t);
	struct traced traced = { .tracer = { on_said } };
	struct stream *client = &t.client.stream, *cluster = &t.cluster.stream;
	client->tracer = cluster->tracer = &traced.tracer;
	stream_head(cluster, &t.request, false);
	stream_grant(client, 7);
	say_data(&t, cluster, 7, true);
	stream_head(client, &t.response, false);
	stream_abort(client, STREAM_RESET, ERR_NONE);
	assert_string_equal(traced.text,
			    "cluster>head(0) client>grant(7) cluster>data(7). client>head(200) "
			    "client>reset(0). ");
	talk_close(&t);
}

/* --- broken promises: each ends the process --- */

static void data_before_the_head(struct talk *t)
{
	stream_grant(&t->client.stream, 1);
	say_data(t, &t->cluster.stream, 1, false);
}

static void data_without_credit(struct talk *t)
{
	stream_head(&t->cluster.stream, &t->request, false);
	stream_grant(&t->client.stream, 4);
	say_data(t, &t->cluster.stream, 5, false);
}

static void data_that_is_none(struct talk *t)
{
	stream_head(&t->cluster.stream, &t->request, false);
	say_data(t, &t->cluster.stream, 0, false);
}

static void data_behind_the_end(struct talk *t)
{
	stream_head(&t->cluster.stream, &t->request, true);
	say_data(t, &t->cluster.stream, 0, true);
}

static void a_second_request(struct talk *t)
{
	stream_head(&t->cluster.stream, &t->request, false);
	stream_head(&t->cluster.stream, &t->request, false);
}

static void an_interim_response_that_ends(struct talk *t)
{
	stream_head(&t->client.stream, &t->interim, true);
}

static void a_length_without_its_body(struct talk *t)
{
	msg_set_length(&t->request, 5);
	stream_head(&t->cluster.stream, &t->request, true);
}

static void trailers_behind_the_end(struct talk *t)
{
	stream_head(&t->cluster.stream, &t->request, true);
	stream_trailers(&t->cluster.stream, &t->trailers);
}

static void trailers_that_are_a_head(struct talk *t)
{
	stream_head(&t->client.stream, &t->response, false);
	stream_trailers(&t->client.stream, &t->response);
}

static void too_much_credit(struct talk *t)
{
	stream_grant(&t->client.stream, STREAM_CREDIT_BYTES);
	stream_grant(&t->client.stream, 1);
}

static void credit_behind_the_end(struct talk *t)
{
	stream_head(&t->cluster.stream, &t->request, true);
	stream_grant(&t->client.stream, 1);
}

static void an_abort_of_what_is_over(struct talk *t)
{
	stream_head(&t->cluster.stream, &t->request, true);
	stream_abort(&t->cluster.stream, STREAM_RESET, ERR_CANCELED);
}

static void a_join_in_the_midst(struct talk *t)
{
	stream_join(&t->client.stream, &t->cluster.stream);
}

static void assert_dies(void (*wrong)(struct talk *))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct talk t;
		/* Its last words are expected, and a core of them is not. */
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		talk_open(&t);
		wrong(&t);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void whoever_breaks_the_order_ends_the_process(void **state)
{
	(void)state;
	assert_dies(data_before_the_head);
	assert_dies(data_behind_the_end);
	assert_dies(data_that_is_none);
	assert_dies(a_second_request);
	assert_dies(an_interim_response_that_ends);
	assert_dies(a_length_without_its_body);
	assert_dies(trailers_behind_the_end);
	assert_dies(trailers_that_are_a_head);
	assert_dies(an_abort_of_what_is_over);
	assert_dies(a_join_in_the_midst);
}

static void whoever_exceeds_credit_ends_the_process(void **state)
{
	(void)state;
	assert_dies(data_without_credit);
	assert_dies(too_much_credit);
	assert_dies(credit_behind_the_end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_is_over_when_both_directions_are_closed),
		cmocka_unit_test(the_end_needs_no_credit),
		cmocka_unit_test(a_reset_closes_the_direction_toward_it_and_a_stop_the_other),
		cmocka_unit_test(a_tracer_hears_every_word),
		cmocka_unit_test(whoever_breaks_the_order_ends_the_process),
		cmocka_unit_test(whoever_exceeds_credit_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
