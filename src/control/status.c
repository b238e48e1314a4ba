#include "control/recorder_seen.h"
#include "control/status.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/asked.h"
#include "control/metrics.h"
#include "control/weights_json.h"

#define SUM(c, member) metrics_sum((c)->counters, (c)->worker_n, offsetof(struct counters, member))

static json_t *integer(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* --- listeners --- */

static json_t *listener_json(const struct control *c, const struct listener *l,
			     const struct config_address *a)
{
	size_t connections =
		offsetof(struct counters, connections_open[0]) + l->number * sizeof(counter);
	uint64_t requests = 0;
	for (int arm = 0; arm <= ARM_NONE; arm++)
		for (int class = 0; class < STATUS_CLASSES; class ++)
			requests +=
				metrics_sum(c->counters, c->worker_n,
					    offsetof(struct counters, requests[0][arm][class]) +
						    l->number * sizeof c->counters->requests[0]);
	return json_pack("{s:s,s:s,s:b,s:o,s:o,s:o}", "name", l->name, "address", a->text, "tls",
			 l->tls != NULL, "connections",
			 integer(metrics_sum(c->counters, c->worker_n, connections)),
			 "connections_max",
			 integer(l->connections_max ? l->connections_max : l->room), "requests",
			 integer(requests));
}

/* The plan's listeners are the configuration's addresses, in their order. */
static json_t *listeners_json(const struct control *c)
{
	const struct plan *p = publisher_newest(&c->publisher);
	json_t *list = json_array();
	size_t i = 0;
	for (int k = 0; k < LISTENER_KINDS; k++)
		for (const struct config_address *a = c->config->listeners.kinds[k].addresses; a;
		     a = a->next)
			json_array_append_new(list, listener_json(c, &p->listeners[i++], a));
	return list;
}

/* --- clusters --- */

static json_t *latency_ms(const struct control *c, int arm, double share)
{
	struct latency_seen l = { 0 };
	for (unsigned i = 0; i < c->worker_n; i++)
		latency_see(&l, &c->counters[i].latency[arm]);
	uint64_t us = latency_quantile_us(&l, share);
	return us ? json_real((double)us / 1000) : json_null();
}

static uint64_t requests_of(const struct control *c, int arm, int class)
{
	uint64_t n = 0;
	for (unsigned l = 0; l < LISTENERS_MAX; l++)
		n += SUM(c, requests[l][arm][class]);
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
	json_object_set_new(j, "all", integer(all));
	for (int class = 0; class < STATUS_CLASSES; class ++)
		json_object_set_new(j, names[class], integer(counts[class]));
	return j;
}

static json_t *requests_json(const struct control *c, int arm)
{
	uint64_t counts[STATUS_CLASSES];
	for (int class = 0; class < STATUS_CLASSES; class ++)
		counts[class] = requests_of(c, arm, class);
	return classes_json(counts);
}

/* Those that went to it: one that went to two nodes counts at both. */
static json_t *attempts_json(const struct control *c, const struct node_record *n)
{
	uint64_t counts[STATUS_CLASSES];
	size_t first = offsetof(struct counters, nodes[0].attempts) +
		       n->state.number * sizeof(struct node_counters);
	for (size_t class = 0; class < STATUS_CLASSES; class ++)
		counts[class] =
			metrics_sum(c->counters, c->worker_n, first + class * sizeof(counter));
	return classes_json(counts);
}

/* For whoever wants quantiles of the time between two looks. */
static json_t *buckets_json(const struct control *c, size_t offset)
{
	json_t *list = json_array();
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		json_array_append_new(list, integer(metrics_sum(c->counters, c->worker_n,
								offset + b * sizeof(counter))));
	return list;
}

/* The last bucket has none. */
static json_t *bucket_bounds_json(void)
{
	json_t *list = json_array();
	for (unsigned b = 0; b + 1 < LATENCY_BUCKETS; b++)
		json_array_append_new(list, json_real((double)latency_bound_us(b) / 1000));
	return list;
}

/* NULL: it is not drained. */
static json_t *drained_json(const struct control *c, const struct node_record *n)
{
	char since[CLOCK_TEXT_BYTES];
	uint64_t now_ms = loop_now_ms(&c->loop);
	bool going_on = node_duty(n) == DUTY_DRAINED && n->cut_at_ms > now_ms;
	if (node_duty(n) == DUTY_READY)
		return NULL;
	clock_text(n->drained_wall_ns, since);
	return json_pack("{s:s,s:o,s:o,s:o}", "since", since, "by", asked_json(n->drained_by),
			 "why", asked_json(n->drained_why), "cut_in_ms",
			 integer(going_on ? n->cut_at_ms - now_ms : 0));
}

/* NULL: no worker leaves it alone. */
static json_t *ejected_json(const struct ejected *e)
{
	return e->workers ? json_pack("{s:i,s:s}", "by_workers", (int)e->workers, "why",
				      err_word(e->why))
			  : NULL;
}

/* One word for what there is to know: the strongest, when several things are so. */
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

/* What checks say of one of its addresses. */
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

static json_t *node_json(const struct control *c, const struct node_record *n)
{
	struct ejected e = ejected_now(c->counters, c->worker_n, n);
	size_t in_flight = offsetof(struct counters, nodes[0].in_flight) +
			   n->state.number * sizeof(struct node_counters);
	return json_pack("{s:s,s:s,s:b,s:I,s:o,s:o,s:o,s:s,s:{s:I,s:I,s:I},s:I,s:o*,s:o*}", "name",
			 n->name, "state", node_state_word(n, &e), "healthy", node_is_healthy(n),
			 "in_flight", (json_int_t)metrics_sum(c->counters, c->worker_n, in_flight),
			 "requests", attempts_json(c, n), "addresses", addresses_json(n, false),
			 "address_checks", addresses_json(n, true), "check", node_check(n),
			 "checks", "passed", (json_int_t)n->checks_passed, "failed",
			 (json_int_t)n->checks_failed, "not_made", (json_int_t)n->checks_not_made,
			 "ejections", (json_int_t)e.total, "ejected", ejected_json(&e), "drained",
			 drained_json(c, n));
}

static json_t *nodes_json(const struct control *c, int arm)
{
	json_t *list = json_array();
	for (size_t i = 0; i < c->nodes.n; i++)
		if ((int)c->nodes.list[i]->arm == arm)
			json_array_append_new(list, node_json(c, c->nodes.list[i]));
	return list;
}

static uint64_t class_of_arm(const struct control *c, int arm, enum class class)
{
	uint64_t n = 0;
	for (unsigned l = 0; l < LISTENERS_MAX; l++)
		n += SUM(c, classes[l][arm][class]);
	return n;
}

static json_t *cluster_json(const struct control *c, int arm, uint32_t weight)
{
	return json_pack("{s:s,s:i,s:o,s:{s:o,s:o},s:o,s:o,s:o,s:{s:o,s:o},s:{s:o,s:o,s:o},s:{s:o,"
			 "s:o},s:o}",
			 "name", arm_name((enum arm)arm), "weight", (int)weight, "requests",
			 requests_json(c, arm), "classes", "reads",
			 integer(class_of_arm(c, arm, CLASS_READ)), "writes",
			 integer(class_of_arm(c, arm, CLASS_WRITE)), "in_flight",
			 integer(SUM(c, in_flight[arm])), "connections",
			 integer(SUM(c, back_open[arm])), "retries", integer(SUM(c, retries[arm])),
			 "bytes", "requests", integer(SUM(c, request_body_bytes[arm])), "answers",
			 integer(SUM(c, answer_body_bytes[arm])), "latency_ms", "p50",
			 latency_ms(c, arm, 0.5), "p95", latency_ms(c, arm, 0.95), "p99",
			 latency_ms(c, arm, 0.99), "buckets", "total",
			 buckets_json(c, offsetof(struct counters, latency[arm].buckets)), "answer",
			 buckets_json(c, offsetof(struct counters, answering[arm].buckets)),
			 "nodes", nodes_json(c, arm));
}

static json_t *clusters_json(const struct control *c, const struct board_values *v)
{
	json_t *list = json_array();
	for (int arm = 0; arm < ARMS; arm++)
		json_array_append_new(list, cluster_json(c, arm, v->weights[arm]));
	return list;
}

/* --- the configuration --- */

/* A text that was cut in the midst of a character is no JSON. */
static json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	return j ? j : json_string("it is in the log");
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

/* Null: none has failed in this process' time. */
static json_t *upgrades_json(const struct control_upgrades *u)
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

/* What the file says, when that is not what holds. */
static json_t *file_weights_json(const struct control *c)
{
	const uint32_t *file = c->config->weights.arms;
	if (!control_weights_differ(c))
		return json_null();
	return json_pack("{s:i,s:i}", "source", (int)file[ARM_SOURCE], "target",
			 (int)file[ARM_TARGET]);
}

static json_t *configuration_json(const struct control *c)
{
	return json_pack("{s:s,s:o,s:I,s:o,s:o,s:o}", "file", c->config->complaints.file, "plan",
			 integer(publisher_newest(&c->publisher)->number), "reloads",
			 (json_int_t)c->reload.good_n + c->reload.bad_n, "reload",
			 reload_json(&c->reload), "not_in_force", file_json(&c->reload), "weights",
			 file_weights_json(c));
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

/* All whose workers have a slot on the board: those that drain after an upgrade too. */
static json_t *processes_json(const struct control *c)
{
	struct process_row rows[PROCESSES_MAX] = { 0 };
	json_t *list = json_array();
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (atomic_load(&c->board->slots[i].state) == SLOT_TAKEN)
			count_slot(rows, &c->board->slots[i]);
	for (unsigned i = 0; i < PROCESSES_MAX && rows[i].pid; i++)
		json_array_append_new(list,
				      json_pack("{s:i,s:s,s:i,s:o}", "pid", (int)rows[i].pid,
						"state", rows[i].retired ? "draining" : "serving",
						"workers", (int)rows[i].workers, "in_flight",
						integer(rows[i].in_flight)));
	return list;
}

static json_t *log_json(const struct control *c)
{
	return json_pack("{s:o}", "lines_lost", integer(atomic_load(&c->board->log_lost.lines)));
}

static json_t *files_json(const struct control *c)
{
	const struct plan *p = publisher_newest(&c->publisher);
	return json_pack("{s:o,s:o,s:o}", "limit", integer(c->files), "clients",
			 integer((uint64_t)p->clients_max * p->worker_n), "node_connections",
			 integer((uint64_t)p->node_sockets_max * p->worker_n));
}

/* --- the whole --- */

json_t *status_json(const struct control *c)
{
	struct board_values v = board_read(c->board);
	char started[CLOCK_TEXT_BYTES];
	clock_text(c->started_wall_ns, started);
	json_t *j = weights_json(v.weights, v.epoch, !c->weights.unsaved);
	uint64_t up_s = (clock_wall_ns() - c->started_wall_ns) / 1000000000u;
	json_t *rest = json_pack("{s:s,s:s,s:i,s:s,s:o,s:i,s:s,s:o,s:o,s:o,s:o}", "state",
				 c->state == CONTROL_SERVING   ? "serving"
				 : c->state == CONTROL_LEAVING ? "leaving"
							       : "draining",
				 "version", CROSSFADE_VERSION, "pid", (int)getpid(), "started",
				 started, "up_seconds", integer(up_s), "workers", (int)c->worker_n,
				 "io", c->backend, "configuration", configuration_json(c),
				 "listeners", listeners_json(c), "clusters", clusters_json(c, &v),
				 "answers_here", requests_json(c, ARM_NONE));
	json_object_update(j, rest);
	json_object_set_new(j, "upgrade", upgrades_json(&c->upgrades));
	json_object_set_new(j, "keeper", json_integer(getppid()));
	json_object_set_new(j, "workers_from", json_string(c->cores.from));
	json_object_set_new(j, "rolled_back", json_boolean(v.rolled_back));
	json_object_set_new(j, "processes", processes_json(c));
	json_object_set_new(j, "files", files_json(c));
	json_object_set_new(j, "log", log_json(c));
	json_object_set_new(
		j, "audit",
		json_pack("{s:o,s:o}", "lines_owed", integer(weights_untold(&c->weights)),
			  "trouble",
			  c->audit_trouble[0] ? json_string(c->audit_trouble) : json_null()));
	json_object_set_new(j, "certificates", validity_json(&c->validity, clock_wall_s()));
	json_object_set_new(j, "capture", recorder_json(&c->recorder));
	json_object_set_new(j, "bucket_bounds_ms", bucket_bounds_json());
	json_decref(rest);
	return j;
}
