#include "control/metrics.h"

#include <string.h>

#include "base/err.h"

uint64_t metrics_sum(const struct counters *counters, unsigned worker_n, size_t offset)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < worker_n; i++)
		sum += counter_read((const counter *)((const char *)&counters[i] + offset));
	return sum;
}

void metrics_family(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP crossfade_%s %s\n# TYPE crossfade_%s %s\n", name, help, name, type);
}

static void metrics_number(FILE *to, const char *name, unsigned long long n)
{
	fprintf(to, "crossfade_%s %llu\n", name, n);
}

/*
 * Names of nodes come from the configuration: they are host names and ports, and need no escaping.
 */
static void metrics_labelled(FILE *to, const char *name, const char *label, const char *value,
			     unsigned long long n)
{
	fprintf(to, "crossfade_%s{%s=\"%s\"} %llu\n", name, label, value, n);
}

static const char *cluster_label(int arm)
{
	return arm == ARM_NONE ? "none" : arm_name((enum arm)arm);
}

/* A listener with several addresses is in the plan several times under the same name. */
static bool is_first_of_name(const struct plan *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(p->listeners[k].name, p->listeners[i].name))
			return false;
	return true;
}

/*
 * `stride`: the bytes between the members of two listeners. Removed addresses count, too:
 * Prometheus takes a sum that decreases for a restart.
 */
static uint64_t sum_of_name(const struct metrics_facts *f, const struct listener *l, size_t offset,
			    size_t stride)
{
	uint64_t sum = 0;
	size_t first = l->number / LISTENER_NUMBERS_MAX * LISTENER_NUMBERS_MAX;
	for (size_t i = first; i < first + LISTENER_NUMBERS_MAX; i++)
		sum += metrics_sum(f->counters, f->worker_n, offset + i * stride);
	return sum;
}

/* --- shapes of metrics.def --- */

/* `stride` is as for sum_of_name(). */
static void metrics_of_listeners(const struct metrics_facts *f, FILE *to, const char *name,
				 size_t offset, size_t stride)
{
	for (size_t i = 0; i < f->plan->listener_n; i++) {
		const struct listener *l = &f->plan->listeners[i];
		if (is_first_of_name(f->plan, i))
			metrics_labelled(to, name, "listener", l->name,
					 sum_of_name(f, l, offset, stride));
	}
}

static void metrics_of_clusters(const struct metrics_facts *f, FILE *to, const char *name,
				size_t offset, size_t stride)
{
	for (int arm = 0; arm < ARMS; arm++)
		metrics_labelled(
			to, name, "cluster", cluster_label(arm),
			metrics_sum(f->counters, f->worker_n, offset + (size_t)arm * stride));
}

static void metrics_by_listener(const struct metrics_facts *f, FILE *to, const char *name,
				size_t offset)
{
	metrics_of_listeners(f, to, name, offset, sizeof(counter));
}

static void metrics_by_cluster(const struct metrics_facts *f, FILE *to, const char *name,
			       size_t offset)
{
	metrics_of_clusters(f, to, name, offset, sizeof(counter));
}

static void handshakes_of_listener(const struct metrics_facts *f, FILE *to, const char *name,
				   size_t offset)
{
	metrics_of_listeners(f, to, name, offset, sizeof(struct handshake_counts));
}

static void handshakes_of_cluster(const struct metrics_facts *f, FILE *to, const char *name,
				  size_t offset)
{
	metrics_of_clusters(f, to, name, offset, sizeof(struct handshake_counts));
}

static void pressure_of_cluster(const struct metrics_facts *f, FILE *to, const char *name,
				size_t offset)
{
	metrics_of_clusters(f, to, name, offset, sizeof(struct pressure));
}

static void metrics_by_reason(const struct metrics_facts *f, FILE *to, const char *name,
			      size_t offset)
{
	for (int e = ERR_NONE + 1; e < ERRS; e++) {
		uint64_t n =
			metrics_sum(f->counters, f->worker_n, offset + (size_t)e * sizeof(counter));
		if (n)
			metrics_labelled(to, name, "reason", err_word((enum err)e), n);
	}
}

static void metrics_by_node(const struct metrics_facts *f, FILE *to, const char *name,
			    size_t offset)
{
	for (size_t i = 0; i < f->nodes->n; i++) {
		const struct node_record *n = f->nodes->list[i];
		fprintf(to, "crossfade_%s{cluster=\"%s\",node=\"%s\"} %llu\n", name,
			cluster_label((int)n->arm), n->name,
			(unsigned long long)metrics_sum(
				f->counters, f->worker_n,
				offset + n->state.number * sizeof(struct node_counters)));
	}
}

