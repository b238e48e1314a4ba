#include "replay_sim/document_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "app/sample_settings.h"
#include "app/sample_write.h"
#include "replay_sim/world.h"

/* A connection of the balancer, and the request on it. */
struct cluster_conn {
	struct document_cluster *cluster;
	struct peer peer;
	struct message in;
	struct list link;
	struct cluster_job *job; /* NULL: none is under way */
	bool breaks;		 /* reset when the bytes are sent */
};

/* A request that is under way. */
struct cluster_job {
	struct document_cluster *cluster;
	struct cluster_conn *conn; /* NULL: nobody waits for it */
	struct list link;
	struct timer due;
	struct sample_task task;
	enum method method;
	char verb[8];
	bool ours, loses, holds;
	bool acted; /* the response is in `said` */
	unsigned status;
	struct text said;		     /* owned */
	struct text target, body, opaque_id; /* owned */
};

static struct dice *cluster_dice(struct document_cluster *c)
{
	return &c->world->cluster_dice;
}

static void cluster_set_timer(struct document_cluster *c, struct timer *t, uint64_t ms)
{
	timer_set(&c->world->wheel, t, world_now_ms(c->world) + ms);
}

/* --- requests --- */

static void job_free(struct cluster_job *j)
{
	timer_clear(&j->due);
	list_remove(&j->link);
	list_remove(&j->task.link);
	if (j->conn)
		j->conn->job = NULL;
	text_drop(&j->target);
	text_drop(&j->body);
	text_drop(&j->opaque_id);
	text_drop(&j->said);
	free(j);
}

static void conn_break(struct cluster_conn *v)
{
	peer_close(&v->peer, true);
}

static struct sample_call job_call(const struct cluster_job *j)
{
	struct span target = { j->target.at, j->target.n };
	const char *mark = memchr(target.at, '?', target.n);
	size_t n = mark ? (size_t)(mark - target.at) : target.n;
	struct sample_call c = { .cluster = &j->cluster->sample,
				 .method = j->method,
				 .path = { target.at, n },
				 .query = { mark ? mark + 1 : "", mark ? target.n - n - 1 : 0 },
				 .body = { j->body.at ? j->body.at : "", j->body.n } };
	if (j->opaque_id.n)
		c.opaque_id = (struct span){ j->opaque_id.at, j->opaque_id.n };
	return c;
}

static void conn_respond(struct cluster_conn *v, enum method method, unsigned status,
			 struct span body)
{
	text_print(&v->peer.out,
		   "HTTP/1.1 %u Simulated\r\ncontent-type: application/json\r\n"
		   "content-length: %zu\r\n\r\n",
		   status, body.n);
	if (method != METHOD_HEAD)
		text_add(&v->peer.out, body.at, body.n);
	peer_say(&v->peer);
}

static void conn_take(struct cluster_conn *v);

static void conn_next(struct cluster_conn *v)
{
	if (message_next(&v->in))
		conn_take(v);
}

static void job_respond(struct cluster_job *j)
{
	struct cluster_conn *v = j->conn;
	bool loses = j->loses;
	if (v && loses)
		conn_break(v);
	else if (v)
		conn_respond(v, j->method, j->status, (struct span){ j->said.at, j->said.n });
	job_free(j);
	if (v && !loses)
		conn_next(v);
}

static void job_tell(const struct cluster_job *j)
{
	const struct world *w = j->cluster->world;
	world_tell(w, "%s %s %.*s -> %u%s%s", world_arm_name(j->cluster->arm), j->verb,
		   (int)j->target.n, j->target.at, j->status, j->conn ? "" : ", and nobody waits",
		   j->loses ? ", and the response is lost" : "");
	world_tell_text(w, "    asked", (struct span){ j->body.at, j->body.n });
	world_tell_text(w, "    said ", (struct span){ j->said.at, j->said.n });
}

