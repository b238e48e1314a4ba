#include "proxy/node_trouble.h"

#include "base/log.h"

static bool is_of_tls(enum err why)
{
	return (why >= ERR_BACK_TLS && why <= ERR_BACK_WEAK) || why == ERR_HANDSHAKE_TIMEOUT;
}

static bool is_of_syntax(enum err why)
{
	return why == ERR_BACK_MALFORMED || why == ERR_BACK_HEAD_SIZE;
}

/* The line names the node, and the reason of the certificate check where there is one. */
static void node_trouble_log(struct exchanges *d, const struct request *r,
			     const struct live_node *live, struct stream *end, enum err why,
			     const char *what)
{
	const char *said = pool_said(end, why);
	/* NULL after a reload that removed the node. */
	const struct node *node = live->node;
	char more[PEER_LOG_MORE_BYTES], at[ADDR_TEXT_BYTES];
	if (!peer_log_begin(&d->peer_log, why, d->io->now_ns / 1000000, more))
		return;
	addr_text(pool_address(end), at);
	log_line(LOG_WARN, "worker %u: %s: %s node %s failed: %s%s%s%s (%s%s)", d->worker,
		 r->plan->clusters[r->arm].name, what, node ? node->name : at, err_sentence(why),
		 *said ? " (" : "", said, *said ? ")" : "", err_word(why), more);
}

static void node_trouble_blame(struct exchanges *d, const struct request *r, struct live_node *node,
			       struct stream *end, enum err why)
{
	bool fresh = pool_is_fresh(end);
	if (ejection_counts(why, fresh))
		pool_blame(end);
	live_node_failed(&d->clusters[r->arm], node, why, fresh);
}

void node_trouble(struct exchanges *d, const struct request *r, struct live_node *node,
		  struct stream *end, enum err why, bool responded)
{
	if (is_of_tls(why))
		node_trouble_log(d, r, node, end, why, "TLS with");
	else if (is_of_syntax(why))
		node_trouble_log(d, r, node, end, why, "a response of");
	if (why == ERR_OUT_OF_HANDLES)
		live_nodes_spare_one(node->all, NULL);
	if (!responded)
		node_trouble_blame(d, r, node, end, why);
}
