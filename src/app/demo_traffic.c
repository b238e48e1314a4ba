#include "app/demo_traffic.h"

#include <stdlib.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/fetch.h"
#include "base/bug.h"

/* Several kept-alive connections, so that every worker gets some of the requests. */
#define CONNECTIONS 4
#define PAUSE_MS 20

struct demo_traffic {
	const struct demo_stage *stage; /* borrowed */
	pthread_t thread;
	atomic_bool stopping;
	pthread_mutex_t lock;
	struct demo_counts counts; /* guarded by `lock` */
	struct fetch fetches[CONNECTIONS];
	unsigned long number; /* how many requests were sent */
};

static void traffic_count(struct demo_traffic *t, bool responded, const struct fetch_response *a)
{
	pthread_mutex_lock(&t->lock);
	if (responded && a->status < 400 && !strcmp(a->watched, "source"))
		t->counts.responded[ARM_SOURCE]++;
	else if (responded && a->status < 400 && !strcmp(a->watched, "target"))
		t->counts.responded[ARM_TARGET]++;
	else {
		t->counts.failed++;
		snprintf(t->counts.failure, sizeof t->counts.failure, "status %ld %.200s",
			 a->status, a->error);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Sends three reads, then a write, and so on. */
static void traffic_send_one(struct demo_traffic *t)
{
	char url[128], body[128];
	unsigned long n = t->number++;
	bool writes = n % 4 == 3;
	struct fetch_response a;
	snprintf(url, sizeof url, "https://127.0.0.1:%u/demo/_doc/%s%lu",
		 t->stage->ports[DEMO_WEIGHTED], writes ? "live-" : "",
		 writes ? n : n % DEMO_SEEDED);
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
	bool responded = fetch_do(&t->fetches[n % CONNECTIONS], &r, &a);
	traffic_count(t, responded, &a);
	fetch_response_free(&a);
}

static void *traffic_run(void *arg)
{
	struct demo_traffic *t = arg;
	while (!atomic_load(&t->stopping)) {
		traffic_send_one(t);
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
	for (int i = 0; i < DEMO_SEEDED; i++)
		fprintf(to,
			"{\"index\":{\"_index\":\"demo\",\"_id\":\"%d\"}}\n"
			"{\"number\":%d,\"text\":\"there from the beginning\"}\n",
			i, i);
	fclose(to);
	return text;
}

static bool traffic_seed(struct demo_traffic *t)
{
	char url[64], *body = seed_body();
	struct fetch_response a;
	snprintf(url, sizeof url, "https://127.0.0.1:%u/_bulk", t->stage->ports[DEMO_SOURCE]);
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
	fetch_response_free(&a);
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
	if (traffic_seed(t) && pthread_create(&t->thread, NULL, traffic_run, t) == 0)
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
