#include "proxy/gate.h"

#include "base/log.h"

/* Addresses of one section share its limit, and each worker has a share of it. */
static bool is_full(const struct gate *g, const struct plan *p, const struct listener *l)
{
	uint32_t max = l->connections_max;
	uint64_t open = 0;
	if (!max)
		return false;
	for (size_t i = 0; i < p->listener_n; i++)
		if (p->listeners[i].section == l->section)
			open += counter_read(
				&g->counters->connections_open[p->listeners[i].number]);
	return open >= max / p->worker_n + (g->worker < max % p->worker_n);
}

enum err gate_ask(const struct gate *g, const struct plan *p, const struct listener *l,
		  const struct addr *peer)
{
	if (l->proxy_protocol && !networks_have(l->trust, peer))
		return ERR_NOT_TRUSTED;
	if (!l->proxy_protocol && l->allow && !networks_have(l->allow, peer))
		return ERR_NOT_ALLOWED;
	return is_full(g, p, l) ? ERR_TOO_MANY_CONNECTIONS : ERR_NONE;
}

void gate_turn_away(struct gate *g, const struct listener *l, const struct addr *peer, enum err why,
		    uint64_t now_ms)
{
	char text[ADDR_TEXT_BYTES];
	counter_add(&g->counters->rejected[why], 1);
	if (now_ms < g->quiet_until_ms) {
		g->unsaid++;
		return;
	}
	addr_host_text(peer, text);
	log_line(LOG_WARN,
		 "worker %u: listener %s turned %s away: %s (%s; %llu more since the last line)",
		 g->worker, l->name, text, err_sentence(why), err_word(why),
		 (unsigned long long)g->unsaid);
	g->unsaid = 0;
	g->quiet_until_ms = now_ms + TURNED_AWAY_LOG_MS;
}

enum err gate_admit(struct gate *g, const struct listener *l, const struct preface *p,
		    const struct addr *client, uint64_t now_ms)
{
	enum err why = p->err;
	if (!why && p->kind != PREFACE_LOCAL && l->allow && !networks_have(l->allow, client))
		why = ERR_NOT_ALLOWED;
	if (why)
		gate_turn_away(g, l, client, why, now_ms);
	return why;
}
