#include "control/status.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/admin_body.h"
#include "control/metrics.h"
#include "control/replay_json.h"
#include "control/weights_json.h"

#define SUM(w, member) metrics_sum((w)->counters, (w)->n, offsetof(struct counters, member))

static json_t *status_integer(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* --- listeners --- */

static json_t *listener_json(const struct workers *w, const struct listener *l,
			     const struct config_address *a)
{
	size_t connections =
		offsetof(struct counters, connections_open[0]) + l->number * sizeof(counter);
	uint64_t requests = 0;
	for (int arm = 0; arm <= ARM_NONE; arm++)
		for (int class = 0; class < STATUS_CLASSES; class ++)
			requests +=
				metrics_sum(w->counters, w->n,
					    offsetof(struct counters, requests[0][arm][class]) +
						    l->number * sizeof w->counters->requests[0]);
	return json_pack("{s:s,s:s,s:b,s:o,s:o,s:o}", "name", l->name, "address", a->text, "tls",
			 l->tls != NULL, "connections",
			 status_integer(metrics_sum(w->counters, w->n, connections)),
			 "connections_max",
			 status_integer(l->connections_max ? l->connections_max : l->room),
			 "requests", status_integer(requests));
}

/* The plan's listeners are the addresses of the configuration, in the same order. */
static json_t *listeners_json(const struct workers *w)
{
	const struct plan *p = publisher_newest(&w->publisher);
	json_t *list = json_array();
	size_t i = 0;
	for (int k = 0; k < LISTENER_KINDS; k++)
		for (const struct config_address *a = w->config->listeners.kinds[k].addresses; a;
		     a = a->next)
			json_array_append_new(list, listener_json(w, &p->listeners[i++], a));
	return list;
}

/* --- clusters --- */

static json_t *latency_ms(const struct workers *w, int arm, double share)
{
	struct latency_seen l = { 0 };
	for (unsigned i = 0; i < w->n; i++)
		latency_see(&l, &w->counters[i].latency[arm]);
	uint64_t us = latency_quantile_us(&l, share);
	return us ? json_real((double)us / 1000) : json_null();
}

static uint64_t status_requests_of(const struct workers *w, int arm, int class)
{
	uint64_t n = 0;
	for (unsigned l = 0; l < LISTENERS_MAX; l++)
		n += SUM(w, requests[l][arm][class]);
	return n;
}

static json_t *classes_json(const uint64_t counts[STATUS_CLASSES])
{
	static const char *const names[STATUS_CLASSES] = { "unanswered", "1xx", "2xx",
							   "3xx",	 "4xx", "5xx" };
	json_t *j = json_object();
	uint64_t all = 0;
	for (int class = 0; class < STATUS_CLASSES; class ++)
		all += counts[class];
	json_object_set_new(j, "all", status_integer(all));
	for (int class = 0; class < STATUS_CLASSES; class ++)
		json_object_set_new(j, names[class], status_integer(counts[class]));
	return j;
}

static json_t *requests_json(const struct workers *w, int arm)
{
	uint64_t counts[STATUS_CLASSES];
	for (int class = 0; class < STATUS_CLASSES; class ++)
		counts[class] = status_requests_of(w, arm, class);
	return classes_json(counts);
}

/* Attempts at this node: a request that was sent to two nodes counts at both. */
static json_t *attempts_json(const struct workers *w, const struct node_record *n)
{
	uint64_t counts[STATUS_CLASSES];
	size_t first = offsetof(struct counters, nodes[0].attempts) +
		       n->state.number * sizeof(struct node_counters);
	for (size_t class = 0; class < STATUS_CLASSES; class ++)
		counts[class] = metrics_sum(w->counters, w->n, first + class * sizeof(counter));
	return classes_json(counts);
}

/* From two sets of buckets a client can compute quantiles for the time between them. */
static json_t *buckets_json(const struct workers *w, size_t offset)
{
	json_t *list = json_array();
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		json_array_append_new(list,
				      status_integer(metrics_sum(w->counters, w->n,
								 offset + b * sizeof(counter))));
	return list;
}

/* The last bucket has no bound. */
static json_t *bucket_bounds_json(void)
{
	json_t *list = json_array();
	for (unsigned b = 0; b + 1 < LATENCY_BUCKETS; b++)
		json_array_append_new(list, json_real((double)latency_bound_us(b) / 1000));
	return list;
}

/* NULL: the node is not drained. */
static json_t *drained_json(const struct workers *w, const struct node_record *n)
{
	char since[CLOCK_TEXT_BYTES];
	uint64_t now_ms = loop_now_ms(w->loop);
	bool going_on = node_duty(n) == DUTY_DRAINED && n->cut_at_ms > now_ms;
	if (node_duty(n) == DUTY_READY)
		return NULL;
	clock_text(n->drained_wall_ns, since);
	return json_pack("{s:s,s:o,s:o,s:o}", "since", since, "by",
			 admin_body_log_text(n->drained_by), "why",
			 admin_body_log_text(n->drained_why), "cut_in_ms",
			 status_integer(going_on ? n->cut_at_ms - now_ms : 0));
}

/* NULL: no worker has ejected the node. */
static json_t *ejected_json(const struct ejected *e)
{
	return e->workers ? json_pack("{s:i,s:s}", "by_workers", (int)e->workers, "why",
				      err_word(e->why))
			  : NULL;
}

/* One word for the node's state: the strongest one, when several apply. */
static const char *node_state_word(const struct node_record *n, const struct ejected *e)
{
	if (node_duty(n) != DUTY_READY)
		return "drained";
	if (!n->address_n)
		return "no_address";
	if (!node_is_healthy(n))
		return "unhealthy";
	return e->workers ? "ejected" : "healthy";
}

/* The checks of one of the node's addresses. */
static json_t *address_json(const struct node_record *n, unsigned place)
{
	const struct node_address *a = n->places[place];
	char at[ADDR_TEXT_BYTES];
	addr_text(&a->at, at);
	return json_pack("{s:s,s:b,s:b,s:s}", "address", at, "healthy",
			 !node_place_is_ill(n, place), "in_newest_look_up",
			 !(n->spare >> place & 1), "check", a->check);
}

static json_t *addresses_json(const struct node_record *n, bool facts)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++) {
		char at[ADDR_TEXT_BYTES];
		if (!n->places[i])
			continue;
		addr_text(&n->places[i]->at, at);
		json_array_append_new(list, facts ? address_json(n, i) : json_string(at));
	}
	return list;
}

