#include "proxy/admission.h"

#include <string.h>

#include "base/log.h"

/*
 * All addresses of one configuration section share its limit, and each worker has a share of the
 * limit.
 */
static bool admission_is_full(const struct admission *g, const struct plan *p,
			      const struct listener *l, uint32_t max)
{
	uint64_t open = 0;
	if (!max)
		return false;
	for (size_t i = 0; i < p->listener_n; i++)
		if (p->listeners[i].section == l->section)
			open += counter_read(
				&g->counters->connections_open[p->listeners[i].number]);
	return open >= max / p->accepting_n + (g->worker < max % p->accepting_n);
}

/* `clients_max` and `room` leave the other open files to everything else. */
static bool is_out_of_room(const struct admission *g, const struct plan *p,
			   const struct listener *l, size_t client_n)
{
	return (p->clients_max && client_n >= p->clients_max) ||
	       admission_is_full(g, p, l, l->room);
}

enum err admission_ask(const struct admission *g, const struct plan *p, const struct listener *l,
		       const struct addr *peer, size_t client_n)
{
	if (l->proxy_protocol && !networks_have(l->trust, peer))
		return ERR_NOT_TRUSTED;
	if (!l->proxy_protocol && l->allow && !networks_have(l->allow, peer))
		return ERR_NOT_ALLOWED;
	if (admission_is_full(g, p, l, l->connections_max))
		return ERR_TOO_MANY_CONNECTIONS;
	return is_out_of_room(g, p, l, client_n) ? ERR_OUT_OF_HANDLES : ERR_NONE;
}

/* Whether a line may be logged now; if not, the event is counted for the next line. */
static bool admission_speaks(struct admission *g, uint64_t now_ms)
{
	if (now_ms < g->quiet_until_ms) {
		g->unlogged++;
		return false;
	}
	g->quiet_until_ms = now_ms + TURNED_AWAY_LOG_MS;
	return true;
}

void admission_is_stuck(struct admission *g, const struct listener *l, int error, uint64_t now_ms)
{
	counter_add(&g->counters->accept_failures, 1);
	if (!admission_speaks(g, now_ms))
		return;
	log_line(LOG_WARN,
		 "worker %u: listener %s cannot accept connections, and goes on trying: %s",
		 g->worker, l->name, strerror(error));
}

void admission_makes_room(struct admission *g, const struct listener *l, uint64_t now_ms)
{
	counter_add(&g->counters->strangers_closed, 1);
	if (!admission_speaks(g, now_ms))
		return;
	log_line(LOG_WARN,
		 "worker %u: listener %s has as many connections as the limit of open files "
		 "allows: it closes connections that have sent no request, to accept new ones",
		 g->worker, l->name);
}

void admission_turn_away(struct admission *g, const struct listener *l, const struct addr *peer,
			 enum err why, uint64_t now_ms)
{
	char text[ADDR_TEXT_BYTES];
	counter_add(&g->counters->rejected[why], 1);
	if (!admission_speaks(g, now_ms))
		return;
	addr_host_text(peer, text);
	log_line(LOG_WARN,
		 "worker %u: listener %s turned %s away: %s (%s; %llu more since the last line)",
		 g->worker, l->name, text, err_sentence(why), err_word(why),
		 (unsigned long long)g->unlogged);
	g->unlogged = 0;
}

enum err admission_admit(struct admission *g, const struct listener *l,
			 const struct proxy_header *p, const struct addr *client, uint64_t now_ms)
{
	enum err why = p->err;
	if (!why && p->kind != PROXY_HEADER_LOCAL && l->allow && !networks_have(l->allow, client))
		why = ERR_NOT_ALLOWED;
	if (why)
		admission_turn_away(g, l, client, why, now_ms);
	return why;
}
