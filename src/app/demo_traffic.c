#include "app/demo_traffic.h"

#include <stdlib.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/fetch.h"
#include "base/bug.h"

/* Kept-alive connections, so that every worker gets some of it. */
#define CONNECTIONS 4
#define PAUSE_MS 20
/* Documents that are on both sides from the beginning, for reads. */
#define SEEDED 20

struct demo_traffic {
	const struct demo_stage *stage; /* borrowed */
	pthread_t thread;
	atomic_bool stopping;
	pthread_mutex_t lock;
	struct demo_counts counts; /* under it */
	struct fetch fetches[CONNECTIONS];
	unsigned long number; /* of requests so far */
};

static void count(struct demo_traffic *t, bool answered, const struct fetch_answer *a)
{
	pthread_mutex_lock(&t->lock);
	if (answered && a->status < 400 && !strcmp(a->watched, "source"))
		t->counts.answered[ARM_SOURCE]++;
	else if (answered && a->status < 400 && !strcmp(a->watched, "target"))
		t->counts.answered[ARM_TARGET]++;
	else {
		t->counts.failed++;
		snprintf(t->counts.failure, sizeof t->counts.failure, "status %ld %.200s",
			 a->status, a->error);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Three reads, then a write. */
static void send_one(struct demo_traffic *t)
{
	char url[128], body[128];
	unsigned long n = t->number++;
	bool writes = n % 4 == 3;
	struct fetch_answer a;
	snprintf(url, sizeof url, "https://127.0.0.1:%u/demo/_doc/%s%lu",
		 t->stage->ports[DEMO_WEIGHTED], writes ? "live-" : "", writes ? n : n % SEEDED);
	snprintf(body, sizeof body, "{\"number\":%lu,\"text\":\"written while the weights move\"}",
		 n);
	struct fetch_request r = {
		.method = writes ? "PUT" : "GET",
		.url = url,
		.body = writes ? body : NULL,
		.headers = { writes ? "Content-Type: application/json" : NULL },
		.trust = t->stage->certificate,
		.timeout_s = 10,
		.watch = "X-Demo-Cluster",
	};
	bool answered = fetch_do(&t->fetches[n % CONNECTIONS], &r, &a);
	count(t, answered, &a);
	fetch_answer_free(&a);
}

static void *run(void *arg)
{
	struct demo_traffic *t = arg;
	while (!atomic_load(&t->stopping)) {
		send_one(t);
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
	}
	return NULL;
}

static char *seed_body(void)
{
	size_t n;
	char *text;
	FILE *to = open_memstream(&text, &n);
	must(to);
	for (int i = 0; i < SEEDED; i++)
		fprintf(to,
			"{\"index\":{\"_index\":\"demo\",\"_id\":\"%d\"}}\n"
			"{\"number\":%d,\"text\":\"on both sides from the beginning\"}\n",
			i, i);
	fclose(to);
	return text;
}

static bool seed(struct demo_traffic *t, enum demo_port port)
{
	char url[64], *body = seed_body();
	struct fetch_answer a;
	snprintf(url, sizeof url, "https://127.0.0.1:%u/_bulk", t->stage->ports[port]);
	struct fetch_request r = {
		.method = "POST",
		.url = url,
		.body = body,
		.headers = { "Content-Type: application/x-ndjson" },
		.trust = t->stage->certificate,
		.timeout_s = 10,
	};
	bool good = fetch_do(&t->fetches[0], &r, &a) && a.status == 200;
	if (!good)
		fprintf(stderr, "crossfade demo: %s: status %ld %s\n", url, a.status, a.error);
	fetch_answer_free(&a);
	free(body);
	return good;
}

static void traffic_free(struct demo_traffic *t)
{
	for (int i = 0; i < CONNECTIONS; i++)
		fetch_close(&t->fetches[i]);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct demo_traffic *demo_traffic_start(const struct demo_stage *s)
{
	struct demo_traffic *t = calloc(1, sizeof *t);
	must(t);
	t->stage = s;
	pthread_mutex_init(&t->lock, NULL);
	for (int i = 0; i < CONNECTIONS; i++)
		fetch_open(&t->fetches[i]);
	if (seed(t, DEMO_SOURCE) && seed(t, DEMO_TARGET) &&
	    pthread_create(&t->thread, NULL, run, t) == 0)
		return t;
	traffic_free(t);
	return NULL;
}

void demo_traffic_stop(struct demo_traffic *t)
{
	atomic_store(&t->stopping, true);
	pthread_join(t->thread, NULL);
	traffic_free(t);
}

struct demo_counts demo_traffic_counts(struct demo_traffic *t)
{
	pthread_mutex_lock(&t->lock);
	struct demo_counts c = t->counts;
	pthread_mutex_unlock(&t->lock);
	return c;
}