static json_t *node_json(const struct workers *w, const struct node_record *n)
{
	struct ejected e = ejected_now(w->counters, w->n, n);
	size_t in_flight = offsetof(struct counters, nodes[0].in_flight) +
			   n->state.number * sizeof(struct node_counters);
	return json_pack("{s:s,s:s,s:b,s:I,s:o,s:o,s:o,s:s,s:{s:I,s:I,s:I},s:I,s:o*,s:o*}", "name",
			 n->name, "state", node_state_word(n, &e), "healthy", node_is_healthy(n),
			 "in_flight", (json_int_t)metrics_sum(w->counters, w->n, in_flight),
			 "requests", attempts_json(w, n), "addresses", addresses_json(n, false),
			 "address_checks", addresses_json(n, true), "check", node_check(n),
			 "checks", "passed", (json_int_t)n->checks_passed, "failed",
			 (json_int_t)n->checks_failed, "not_made", (json_int_t)n->checks_not_made,
			 "ejections", (json_int_t)e.total, "ejected", ejected_json(&e), "drained",
			 drained_json(w, n));
}

static json_t *nodes_json(const struct workers *w, int arm)
{
	json_t *list = json_array();
	for (size_t i = 0; i < w->nodes.n; i++)
		if ((int)w->nodes.list[i]->arm == arm)
			json_array_append_new(list, node_json(w, w->nodes.list[i]));
	return list;
}

static uint64_t class_of_arm(const struct workers *w, int arm, enum class class)
{
	uint64_t n = 0;
	for (unsigned l = 0; l < LISTENERS_MAX; l++)
		n += SUM(w, classes[l][arm][class]);
	return n;
}

