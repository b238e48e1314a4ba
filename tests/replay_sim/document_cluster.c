#include "replay_sim/document_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "sample/settings.h"
#include "sample/write.h"
#include "replay_sim/world.h"

/* A connection of the balancer, and the request on it. */
struct cluster_conn {
	struct cluster_node *node;
	struct peer peer;
	struct message in;
	struct list link;
	struct cluster_job *job; /* NULL: none is under way */
	bool breaks;		 /* reset when the bytes are sent */
};

/* A request that is under way. */
struct cluster_job {
	struct document_cluster *cluster;
	struct cluster_node *node; /* that has it */
	struct cluster_conn *conn; /* NULL: nobody waits for it */
	struct list link;
	struct timer due;
	struct sample_task task;
	enum method method;
	char verb[8];
	bool ours, loses, holds;
	bool begun; /* the node has read it */
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

/* A node that is stopped looks so often whether it goes on. */
#define STOPPED_LOOK_MS 50

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

/* A node that does not respond to the others is named in place of its tasks. */
static void job_tell_missed(struct cluster_job *j)
{
	const struct document_cluster *c = j->cluster;
	json_t *said = json_loadb(j->said.at, j->said.n, 0, NULL), *failures = json_array();
	for (unsigned i = 0; i < c->node_n; i++)
		if (c->nodes[i].missed)
			json_array_append_new(failures,
					      json_pack("{s:s}", "type", "failed_node_exception"));
	json_object_set_new(said, "node_failures", failures);
	char *text = json_dumps(said, JSON_COMPACT);
	j->said.n = 0;
	text_add(&j->said, text, strlen(text));
	free(text);
	json_decref(said);
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
	if (span_is(call.path, SPAN("/_tasks")))
		job_tell_missed(j);
	job_tell(j);
	if (j->holds)
		cluster_set_timer(c, &j->due,
				  1 + dice_size(cluster_dice(c), c->faults.slow_ms_max));
	else
		job_respond(j);
}

static void job_begin(struct cluster_job *j);

static void job_is_due(struct timer *t)
{
	struct cluster_job *j = list_entry(t, struct cluster_job, due);
	if (j->node->stopped)
		cluster_set_timer(j->cluster, t, STOPPED_LOOK_MS);
	else if (!j->begun && j->conn)
		job_begin(j);
	else if (j->acted)
		job_respond(j);
	else
		job_act(j);
}

/*
 * Nobody waits any more. A slow request is done all the same, where requests may be late; so is
 * what a node that is stopped has in its kernel.
 */
static void job_leave(struct cluster_job *j)
{
	struct document_cluster *c = j->cluster;
	j->conn->job = NULL;
	j->conn = NULL;
	if (j->node->stopped)
		return;
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
	j->begun = true;
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
	struct document_cluster *c = v->node->cluster;
	struct cluster_job *j = calloc(1, sizeof *j);
	must(j && !v->job);
	*j = (struct cluster_job){ .cluster = c,
				   .node = v->node,
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
	if (v->node->stopped)
		cluster_set_timer(c, &j->due, STOPPED_LOOK_MS);
	else
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

static void node_stop_listening(struct cluster_node *n)
{
	if (n->sock)
		io_close(n->io, n->sock, false);
	n->sock = NULL;
}

static void node_accepted(struct io_op *op)
{
	struct cluster_node *n = list_entry(op, struct cluster_node, accept);
	struct document_cluster *c = n->cluster;
	if (!op->result) {
		struct cluster_conn *v = calloc(1, sizeof *v);
		must(v);
		v->node = n;
		list_add_tail(&n->conns, &v->link);
		peer_accept(&v->peer,
			    &(struct peer_means){ n->io, &c->world->wheel, cluster_dice(c) },
			    &conn_user, op->sock);
	}
	if (c->leaving)
		node_stop_listening(n);
	else
		io_accept(n->io, op, n->sock);
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

/* --- nodes that are away --- */

/* Another node acts at the latest so long behind the crash of the one that had the request. */
#define OTHER_MS_MAX 60000
/* So long it may take until a health check finds how a node is. */
#define CHECK_MS 4000
/* A node that says nothing stays part of its cluster for so long: longer than CHECK_MS. */
#define PUT_OUT_MS 30000

static void node_start(struct cluster_node *n)
{
	n->io = sim_io_open(n->cluster->world->sim, &n->bufs);
	n->sock = sim_listen(n->io, &n->at);
	io_op_init(&n->accept, node_accepted);
	io_accept(n->io, &n->accept, n->sock);
}

static bool node_is_well(const struct cluster_node *n)
{
	return n->io && !n->stopped;
}

static void node_checked(struct timer *t)
{
	struct cluster_node *n = list_entry(t, struct cluster_node, check);
	atomic_store(&n->state->healthy, node_is_well(n));
}

/* It is another one from now on, and health checks find that out. */
static void node_changed(struct cluster_node *n)
{
	struct document_cluster *c = n->cluster;
	cluster_set_timer(c, &n->check, 1 + dice_roll(cluster_dice(c), CHECK_MS));
}

/* _tasks tells of a node that is part of the cluster. */
static void node_show_tasks(struct cluster_node *n, bool shown)
{
	list_each(l, &n->cluster->jobs) {
		struct cluster_job *j = list_entry(l, struct cluster_job, link);
		if (j->node != n || !j->task.action || j->acted)
			continue;
		list_remove(&j->task.link);
		if (shown)
			list_add_tail(&n->cluster->sample.tasks, &j->task.link);
	}
}

static void node_is_put_out(struct timer *t)
{
	struct cluster_node *n = list_entry(t, struct cluster_node, put_out);
	world_tell(n->cluster->world, "%s puts a node out", world_arm_name(n->cluster->arm));
	n->missed = false;
}

static void node_is_back(struct timer *t)
{
	struct cluster_node *n = list_entry(t, struct cluster_node, back);
	struct document_cluster *c = n->cluster;
	world_tell(c->world, "%s has its node back", world_arm_name(c->arm));
	timer_clear(&n->put_out);
	n->missed = false;
	node_changed(n);
	if (n->stopped) {
		n->stopped = false;
		node_show_tasks(n, true);
		return;
	}
	for (size_t i = 0; i < c->sample.store.n; i++)
		c->sample.store.indices[i]->primary_term++;
	node_start(n);
}

/* The other node, if there is one that is well. */
static struct cluster_node *node_other(struct cluster_node *n)
{
	struct document_cluster *c = n->cluster;
	for (unsigned i = 0; i < c->node_n; i++)
		if (&c->nodes[i] != n && node_is_well(&c->nodes[i]))
			return &c->nodes[i];
	return NULL;
}

/* What a node has under way when it crashes is gone; but another node may have its part. */
static void node_leave_job(struct cluster_node *n, struct cluster_job *j)
{
	struct document_cluster *c = n->cluster;
	struct cluster_node *other = node_other(n);
	if (!other || j->acted || !dice_chance(cluster_dice(c), 500)) {
		job_free(j);
		return;
	}
	if (j->conn)
		j->conn->job = NULL;
	j->conn = NULL;
	j->node = other;
	cluster_set_timer(c, &j->due, 1 + dice_size(cluster_dice(c), OTHER_MS_MAX));
}

void document_cluster_crash(struct document_cluster *c, unsigned away_ms)
{
	struct cluster_node *n = &c->nodes[dice_roll(cluster_dice(c), c->node_n)];
	if (!node_is_well(n) || c->leaving)
		return;
	world_tell(c->world, "%s crashes for %u ms", world_arm_name(c->arm), away_ms);
	c->crashes++;
	list_each_safe(l, &c->jobs) {
		struct cluster_job *j = list_entry(l, struct cluster_job, link);
		if (j->node == n)
			node_leave_job(n, j);
	}
	sim_crash(n->io);
	io_free(n->io);
	n->io = NULL;
	n->sock = NULL;
	list_each_safe(l, &n->conns) {
		struct cluster_conn *v = list_entry(l, struct cluster_conn, link);
		peer_forget(&v->peer);
		conn_gone(&v->peer);
	}
	node_changed(n);
	cluster_set_timer(c, &n->back, away_ms);
}

void document_cluster_stop(struct document_cluster *c, unsigned away_ms)
{
	struct cluster_node *n = &c->nodes[dice_roll(cluster_dice(c), c->node_n)];
	if (!node_is_well(n) || c->leaving)
		return;
	world_tell(c->world, "%s has a node stopped for %u ms", world_arm_name(c->arm), away_ms);
	c->stops++;
	n->stopped = n->missed = true;
	node_show_tasks(n, false);
	node_changed(n);
	cluster_set_timer(c, &n->put_out,
			  CHECK_MS + dice_size(cluster_dice(c), PUT_OUT_MS - CHECK_MS));
	cluster_set_timer(c, &n->back, away_ms);
}

/* --- a life --- */

static void cluster_second(struct timer *t)
{
	struct document_cluster *c = list_entry(t, struct document_cluster, second);
	c->sample.store.now_ms = world_wall_ns(c->world) / 1000000;
	sample_store_second(&c->sample.store);
	cluster_set_timer(c, &c->second, 1000);
}

static void node_open(struct cluster_node *n, struct document_cluster *c, unsigned number)
{
	char at[16];
	snprintf(at, sizeof at, "10.1.%u.%u", number, c->arm == ARM_SOURCE ? 1 : 2);
	n->cluster = c;
	must(addr_parse(span_of(at), 9200, &n->at));
	list_init(&n->conns);
	bufs_open(&n->bufs);
	timer_init(&n->back, node_is_back);
	timer_init(&n->put_out, node_is_put_out);
	timer_init(&n->check, node_checked);
	node_start(n);
}

void document_cluster_open(struct document_cluster *c, struct world *w, enum arm arm,
			   unsigned node_n)
{
	*c = (struct document_cluster){ .world = w, .arm = arm, .node_n = node_n };
	sample_open(&c->sample, world_arm_name(arm));
	list_init(&c->jobs);
	timer_init(&c->second, cluster_second);
	cluster_set_timer(c, &c->second, 1000);
	for (unsigned i = 0; i < node_n; i++)
		node_open(&c->nodes[i], c, i);
}

void document_cluster_is_checked(struct document_cluster *c, unsigned i, struct node_state *state)
{
	c->nodes[i].state = state;
	atomic_store(&state->healthy, true);
}

void document_cluster_turn(struct document_cluster *c)
{
	for (unsigned i = 0; i < c->node_n; i++) {
		struct cluster_node *n = &c->nodes[i];
		if (!n->io)
			continue;
		io_wait(n->io, UINT64_MAX);
		io_dispatch(n->io);
	}
}

bool document_cluster_is_quiet(const struct document_cluster *c)
{
	for (unsigned i = 0; i < c->node_n; i++)
		if (!node_is_well(&c->nodes[i]) || timer_is_set(&c->nodes[i].check))
			return false;
	return list_empty(&c->jobs);
}

void document_cluster_leave(struct document_cluster *c)
{
	c->leaving = true;
	timer_clear(&c->second);
	for (unsigned i = 0; i < c->node_n; i++) {
		struct cluster_node *n = &c->nodes[i];
		io_cancel(n->io, &n->accept);
		list_each_safe(l, &n->conns)
			peer_close(&list_entry(l, struct cluster_conn, link)->peer, false);
	}
}

bool document_cluster_has_left(const struct document_cluster *c)
{
	for (unsigned i = 0; i < c->node_n; i++)
		if (c->nodes[i].sock || !list_empty(&c->nodes[i].conns))
			return false;
	return c->leaving;
}

void document_cluster_close(struct document_cluster *c)
{
	must(document_cluster_has_left(c));
	for (unsigned i = 0; i < c->node_n; i++) {
		io_free(c->nodes[i].io);
		bufs_close(&c->nodes[i].bufs);
	}
	sample_close(&c->sample);
}
