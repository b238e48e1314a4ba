#include "replay/cluster_error.h"

#include <string.h>

/* Types of both products. */
static const struct span passing[] = {
	SPAN_INIT("circuit_breaking_exception"),
	SPAN_INIT("cluster_block_exception"),
	SPAN_INIT("connect_transport_exception"),
	SPAN_INIT("es_rejected_execution_exception"),
	SPAN_INIT("illegal_index_shard_state_exception"),
	SPAN_INIT("index_shard_not_started_exception"),
	SPAN_INIT("index_shard_recovering_exception"),
	SPAN_INIT("index_shard_closed_exception"),
	SPAN_INIT("index_closed_exception"),
	SPAN_INIT("master_not_discovered_exception"),
	SPAN_INIT("cluster_manager_not_discovered_exception"),
	SPAN_INIT("no_shard_available_action_exception"),
	SPAN_INIT("node_closed_exception"),
	SPAN_INIT("node_disconnected_exception"),
	SPAN_INIT("node_not_connected_exception"),
	SPAN_INIT("process_cluster_event_timeout_exception"),
	SPAN_INIT("receive_timeout_transport_exception"),
	SPAN_INIT("rejected_execution_exception"),
	SPAN_INIT("retry_on_primary_exception"),
	SPAN_INIT("retry_on_replica_exception"),
	SPAN_INIT("security_exception"),
	SPAN_INIT("shard_not_found_exception"),
	SPAN_INIT("task_cancelled_exception"),
	SPAN_INIT("timeout_exception"),
	SPAN_INIT("unavailable_shards_exception"),
};

void cluster_error_begin(struct cluster_error *e)
{
	e->there = false;
	e->type_n = e->reason_n = 0;
}

bool cluster_error_wants(const struct json_scan *j, bool *is_type)
{
	*is_type = json_is(j, SPAN("type"));
	return *is_type || json_is(j, SPAN("reason"));
}

/* Without a character of several bytes at the end: it may not be whole. */
static size_t cluster_error_cut(const char *text, size_t n)
{
	size_t i = n;
	while (i > 0 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
		i--;
	return i > 0 && (unsigned char)text[i - 1] >= 0xc0 ? i - 1 : n;
}

static size_t cluster_error_text(struct span coded, bool cut, char *to, size_t room)
{
	size_t n;
	enum json_decoded decoded = json_decode(coded, to, room, &n);
	return cut || decoded == JSON_TOO_LONG ? cluster_error_cut(to, n) : n;
}

void cluster_error_take(struct cluster_error *e, const struct json_scan *j, bool is_type)
{
	if (is_type)
		e->type_n = cluster_error_text(j->text, j->text_cut, e->type, sizeof e->type);
	else
		e->reason_n = cluster_error_text(j->text, j->text_cut, e->reason, sizeof e->reason);
}

bool cluster_error_passes(const struct cluster_error *e)
{
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (span_is(cluster_error_type(e), passing[i]))
			return true;
	return false;
}