/* It is done now. */
static void job_act(struct cluster_job *j)
{
	struct document_cluster *c = j->cluster;
	struct sample_call call = job_call(j);
	list_remove(&j->task.link);
	c->sample.store.now_ms = world_wall_ns(c->world) / 1000000;
	c->late_acts += !j->conn;
	sample_serve(&c->sample, &call);
	j->acted = true;
	j->status = call.status;
	text_add(&j->said, call.text.at, call.text.n);
	sample_text_free(&call.text);
	job_tell(j);
	if (j->holds)
		cluster_set_timer(c, &j->due,
				  1 + dice_size(cluster_dice(c), c->faults.slow_ms_max));
	else
		job_respond(j);
}

static void job_is_due(struct timer *t)
{
	struct cluster_job *j = list_entry(t, struct cluster_job, due);
	if (j->acted)
		job_respond(j);
	else
		job_act(j);
}

/* Nobody waits any more. A slow request is done all the same, where requests may be late. */
static void job_leave(struct cluster_job *j)
{
	struct document_cluster *c = j->cluster;
	j->conn->job = NULL;
	j->conn = NULL;
	if (j->acted || !c->faults.late || !timer_is_set(&j->due)) {
		job_free(j);
		return;
	}
	uint64_t left = j->due.due_ms - world_now_ms(c->world);
	if (left > c->faults.late_ms_max)
		cluster_set_timer(c, &j->due, dice_roll(cluster_dice(c), c->faults.late_ms_max));
}

/* --- what goes wrong --- */

static void job_refuse(struct cluster_job *j)
{
	static const unsigned statuses[] = { 429, 503, 403 };
	unsigned status = dice_pick(cluster_dice(j->cluster), statuses);
	struct cluster_conn *v = j->conn;
	struct span body = SPAN("{\"error\":{\"type\":\"cluster_block_exception\",\"reason\":\"the "
				"model refuses\"},\"status\":503}");
	world_tell(j->cluster->world, "%s refuses %.*s with %u", world_arm_name(j->cluster->arm),
		   (int)j->target.n, j->target.at, status);
	conn_respond(v, j->method, status, body);
	job_free(j);
	conn_next(v);
}

static void job_break(struct cluster_job *j)
{
	struct cluster_conn *v = j->conn;
	world_tell(j->cluster->world, "%s breaks %.*s", world_arm_name(j->cluster->arm),
		   (int)j->target.n, j->target.at);
	job_free(j);
	conn_break(v);
}

static void job_become_late(struct cluster_job *j)
{
	struct document_cluster *c = j->cluster;
	struct cluster_conn *v = j->conn;
	cluster_set_timer(c, &j->due, 1 + dice_size(cluster_dice(c), c->faults.late_ms_max));
	world_tell(c->world, "%s breaks %.*s, and acts in %llu ms", world_arm_name(c->arm),
		   (int)j->target.n, j->target.at,
		   (unsigned long long)(j->due.due_ms - world_now_ms(c->world)));
	v->job = NULL;
	j->conn = NULL;
	conn_break(v);
}

static void job_begin(struct cluster_job *j)
{
	struct document_cluster *c = j->cluster;
	struct dice *d = cluster_dice(c);
	const struct cluster_faults *f = &c->faults;
	struct sample_call call = job_call(j);
	if (sample_read_path(&call) && sample_writes(&call)) {
		j->task.id = ++c->sample.task_id;
		j->task.began_ms = world_wall_ns(c->world) / 1000000;
		j->task.action = sample_writes(&call);
		j->task.opaque_id = call.opaque_id;
		list_add_tail(&c->sample.tasks, &j->task.link);
	}
	if (dice_chance(d, f->refuses))
		job_refuse(j);
	else if (dice_chance(d, f->breaks))
		job_break(j);
	else if (dice_chance(d, f->late))
		job_become_late(j);
	else {
		j->loses = dice_chance(d, f->loses);
		j->holds = dice_chance(d, f->holds);
		if (dice_chance(d, f->slow))
			cluster_set_timer(c, &j->due, 1 + dice_size(d, f->slow_ms_max));
		else
			job_act(j);
	}
}

/* --- connections --- */

static void job_take_span(struct text *to, struct span s)
{
	text_add(to, s.at, s.n);
}