static void metrics_by_sniffing(const struct metrics_facts *f, FILE *to, const char *name,
				size_t offset)
{
	static const char *const done[] = { [SNIFFING_RESPOND] = "responded",
					    [SNIFFING_REFUSE] = "refused",
					    [SNIFFING_PASS] = "passed" };
	for (int s = SNIFFING_RESPOND; s < SNIFFINGS; s++)
		metrics_labelled(to, name, "done", done[s],
				 metrics_sum(f->counters, f->worker_n,
					     offset + (size_t)s * sizeof(counter)));
}

static void metrics_single(const struct metrics_facts *f, FILE *to, const char *name, size_t offset)
{
	metrics_number(to, name, metrics_sum(f->counters, f->worker_n, offset));
}

void metrics_latency(FILE *to, const char *name, const char *label, const struct latency_seen *l)
{
	const char *comma = label[0] ? "," : "", *open = label[0] ? "{" : "",
		   *close = label[0] ? "}" : "";
	unsigned long long sum = 0;
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++) {
		uint64_t bound_us = latency_bound_us(b);
		sum += l->buckets[b];
		if (bound_us != UINT64_MAX)
			fprintf(to, "crossfade_%s_bucket{%s%sle=\"%.6g\"} %llu\n", name, label,
				comma, (double)bound_us / 1e6, sum);
	}
	fprintf(to, "crossfade_%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, label, comma, sum);
	fprintf(to, "crossfade_%s_sum%s%s%s %.6f\n", name, open, label, close,
		(double)l->sum_us / 1e6);
	fprintf(to, "crossfade_%s_count%s%s%s %llu\n", name, open, label, close, sum);
}

static void histogram_of(const struct metrics_facts *f, FILE *to, const char *name, size_t offset,
			 const char *label)
{
	struct latency_seen l = { 0 };
	for (unsigned i = 0; i < f->worker_n; i++)
		latency_see(&l, (const void *)((const char *)&f->counters[i] + offset));
	metrics_latency(to, name, label, &l);
}

static void metrics_histogram(const struct metrics_facts *f, FILE *to, const char *name,
			      size_t offset)
{
	histogram_of(f, to, name, offset, "");
}

static void cluster_histogram(const struct metrics_facts *f, FILE *to, const char *name,
			      size_t offset)
{
	for (int arm = 0; arm < ARMS; arm++) {
		char label[64];
		snprintf(label, sizeof label, "cluster=\"%s\"", cluster_label(arm));
		histogram_of(f, to, name, offset + (size_t)arm * sizeof(struct latency), label);
	}
}