static json_t *cluster_json(const struct workers *w, int arm, uint32_t weight)
{
	return json_pack("{s:s,s:i,s:o,s:{s:o,s:o},s:o,s:o,s:o,s:{s:o,s:o},s:{s:o,s:o,s:o},s:{s:o,"
			 "s:o},s:o}",
			 "name", arm_name((enum arm)arm), "weight", (int)weight, "requests",
			 requests_json(w, arm), "classes", "reads",
			 status_integer(class_of_arm(w, arm, CLASS_READ)), "writes",
			 status_integer(class_of_arm(w, arm, CLASS_WRITE)), "in_flight",
			 status_integer(SUM(w, in_flight[arm])), "connections",
			 status_integer(SUM(w, back_open[arm])), "retries",
			 status_integer(SUM(w, retries[arm])), "bytes", "requests",
			 status_integer(SUM(w, request_body_bytes[arm])), "responses",
			 status_integer(SUM(w, response_body_bytes[arm])), "latency_ms", "p50",
			 latency_ms(w, arm, 0.5), "p95", latency_ms(w, arm, 0.95), "p99",
			 latency_ms(w, arm, 0.99), "buckets", "total",
			 buckets_json(w, offsetof(struct counters, latency[arm].buckets)),
			 "response",
			 buckets_json(w, offsetof(struct counters, responding[arm].buckets)),
			 "nodes", nodes_json(w, arm));
}

static json_t *clusters_json(const struct workers *w, const struct board_values *v)
{
	json_t *list = json_array();
	uint64_t writes[ARMS];
	board_writes(w->board, writes);
	for (int arm = 0; arm < ARMS; arm++) {
		json_t *j = cluster_json(w, arm, v->weights[arm]);
		json_object_set_new(j, "writes_in_flight", status_integer(writes[arm]));
		json_array_append_new(list, j);
	}
	return list;
}

static void set_owner(json_t *j, const struct board_values *v)
{
	json_object_set_new(j, "owner", json_string(arm_name((enum arm)v->owner)));
	json_object_set_new(j, "since", status_integer(v->since));
	json_object_set_new(j, "phase", json_string(board_holds(v) ? "hold" : "open"));
}

/* --- the configuration --- */

/* A text that was cut inside a character cannot be a JSON string. */
static json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	return j ? j : json_string("see the log");
}

static json_t *reload_json(const struct reload *r)
{
	char when[CLOCK_TEXT_BYTES];
	if (!r->wall_ns)
		return json_null();
	clock_text(r->wall_ns, when);
	return json_pack("{s:s,s:b,s:o,s:O?,s:I}", "at", when, "ok", r->good, "message",
			 text_json(r->text), "mistakes", r->mistakes, "more",
			 (json_int_t)r->mistakes_more);
}

/* Null: no upgrade has failed since this process started. */
static json_t *upgrades_json(const struct leader_upgrades *u)
{
	char when[CLOCK_TEXT_BYTES];
	clock_text(u->wall_ns, when);
	return u->failed_n ? json_pack("{s:I,s:s,s:o}", "failed", (json_int_t)u->failed_n, "at",
				       when, "message", text_json(u->why))
			   : json_null();
}

static json_t *file_json(const struct reload *r)
{
	return r->file_text[0] ? text_json(r->file_text) : json_null();
}

/* The weights in the file, when they differ from those in force. */
static json_t *file_weights_json(const struct workers *w)
{
	const uint32_t *file = w->config->weights.arms;
	if (!workers_weights_differ(w))
		return json_null();
	return json_pack("{s:i,s:i}", "source", (int)file[ARM_SOURCE], "target",
			 (int)file[ARM_TARGET]);
}

static json_t *configuration_json(const struct workers *w, const struct reload *r)
{
	return json_pack("{s:s,s:o,s:I,s:o,s:o,s:o}", "file", w->config->diagnostics.file, "plan",
			 status_integer(publisher_newest(&w->publisher)->number), "reloads",
			 (json_int_t)r->good_n + r->bad_n, "reload", reload_json(r), "not_in_force",
			 file_json(r), "weights", file_weights_json(w));
}

/* --- processes --- */

struct process_row {
	uint32_t pid;
	bool retired;
	unsigned workers;
	uint64_t in_flight;
};