static void conn_take(struct cluster_conn *v)
{
	struct document_cluster *c = v->cluster;
	struct cluster_job *j = calloc(1, sizeof *j);
	must(j && !v->job);
	*j = (struct cluster_job){ .cluster = c,
				   .conn = v,
				   .method = method_find(message_word(&v->in, 0)),
				   .ours = !message_field(&v->in, "x-client").at };
	struct span verb = message_word(&v->in, 0);
	snprintf(j->verb, sizeof j->verb, "%.*s", (int)verb.n, verb.at);
	v->job = j;
	timer_init(&j->due, job_is_due);
	list_init(&j->task.link);
	list_add_tail(&c->jobs, &j->link);
	job_take_span(&j->target, message_word(&v->in, 1));
	job_take_span(&j->body, (struct span){ v->in.body.at, v->in.body.n });
	job_take_span(&j->opaque_id, message_field(&v->in, "x-opaque-id"));
	c->requests++;
	judge_request(c->world, c->arm, j->ours, j->method,
		      (struct span){ j->target.at, j->target.n });
	job_begin(j);
}

static void conn_heard(struct peer *p, const uint8_t *bytes, size_t n)
{
	struct cluster_conn *v = list_entry(p, struct cluster_conn, peer);
	if (message_hear(&v->in, bytes, n) && !v->job)
		conn_take(v);
}

static void conn_finished(struct peer *p)
{
	struct cluster_conn *v = list_entry(p, struct cluster_conn, peer);
	if (v->job)
		job_leave(v->job);
	peer_close(p, false);
}

static void conn_broken(struct peer *p)
{
	struct cluster_conn *v = list_entry(p, struct cluster_conn, peer);
	if (v->job)
		job_leave(v->job);
}

static void conn_gone(struct peer *p)
{
	struct cluster_conn *v = list_entry(p, struct cluster_conn, peer);
	if (v->job)
		job_leave(v->job);
	message_close(&v->in);
	list_remove(&v->link);
	free(v);
}

static const struct peer_user conn_user = {
	.heard = conn_heard, .finished = conn_finished, .broken = conn_broken, .gone = conn_gone
};

static void cluster_stop_listening(struct document_cluster *c)
{
	if (c->sock)
		io_close(c->io, c->sock, false);
	c->sock = NULL;
}

static void cluster_accepted(struct io_op *op)
{
	struct document_cluster *c = list_entry(op, struct document_cluster, accept);
	if (!op->result) {
		struct cluster_conn *v = calloc(1, sizeof *v);
		must(v);
		v->cluster = c;
		list_add_tail(&c->conns, &v->link);
		peer_accept(&v->peer,
			    &(struct peer_means){ c->io, &c->world->wheel, cluster_dice(c) },
			    &conn_user, op->sock);
	}
	if (c->leaving)
		cluster_stop_listening(c);
	else
		io_accept(c->io, op, c->sock);
}

/* --- templates, and documents that are refused --- */

/* What is wrapped has no argument that could tell the world. */
static struct world *cluster_world;

struct sample_index *__real_sample_index_open(const char *name, const char *uuid, uint64_t now_ms,
					      uint64_t *bytes);
struct sample_index *__wrap_sample_index_open(const char *name, const char *uuid, uint64_t now_ms,
					      uint64_t *bytes);

void document_clusters_are_of(struct world *w)
{
	cluster_world = w;
}

struct sample_index *__wrap_sample_index_open(const char *name, const char *uuid, uint64_t now_ms,
					      uint64_t *bytes)
{
	struct sample_index *x = __real_sample_index_open(name, uuid, now_ms, bytes);
	unsigned shards = plot_shards(&cluster_world->plot, name);
	if (bytes != &cluster_world->clusters[ARM_SOURCE].sample.store.bytes || shards == 1)
		return x;
	json_t *settings = json_pack("{s:i}", "number_of_shards", (int)shards);
	sample_settings_merge(x->settings, settings);
	json_decref(settings);
	sample_settings_divide(x);
	return x;
}

bool document_cluster_may_refuse(struct span source)
{
	return source.n && memmem(source.at, source.n, PLOT_REFUSED, sizeof PLOT_REFUSED - 1);
}