static void write_table(const struct metrics_facts *f, FILE *to)
{
#define ROW(shape, name, type, member, help)                                                       \
	metrics_family(to, #name, #type, help);                                                    \
	shape(f, to, #name, offsetof(struct counters, member));
#define BY_LISTENER(name, type, member, help) ROW(metrics_by_listener, name, type, member, help)
#define BY_CLUSTER(name, type, member, help) ROW(metrics_by_cluster, name, type, member, help)
#define BY_REASON(name, type, member, help) ROW(metrics_by_reason, name, type, member, help)
#define HANDSHAKES_OF_LISTENER(name, type, member, help)                                           \
	ROW(handshakes_of_listener, name, type, member, help)
#define HANDSHAKES_OF_CLUSTER(name, type, member, help)                                            \
	ROW(handshakes_of_cluster, name, type, member, help)
#define PRESSURE_OF_CLUSTER(name, type, member, help)                                              \
	ROW(pressure_of_cluster, name, type, member, help)
#define BY_NODE(name, type, member, help) ROW(metrics_by_node, name, type, nodes[0].member, help)
#define BY_SNIFFING(name, type, member, help) ROW(metrics_by_sniffing, name, type, member, help)
#define SINGLE(name, type, member, help) ROW(metrics_single, name, type, member, help)
#define HISTOGRAM(name, type, member, help) ROW(metrics_histogram, name, type, member, help)
#define CLUSTER_HISTOGRAM(name, type, member, help) ROW(cluster_histogram, name, type, member, help)
#include "control/metrics.def"
#undef ROW
}

/* --- metrics that are not in metrics.def --- */

static const char *const classes[STATUS_CLASSES] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

/* Common series exist from the start, so that a rate over them is right from the first request. */
static bool is_common_series(const struct listener *l, int arm, int class)
{
	return class >= 2 && arm != ARM_NONE && (l->route.weighted || (int)l->route.arm == arm);
}

static void write_requests_of(const struct metrics_facts *f, FILE *to, const struct listener *l)
{
	for (int arm = 0; arm <= ARM_NONE; arm++)
		for (int class = 0; class < STATUS_CLASSES; class ++) {
			uint64_t n = sum_of_name(f, l,
						 offsetof(struct counters, requests[0][arm][class]),
						 sizeof f->counters->requests[0]);
			if (n || is_common_series(l, arm, class))
				fprintf(to,
					"crossfade_requests_total{listener=\"%s\",cluster=\"%s\","
					"status=\"%s\"} %llu\n",
					l->name, cluster_label(arm), classes[class],
					(unsigned long long)n);
		}
}

static void write_classes_of(const struct metrics_facts *f, FILE *to, const struct listener *l)
{
	for (int arm = 0; arm <= ARM_NONE; arm++)
		for (int class = 0; class < CLASSES; class ++) {
			uint64_t n =
				sum_of_name(f, l, offsetof(struct counters, classes[0][arm][class]),
					    sizeof f->counters->classes[0]);
			if (n || is_common_series(l, arm, STATUS_CLASSES - 1))
				fprintf(to,
					"crossfade_requests_by_kind_total{listener=\"%s\","
					"cluster=\"%s\",kind=\"%s\"} %llu\n",
					l->name, cluster_label(arm), class_name((enum class) class),
					(unsigned long long)n);
		}
}

static void write_classes(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "requests_by_kind_total", "counter",
		       "Requests by listener, cluster, and whether they read or write.");
	for (size_t i = 0; i < f->plan->listener_n; i++)
		if (is_first_of_name(f->plan, i))
			write_classes_of(f, to, &f->plan->listeners[i]);
}

static void write_requests(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "requests_total", "counter",
		       "Requests by listener, cluster and class of status.");
	for (size_t i = 0; i < f->plan->listener_n; i++)
		if (is_first_of_name(f->plan, i))
			write_requests_of(f, to, &f->plan->listeners[i]);
}

static void write_weights(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "weight", "gauge", "The weights in force.");
	for (int arm = 0; arm < ARMS; arm++)
		metrics_labelled(to, "weight", "cluster", cluster_label(arm),
				 f->values.weights[arm]);
	metrics_family(to, "weights_epoch", "gauge",
		       "The number of the last change of the weights.");
	metrics_number(to, "weights_epoch", f->values.epoch);
	metrics_family(to, "rolled_back", "gauge",
		       "1 from a rollback to the next change; overrides are ignored meanwhile.");
	metrics_number(to, "rolled_back", f->values.rolled_back);
	metrics_family(to, "weights_unsaved", "gauge",
		       "1 while the weights in force are not saved.");
	metrics_number(to, "weights_unsaved", f->unsaved);
}

static void write_owner(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "owner", "gauge", "1 for the cluster that owns the writes.");
	for (int arm = 0; arm < ARMS; arm++)
		metrics_labelled(to, "owner", "cluster", cluster_label(arm),
				 f->values.owner == (uint32_t)arm);
	metrics_family(to, "owner_since_epoch", "gauge",
		       "The epoch of the change to this owner; 0: it always was the owner.");
	metrics_number(to, "owner_since_epoch", f->values.since);
	metrics_family(to, "writes_held", "gauge",
		       "1 while new writes wait for a change of the owner.");
	metrics_number(to, "writes_held", board_holds(&f->values));
	metrics_family(to, "writes_in_flight", "gauge",
		       "Writes on their way to a cluster, of all processes of this balancer.");
	for (int arm = 0; arm < ARMS; arm++)
		metrics_labelled(to, "writes_in_flight", "cluster", cluster_label(arm),
				 f->writes[arm]);
}

static void write_attempts_of(const struct metrics_facts *f, FILE *to, const struct node_record *n)
{
	for (int class = 0; class < STATUS_CLASSES; class ++) {
		size_t at = offsetof(struct counters, nodes[0].attempts[class]) +
			    n->state.number * sizeof(struct node_counters);
		uint64_t sum = metrics_sum(f->counters, f->worker_n, at);
		if (sum || class == 2 || class == 5)
			fprintf(to,
				"crossfade_node_requests_total{cluster=\"%s\",node=\"%s\","
				"status=\"%s\"} %llu\n",
				cluster_label((int)n->arm), n->name, classes[class],
				(unsigned long long)sum);
	}
}

