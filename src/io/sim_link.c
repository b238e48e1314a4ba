#include "io/sim_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

#define WINDOW_BYTES (64 * 1024)

struct sim_piece {
	struct sim_piece *next;
	size_t n, read; /* n = 0: FIN */
	uint8_t bytes[];
};

struct sim_link *sim_link_open(struct sim *sim, const struct addr *from)
{
	struct sim_link *l = calloc(1, sizeof *l);
	must(l);
	unsigned window = sim->faults.window_bytes_max;
	*l = (struct sim_link){ .sim = sim, .refs = 1, .from = *from };
	l->window = window ? window : WINDOW_BYTES;
	l->ends[0].open = true;
	list_init(&l->backlog);
	sim->links++;
	return l;
}

void sim_link_response(struct sim_link *l)
{
	must(!l->ends[1].open);
	l->ends[1].open = true;
	l->refs++;
}

void sim_link_attach(struct sim_link *l, unsigned side, void *owner, void (*stirred)(void *))
{
	must(l->ends[side].open && !l->ends[side].owner);
	l->ends[side].owner = owner;
	l->ends[side].stirred = stirred;
}

static void end_stir(struct sim_end *e)
{
	if (e->owner)
		e->stirred(e->owner);
}

/* --- pieces --- */

static void add_piece(struct sim_end *to, struct sim_piece *p)
{
	if (to->last)
		to->last->next = p;
	else
		to->first = p;
	to->last = p;
	if (!to->under_way)
		to->under_way = p;
	to->bytes += p->n;
}

static void drop_first(struct sim_end *e)
{
	struct sim_piece *p = e->first;
	e->first = p->next;
	if (!e->first)
		e->last = NULL;
	free(p);
}

static void drop_pieces(struct sim_end *e)
{
	while (e->first)
		drop_first(e);
	e->under_way = NULL;
	e->bytes = e->arrived = 0;
}

/*
 * Data that reaches a closed end is answered by RST. A piece that a reset has removed needs no
 * response.
 */
static void link_arrive(void *about, unsigned side)
{
	struct sim_link *l = about;
	struct sim_end *e = &l->ends[side];
	struct sim_piece *p = e->under_way;
	if (p && !e->open) {
		bool response = p->n > 0;
		drop_pieces(e);
		if (response)
			sim_link_break(l, side);
	} else if (p) {
		e->under_way = p->next;
		e->arrived += p->n;
		e->ended |= p->n == 0;
		end_stir(e);
	}
	sim_link_drop(l);
}

static void link_send_piece(struct sim_link *l, unsigned from, const void *bytes, size_t n)
{
	struct sim_end *to = &l->ends[!from];
	struct sim_piece *p = malloc(sizeof *p + n);
	must(p);
	*p = (struct sim_piece){ .n = n };
	if (n)
		memcpy(p->bytes, bytes, n);
	add_piece(to, p);
	uint64_t at_ns = sim_arrival_ns(l->sim);
	if (to->latest_ns < at_ns)
		to->latest_ns = at_ns;
	sim_link_plan(l, to->latest_ns, link_arrive, !from);
}

/* --- what the ends call --- */

size_t sim_link_room(const struct sim_link *l, unsigned side)
{
	const struct sim_end *to = &l->ends[!side];
	return to->bytes < l->window ? l->window - to->bytes : 0;
}

size_t sim_link_send(struct sim_link *l, unsigned side, const void *bytes, size_t n)
{
	must(l->ends[side].open && !l->ends[side].reset && !l->ends[side].finished);
	size_t room = sim_link_room(l, side);
	if (n > room)
		n = room;
	if (n > 0)
		link_send_piece(l, side, bytes, n);
	return n;
}

size_t sim_link_recv(struct sim_link *l, unsigned side, void *to, size_t n)
{
	struct sim_end *e = &l->ends[side];
	uint8_t *at = to;
	size_t left = n < e->arrived ? n : e->arrived;
	n = left;
	while (left > 0) {
		struct sim_piece *p = e->first;
		size_t now = p->n - p->read < left ? p->n - p->read : left;
		memcpy(at, p->bytes + p->read, now);
		p->read += now;
		at += now;
		left -= now;
		if (p->read == p->n)
			drop_first(e);
	}
	e->arrived -= n;
	e->bytes -= n;
	end_stir(&l->ends[!side]);
	return n;
}

void sim_link_finish(struct sim_link *l, unsigned side)
{
	struct sim_end *e = &l->ends[side];
	if (e->finished || e->reset)
		return;
	e->finished = true;
	link_send_piece(l, side, NULL, 0);
}

/* --- RST --- */

static void be_reset(void *about, unsigned side)
{
	struct sim_link *l = about;
	struct sim_end *e = &l->ends[side];
	if (e->open && !e->reset) {
		e->reset = true;
		end_stir(e);
	}
	sim_link_drop(l);
}

/* Bytes that have arrived can still be read; bytes under way are lost. */
static void send_reset(struct sim_link *l, unsigned to)
{
	struct sim_end *e = &l->ends[to];
	struct sim_piece *lost = e->under_way;
	if (!e->open || e->reset)
		return;
	if (lost) {
		struct sim_piece **before = &e->first;
		e->last = NULL;
		for (; *before != lost; before = &(*before)->next)
			e->last = *before;
		*before = NULL;
		e->under_way = NULL;
	}
	while (lost) {
		struct sim_piece *next = lost->next;
		e->bytes -= lost->n;
		free(lost);
		lost = next;
	}
	sim_link_plan(l, sim_arrival_ns(l->sim), be_reset, to);
}

void sim_link_break(struct sim_link *l, unsigned side)
{
	struct sim_end *e = &l->ends[side];
	drop_pieces(e);
	e->reset = true;
	e->ended = false;
	send_reset(l, !side);
	end_stir(e);
}

void sim_link_close(struct sim_link *l, unsigned side, bool reset)
{
	struct sim_end *e = &l->ends[side];
	must(e->open);
	e->owner = NULL;
	if (reset || e->arrived > 0)
		send_reset(l, !side);
	else if (l->ends[!side].open)
		sim_link_finish(l, side);
	e->open = false;
	sim_link_drop(l);
}

void sim_link_plan(struct sim_link *l, uint64_t at_ns, void (*run)(void *, unsigned), unsigned side)
{
	l->refs++;
	sim_plan(l->sim, at_ns, run, l, side);
}

void sim_link_drop(struct sim_link *l)
{
	must(l->refs > 0);
	if (--l->refs)
		return;
	must(!l->ends[0].open && !l->ends[1].open);
	drop_pieces(&l->ends[0]);
	drop_pieces(&l->ends[1]);
	l->sim->links--;
	free(l);
}