void __real_sample_apply(struct sample_call *c, const struct sample_operation *o,
			 struct sample_result *r);
void __wrap_sample_apply(struct sample_call *c, const struct sample_operation *o,
			 struct sample_result *r);

void __wrap_sample_apply(struct sample_call *c, const struct sample_operation *o,
			 struct sample_result *r)
{
	const struct document_cluster *at = list_entry(c->cluster, struct document_cluster, sample);
	if (!at->refuses || !document_cluster_may_refuse(o->body)) {
		__real_sample_apply(c, o, r);
		return;
	}
	r->id = o->id;
	snprintf(r->index, sizeof r->index, "%.*s", (int)o->index.n, o->index.at);
	sample_refuse(&r->trouble, 400, "mapper_parsing_exception", "an analyzer is missing");
}

/* --- a life --- */

static void cluster_start(struct document_cluster *c)
{
	c->io = sim_io_open(c->world->sim, &c->bufs);
	c->sock = sim_listen(c->io, &c->at);
	io_op_init(&c->accept, cluster_accepted);
	io_accept(c->io, &c->accept, c->sock);
}

static void cluster_second(struct timer *t)
{
	struct document_cluster *c = list_entry(t, struct document_cluster, second);
	c->sample.store.now_ms = world_wall_ns(c->world) / 1000000;
	sample_store_second(&c->sample.store);
	cluster_set_timer(c, &c->second, 1000);
}

static void cluster_is_back(struct timer *t)
{
	struct document_cluster *c = list_entry(t, struct document_cluster, back);
	world_tell(c->world, "%s is back", world_arm_name(c->arm));
	for (size_t i = 0; i < c->sample.store.n; i++)
		c->sample.store.indices[i]->primary_term++;
	cluster_start(c);
}

void document_cluster_open(struct document_cluster *c, struct world *w, enum arm arm)
{
	*c = (struct document_cluster){ .world = w, .arm = arm };
	must(addr_parse(arm == ARM_SOURCE ? span_of("10.1.0.1") : span_of("10.1.0.2"), 9200,
			&c->at));
	sample_open(&c->sample, world_arm_name(arm));
	list_init(&c->conns);
	list_init(&c->jobs);
	bufs_open(&c->bufs);
	timer_init(&c->second, cluster_second);
	timer_init(&c->back, cluster_is_back);
	cluster_set_timer(c, &c->second, 1000);
	cluster_start(c);
}

void document_cluster_turn(struct document_cluster *c)
{
	if (!c->io)
		return;
	io_wait(c->io, UINT64_MAX);
	io_dispatch(c->io);
}

void document_cluster_crash(struct document_cluster *c, unsigned away_ms)
{
	if (!c->io || c->leaving)
		return;
	world_tell(c->world, "%s crashes for %u ms", world_arm_name(c->arm), away_ms);
	c->crashes++;
	list_each_safe(l, &c->jobs)
		job_free(list_entry(l, struct cluster_job, link));
	sim_crash(c->io);
	io_free(c->io);
	c->io = NULL;
	c->sock = NULL;
	list_each_safe(l, &c->conns) {
		struct cluster_conn *v = list_entry(l, struct cluster_conn, link);
		peer_forget(&v->peer);
		conn_gone(&v->peer);
	}
	cluster_set_timer(c, &c->back, away_ms);
}

bool document_cluster_is_quiet(const struct document_cluster *c)
{
	return c->io && list_empty(&c->jobs);
}

void document_cluster_leave(struct document_cluster *c)
{
	c->leaving = true;
	timer_clear(&c->second);
	io_cancel(c->io, &c->accept);
	list_each_safe(l, &c->conns)
		peer_close(&list_entry(l, struct cluster_conn, link)->peer, false);
}

bool document_cluster_has_left(const struct document_cluster *c)
{
	return c->leaving && !c->sock && list_empty(&c->conns);
}

void document_cluster_close(struct document_cluster *c)
{
	must(document_cluster_has_left(c));
	io_free(c->io);
	bufs_close(&c->bufs);
	sample_close(&c->sample);
}