static void write_addresses_of(const struct node_record *n, FILE *to)
{
	for (unsigned i = 0; i < NODE_ADDRESSES_MAX; i++) {
		char at[ADDR_TEXT_BYTES];
		if (!n->places[i])
			continue;
		addr_text(&n->places[i]->at, at);
		fprintf(to,
			"crossfade_node_address_healthy{cluster=\"%s\",node=\"%s\",address="
			"\"%s\"} %d\n",
			cluster_label((int)n->arm), n->name, at, !node_place_is_ill(n, i));
	}
}

/* Only for names with several addresses: for a single address node_healthy says all. */
static void write_addresses(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "node_address_healthy", "gauge",
		       "1 while an address of a node passes its checks; only for names with "
		       "several addresses.");
	for (size_t i = 0; i < f->nodes->n; i++)
		if (f->nodes->list[i]->address_n > 1)
			write_addresses_of(f->nodes->list[i], to);
}

static void write_nodes(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "node_requests_total", "counter",
		       "Attempts at a node by the class of its response's status; none: there was "
		       "no response.");
	for (size_t i = 0; i < f->nodes->n; i++)
		write_attempts_of(f, to, f->nodes->list[i]);
	metrics_family(to, "node_healthy", "gauge", "1 while a node passes its checks.");
	for (size_t i = 0; i < f->nodes->n; i++) {
		const struct node_record *n = f->nodes->list[i];
		fprintf(to, "crossfade_node_healthy{cluster=\"%s\",node=\"%s\"} %d\n",
			cluster_label((int)n->arm), n->name, node_is_healthy(n));
	}
	metrics_family(to, "node_checks_total", "counter",
		       "Health checks of a node by their result.");
	for (size_t i = 0; i < f->nodes->n; i++) {
		const struct node_record *n = f->nodes->list[i];
		const char *cluster = cluster_label((int)n->arm);
		static const char *const results[] = { "failed", "passed", "not_made" };
		const unsigned long long counts[] = { n->checks_failed, n->checks_passed,
						      n->checks_not_made };
		for (int result = 0; result < 3; result++)
			fprintf(to,
				"crossfade_node_checks_total{cluster=\"%s\",node=\"%s\",result="
				"\"%s\"} %llu\n",
				cluster, n->name, results[result], counts[result]);
	}
	metrics_family(to, "node_drained", "gauge",
		       "1 while a node is drained: it gets no new requests.");
	for (size_t i = 0; i < f->nodes->n; i++) {
		const struct node_record *n = f->nodes->list[i];
		fprintf(to, "crossfade_node_drained{cluster=\"%s\",node=\"%s\"} %d\n",
			cluster_label((int)n->arm), n->name, node_duty(n) != DUTY_READY);
	}
	metrics_family(to, "node_addresses", "gauge", "Addresses of a node's name.");
	for (size_t i = 0; i < f->nodes->n; i++) {
		const struct node_record *n = f->nodes->list[i];
		fprintf(to, "crossfade_node_addresses{cluster=\"%s\",node=\"%s\"} %zu\n",
			cluster_label((int)n->arm), n->name, n->address_n);
	}
	write_addresses(f, to);
}

static void write_facts(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "build_info", "gauge", "The version that runs.");
	metrics_labelled(to, "build_info", "version", CROSSFADE_VERSION, 1);
	metrics_family(to, "io_info", "gauge", "The I/O backend of the workers.");
	metrics_labelled(to, "io_info", "backend", f->backend, 1);
	metrics_family(to, "start_time_seconds", "gauge",
		       "When the working process started, since 1970.");
	fprintf(to, "crossfade_start_time_seconds %.3f\n", (double)f->started_wall_ns / 1e9);
	metrics_family(to, "workers", "gauge", "Workers that serve.");
	metrics_number(to, "workers", f->worker_n);
	metrics_family(to, "log_lines_lost_total", "counter",
		       "Lines of the process's log that could not be written to standard error.");
	metrics_number(to, "log_lines_lost_total", f->log_lines_lost);
}

static void write_configuration(const struct metrics_facts *f, FILE *to)
{
	metrics_family(to, "configuration_in_force", "gauge",
		       "0 when the last reload was refused, or the file has changed since a crash "
		       "and was not reloaded.");
	metrics_number(to, "configuration_in_force", f->in_force);
}

void metrics_write(const struct metrics_facts *f, FILE *to)
{
	write_facts(f, to);
	write_requests(f, to);
	write_classes(f, to);
	write_table(f, to);
	write_weights(f, to);
	write_owner(f, to);
	write_configuration(f, to);
	write_nodes(f, to);
	if (f->capture)
		metrics_capture(f->capture, to);
}
