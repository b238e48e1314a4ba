#include "sim/action.h"

#include "base/limits.h"
#include "sim/ask.h"
#include "sim/pattern.h"
#include "sim/scenario.h"

static const char *const rubbish[] = {
	"SSH-2.0-OpenSSH_9.2\r\n",
	"HTTP/1.1 20 OK\r\n\r\n",
	"HTTP/1.1 2000 OK\r\n\r\n",
	"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nUpgrade: two\r\n\r\n",
	"", /* more 1xx responses than a message may have */
};

static enum fate make_fate(const struct action *d, struct dice *dice)
{
	static const enum fate fates[] = { FATE_RESET_BEFORE, FATE_FIN_BEFORE, FATE_RUBBISH,
					   FATE_RESET_IN,     FATE_FIN_IN,     FATE_BAD_CHUNK,
					   FATE_SILENT,	      FATE_STUCK };
	enum fate f = dice_pick(dice, fates);
	if (f == FATE_BAD_CHUNK && d->framing != FRAMED_CHUNKED)
		f = FATE_RESET_IN;
	/* With FRAMED_CLOSE a FIN is the regular end of the body. */
	if (f == FATE_FIN_IN && d->framing == FRAMED_CLOSE)
		f = FATE_RESET_IN;
	return f;
}

static void make_response(struct action *d, const struct ask *a, struct dice *dice,
			  const struct scenario *t)
{
	static const unsigned statuses[] = { 200, 200, 200, 201, 204, 304, 404, 500 };
	static const enum framing framings[] = { FRAMED_LENGTH, FRAMED_LENGTH, FRAMED_CHUNKED,
						 FRAMED_CLOSE };
	d->minor = !dice_chance(dice, 80);
	d->status = dice_pick(dice, statuses);
	d->framing = dice_pick(dice, framings);
	if (d->minor == 0 && d->framing == FRAMED_CHUNKED)
		d->framing = FRAMED_LENGTH;
	d->body_n = dice_size(dice, t->body_max);
	d->trailers = d->framing == FRAMED_CHUNKED && dice_chance(dice, 300);
	if (d->status == 204 || (d->status == 304 && dice_chance(dice, 500)))
		d->framing = FRAMED_NONE;
	d->closes = d->framing == FRAMED_CLOSE || d->minor == 0 || dice_chance(dice, 100);
	if (action_is_bodiless(d, a))
		d->trailers = false;
	d->closes_silently = t->closes_idle && !d->closes && dice_chance(dice, 300);
	/*
	 * If these bytes came after the next request, they would pass for its response: so they
	 * must come together with this response.
	 */
	d->sends_extra = t->peers_misbehave && t->smooth && d->body_n < 1000 && !d->closes &&
			 dice_chance(dice, 100);
}

/*
 * Some servers send a body, or the end of one, where no body is allowed; some send an empty line
 * too many.
 */
static void make_late(struct action *d, const struct ask *a, struct dice *dice)
{
	static const char *const stray_signals[] = { "\n", "\r\n", "\r\n\r\n" };
	if (d->closes || d->closes_silently || d->sends_extra || d->fate != FATE_WHOLE || d->tunnel)
		return;
	bool is_empty = d->framing == FRAMED_LENGTH && d->body_n == 0;
	if (action_is_bodiless(d, a) && !is_empty && dice_chance(dice, 400))
		d->late = d->framing == FRAMED_CHUNKED ? "0\r\n\r\n" : "late";
	else if (dice_chance(dice, 150))
		d->late = dice_pick(dice, stray_signals);
	d->late_ms = d->late ? (unsigned)dice_size(dice, 400) : 0;
}

/*
 * A response that does not wait for the request's body: 413, or one that is sent while the body
 * still comes.
 */
static void make_early(struct action *d, const struct ask *a, struct dice *dice,
		       const struct scenario *t)
{
	if (dice_chance(dice, 500)) {
		d->sends_extra = false;
		d->both_ways = d->body_n && !action_is_bodiless(d, a) && d->framing != FRAMED_CLOSE;
		return;
	}
	d->moment = dice_chance(dice, 500) ? AT_HEAD : IN_BODY;
	d->after_bytes = dice_roll(dice, a->body_n);
	d->status = 413;
	if (d->framing == FRAMED_NONE)
		d->framing = FRAMED_LENGTH;
	/*
	 * The reset destroys the bytes that are on their way, and with FRAMED_CLOSE the body would
	 * not be whole.
	 */
	d->resets = t->peers_misbehave && !t->faults.delay && d->framing != FRAMED_CLOSE &&
		    dice_chance(dice, 500);
	d->closes |= d->resets;
	if (d->resets)
		d->body_n %= 1000;
}

