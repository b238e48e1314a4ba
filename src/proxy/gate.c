#include "proxy/gate.h"

#include <string.h>

#include "base/log.h"

/* Addresses of one section share its limit, and each worker has a share of it. */
static bool is_full(const struct gate *g, const struct plan *p, const struct listener *l,
		    uint32_t max)
{
	uint64_t open = 0;
	if (!max)
		return false;
	for (size_t i = 0; i < p->listener_n; i++)
		if (p->listeners[i].section == l->section)
			open += counter_read(
				&g->counters->connections_open[p->listeners[i].number]);
	return open >= max / p->worker_n + (g->worker < max % p->worker_n);
}

/* The other open files are for all else. */
static bool is_out_of_room(const struct gate *g, const struct plan *p, const struct listener *l,
			   size_t client_n)
{
	return (p->clients_max && client_n >= p->clients_max) || is_full(g, p, l, l->room);
}

enum err gate_ask(const struct gate *g, const struct plan *p, const struct listener *l,
		  const struct addr *peer, size_t client_n)
{
	if (l->proxy_protocol && !networks_have(l->trust, peer))
		return ERR_NOT_TRUSTED;
	if (!l->proxy_protocol && l->allow && !networks_have(l->allow, peer))
		return ERR_NOT_ALLOWED;
	if (is_full(g, p, l, l->connections_max))
		return ERR_TOO_MANY_CONNECTIONS;
	return is_out_of_room(g, p, l, client_n) ? ERR_OUT_OF_HANDLES : ERR_NONE;
}

/* Whether there is to be a line in the log now. */
static bool gate_speaks(struct gate *g, uint64_t now_ms)
{
	if (now_ms < g->quiet_until_ms) {
		g->unsaid++;
		return false;
	}
	g->quiet_until_ms = now_ms + TURNED_AWAY_LOG_MS;
	return true;
}

void gate_is_stuck(struct gate *g, const struct listener *l, int error, uint64_t now_ms)
{
	counter_add(&g->counters->accept_failures, 1);
	if (!gate_speaks(g, now_ms))
		return;
	log_line(LOG_WARN,
		 "worker %u: listener %s cannot accept connections, and goes on trying: %s",
		 g->worker, l->name, strerror(error));
}

void gate_makes_room(struct gate *g, const struct listener *l, uint64_t now_ms)
{
	counter_add(&g->counters->strangers_closed, 1);
	if (!gate_speaks(g, now_ms))
		return;
	log_line(LOG_WARN,
		 "worker %u: listener %s has all the connections that open files allow: "
		 "those that have asked nothing are closed for new ones",
		 g->worker, l->name);
}

void gate_turn_away(struct gate *g, const struct listener *l, const struct addr *peer, enum err why,
		    uint64_t now_ms)
{
	char text[ADDR_TEXT_BYTES];
	counter_add(&g->counters->rejected[why], 1);
	if (!gate_speaks(g, now_ms))
		return;
	addr_host_text(peer, text);
	log_line(LOG_WARN,
		 "worker %u: listener %s turned %s away: %s (%s; %llu more since the last line)",
		 g->worker, l->name, text, err_sentence(why), err_word(why),
		 (unsigned long long)g->unsaid);
	g->unsaid = 0;
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