static void count_slot(struct process_row rows[PROCESSES_MAX], const struct board_slot *s)
{
	uint32_t pid = atomic_load(&s->pid);
	struct process_row *r = rows, *end = rows + PROCESSES_MAX;
	while (r < end && r->pid && r->pid != pid)
		r++;
	if (r == end)
		return;
	r->pid = pid;
	r->retired |= atomic_load_explicit(&s->retired, memory_order_relaxed) != 0;
	r->workers++;
	r->in_flight += atomic_load_explicit(&s->in_flight_now, memory_order_relaxed) +
			atomic_load_explicit(&s->in_flight_before, memory_order_relaxed);
}

/* All processes that have a slot on the board, including those that drain after an upgrade. */
static json_t *processes_json(const struct workers *w)
{
	struct process_row rows[PROCESSES_MAX] = { 0 };
	json_t *list = json_array();
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (atomic_load(&w->board->slots[i].state) == SLOT_TAKEN)
			count_slot(rows, &w->board->slots[i]);
	for (unsigned i = 0; i < PROCESSES_MAX && rows[i].pid; i++)
		json_array_append_new(list,
				      json_pack("{s:i,s:s,s:i,s:o}", "pid", (int)rows[i].pid,
						"state", rows[i].retired ? "draining" : "serving",
						"workers", (int)rows[i].workers, "in_flight",
						status_integer(rows[i].in_flight)));
	return list;
}

static json_t *log_json(const struct workers *w)
{
	return json_pack("{s:o}", "lines_lost",
			 status_integer(atomic_load(&w->board->log_lost.lines)));
}

static json_t *files_json(const struct workers *w)
{
	const struct plan *p = publisher_newest(&w->publisher);
	return json_pack("{s:o,s:o,s:o}", "limit", status_integer(w->files), "clients",
			 status_integer((uint64_t)p->clients_max * p->worker_n), "node_connections",
			 status_integer((uint64_t)p->node_sockets_max * p->worker_n));
}

/* --- all of it --- */

json_t *status_json(const struct workers *w, const struct leader *l, const struct reload *r)
{
	struct board_values v = board_read(w->board);
	char started[CLOCK_TEXT_BYTES];
	clock_text(w->started_wall_ns, started);
	json_t *j = weights_json(v.weights, v.epoch, !l->weights.unsaved);
	uint64_t up_s = (clock_wall_ns() - w->started_wall_ns) / 1000000000u;
	json_t *rest =
		json_pack("{s:s,s:s,s:i,s:s,s:o,s:i,s:s,s:o,s:o,s:o,s:o}", "state",
			  w->state == WORKERS_SERVING	? "serving"
			  : w->state == WORKERS_LEAVING ? "leaving"
							: "draining",
			  "version", CROSSFADE_VERSION, "pid", (int)getpid(), "started", started,
			  "up_seconds", status_integer(up_s), "workers", (int)w->accepting_n, "io",
			  w->backend, "configuration", configuration_json(w, r), "listeners",
			  listeners_json(w), "clusters", clusters_json(w, &v), "responds_here",
			  requests_json(w, ARM_NONE));
	json_object_update(j, rest);
	json_t *replay = replay_json(w);
	if (replay)
		json_object_set_new(j, "replay", replay);
	json_t *compare = compare_file_json(&l->compare);
	if (compare)
		json_object_set_new(j, "compare", compare);
	json_object_set_new(j, "upgrade", upgrades_json(&l->upgrades));
	json_object_set_new(j, "keeper", json_integer(getppid()));
	json_object_set_new(j, "workers_from", json_string(w->cores.from));
	json_object_set_new(j, "rolled_back", json_boolean(v.rolled_back));
	set_owner(j, &v);
	json_object_set_new(j, "processes", processes_json(w));
	json_object_set_new(j, "files", files_json(w));
	json_object_set_new(j, "log", log_json(w));
	json_object_set_new(
		j, "audit",
		json_pack("{s:o,s:o}", "lines_owed", status_integer(l->weights.untold), "trouble",
			  l->audit_trouble[0] ? json_string(l->audit_trouble) : json_null()));
	json_object_set_new(j, "certificates",
			    certificate_dates_json(&w->certificate_dates, clock_wall_s()));
	json_object_set_new(j, "change_under_way",
			    l->changes.held ? admin_body_log_text(l->changes.what) : json_null());
	json_object_set_new(j, "capture", recorder_json(&w->recorder));
	json_object_set_new(j, "bucket_bounds_ms", bucket_bounds_json());
	json_decref(rest);
	return j;
}