static void make_action(struct action *d, const struct ask *a, struct dice *dice,
			const struct scenario *t)
{
	*d = (struct action){ .moment = AT_END };
	if (dice_chance(dice, 300))
		d->delay_ms = (unsigned)dice_size(dice, 400);
	d->interims = dice_chance(dice, 150) ? (unsigned)dice_between(dice, 1, 3) : 0;
	make_response(d, a, dice, t);
	if (a->body_n && dice_chance(dice, 250))
		make_early(d, a, dice, t);
	if (a->upgrades && dice_chance(dice, 700)) {
		*d = (struct action){ .moment = AT_END, .minor = 1, .status = 101, .tunnel = true };
		d->hang_up_at = dice_chance(dice, 500) ? dice_size(dice, t->body_max) : 0;
		d->resets = t->peers_misbehave && d->hang_up_at && dice_chance(dice, 500);
		return;
	}
	if (!t->peers_misbehave || !dice_chance(dice, 200) || action_is_bodiless(d, a) ||
	    d->both_ways)
		return;
	d->fate = make_fate(d, dice);
	d->cut_at = dice_roll(dice, d->body_n + 1);
	/* A response of the full length would not be cut. */
	if (d->body_n == 0)
		d->body_n = 1;
	if (d->cut_at >= d->body_n)
		d->cut_at = d->body_n - 1;
	d->rubbish = dice_pick(dice, rubbish);
	if (d->fate == FATE_RUBBISH && !*d->rubbish)
		d->interims = INTERIM_BYTES / 40 + 1; /* one has at least 40 bytes */
}

void action_make(struct action *d, const struct ask *a, struct dice *dice, const struct scenario *t)
{
	make_action(d, a, dice, t);
	make_late(d, a, dice);
}

bool action_is_early(const struct action *d)
{
	return d->moment != AT_END;
}

bool action_is_bodiless(const struct action *d, const struct ask *a)
{
	return ask_is_head(a) || d->status == 204 || d->status == 304 || d->framing == FRAMED_NONE;
}

uint64_t action_body_n(const struct action *d, const struct ask *a)
{
	return action_is_bodiless(d, a) ? 0 : d->body_n;
}

/* --- the bytes of a response --- */

void action_write_interims(const struct action *d, const struct ask *a, struct text *to)
{
	if (a->expects && (a->id & 3) && d->fate == FATE_WHOLE)
		text_print(to, "HTTP/1.1 100 Continue\r\n\r\n");
	for (unsigned i = 0; i < d->interims; i++)
		text_print(to, "HTTP/1.1 103 Early Hints\r\nLink: </%u>\r\n\r\n", i);
}

void action_write_head(const struct action *d, const struct ask *a, struct text *to)
{
	unsigned long long id = a->id, length = d->body_n;
	text_print(to, "HTTP/1.%u %u %s\r\nX-Answer-For: %llu\r\n", d->minor, d->status,
		   id % 3 ? "So" : "", id);
	if (d->tunnel)
		text_print(to, "Connection: upgrade\r\nUpgrade: websocket\r\n");
	else if (d->closes)
		text_print(to, "Connection: close\r\n");
	else if (id % 5 == 0)
		text_print(to, "Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n");
	if (id % 7 == 0)
		text_print(to, "X-Crossfade-Error: forged\r\n");
	if (d->framing == FRAMED_LENGTH)
		text_print(to, "Content-Length: %llu\r\n", length);
	else if (d->framing == FRAMED_CHUNKED)
		text_print(to, "Transfer-Encoding: chunked\r\n");
	text_print(to, "\r\n");
}

static void write_chunk(uint64_t key, struct dice *dice, struct text *out, uint64_t from,
			uint64_t n)
{
	static const char *const formats[] = { "%llx\r\n", "%llX\r\n", "%llx;a=b\r\n",
					       "00%llx;c=\"d e\";f\r\n" };
	text_print(out, dice_pick(dice, formats), (unsigned long long)n);
	pattern_fill(key, from, text_extend(out, n), n);
	text_print(out, "\r\n");
}

/* Chunk sizes are chosen so that a body of any size has a few chunks, some of them short. */
void framing_write(enum framing f, uint64_t key, struct dice *dice, struct text *out, uint64_t from,
		   uint64_t to)
{
	if (f != FRAMED_CHUNKED) {
		pattern_fill(key, from, text_extend(out, to - from), to - from);
		return;
	}
	uint64_t chunk_max = (to - from) / 8 + 50;
	while (from < to) {
		uint64_t n = dice_between(dice, 1, chunk_max);
		n = n < to - from ? n : to - from;
		write_chunk(key, dice, out, from, n);
		from += n;
	}
}

void framing_write_end(enum framing f, bool trailers, uint64_t id, struct text *to)
{
	if (f != FRAMED_CHUNKED)
		return;
	text_print(to, "0\r\n");
	if (trailers)
		text_print(to, "X-Sum: %llu\r\nX-Empty:\r\n", (unsigned long long)id);
	text_print(to, "\r\n");
}

void action_write_body(const struct action *d, const struct ask *a, struct dice *dice,
		       struct text *out, uint64_t from, uint64_t to)
{
	if (!action_is_bodiless(d, a))
		framing_write(d->framing, ask_response_key(a), dice, out, from, to);
}

void action_write_end(const struct action *d, const struct ask *a, struct text *to)
{
	if (!action_is_bodiless(d, a))
		framing_write_end(d->framing, d->trailers, a->id, to);
	if (d->sends_extra)
		text_print(to, "HTTP/1.1 200 OK\r\nX-Answer-For: 0\r\nContent-Length: 0\r\n\r\n");
}
