#include "capture/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/crc32c.h"
#include "capture/journal.h"

static const char padding[FRAME_ALIGN];

/* --- batches --- */

static struct batch *batch_new(struct feed *f)
{
	struct batch *b = calloc(1, sizeof *b);
	must(b);
	b->feed = f;
	list_init(&b->link);
	list_init(&b->waits);
	b->byte_room = BATCH_BYTES;
	b->bytes = malloc(b->byte_room);
	must(b->bytes);
	return b;
}

static void batch_free(struct batch *b)
{
	free(b->bytes);
	free(b);
}

static void batch_reset(struct batch *b)
{
	chain_drop(&b->held);
	b->byte_n = 0;
	b->log_bytes = 0;
	b->vector_n = b->frame_n = b->gap_n = 0;
	b->urgent = b->pressed = b->in_log = false;
	b->waits_n = 0;
	atomic_store_explicit(&b->state, BATCH_OPEN, memory_order_relaxed);
}

static struct batch *take_batch(struct feed *f)
{
	struct list *l = list_take_first(&f->idle);
	if (!l)
		return batch_new(f);
	f->idle_n--;
	return list_entry(l, struct batch, link);
}

static void give_batch(struct feed *f, struct batch *b)
{
	batch_reset(b);
	if (f->idle_n == BATCHES_IDLE || b->byte_room != BATCH_BYTES) {
		batch_free(b);
		return;
	}
	f->idle_n++;
	list_add(&f->idle, &b->link);
}

/* --- putting --- */

static void batch_add_run(struct batch *b, const void *at, size_t n)
{
	struct iovec *last = b->vector_n ? &b->vectors[b->vector_n - 1] : NULL;
	b->log_bytes += n;
	if (last && (const char *)last->iov_base + last->iov_len == at) {
		last->iov_len += n;
		return;
	}
	must(b->vector_n < BATCH_VECTORS);
	b->vectors[b->vector_n++] = (struct iovec){ (void *)(uintptr_t)at, n };
}

static char *batch_add_own(struct batch *b, const void *from, size_t n)
{
	char *at = b->bytes + b->byte_n;
	must(n <= b->byte_room - b->byte_n);
	memcpy(at, from, n);
	b->byte_n += n;
	batch_add_run(b, at, n);
	return at;
}

static unsigned slice_count(const struct chain *c)
{
	unsigned n = 0;
	for (const struct slice *s = c ? c->first : NULL; s; s = s->next)
		n++;
	return n;
}

/* A frame may need one run for its own bytes and another one for its padding. */
static bool batch_has_room(const struct batch *b, size_t bytes, unsigned slices)
{
	return b->frame_n < BATCH_FRAMES && bytes <= b->byte_room - b->byte_n &&
	       slices + 2 <= BATCH_VECTORS - b->vector_n;
}

/*
 * The log announces the time up to which all that its workers put is durable. So the feed stores
 * putting_ns before it reads the log's floor, and gives its frames no time below that floor. The
 * log stores the floor before it reads putting_ns: the later of the two sees the other.
 */
static void open_batch(struct feed *f)
{
	f->open = take_batch(f);
	atomic_store(&f->putting_ns, f->mono_ns);
	f->floor_ns = journal_floor_ns(f->journal);
}

static void keep_above_floor(const struct feed *f, struct frame *head)
{
	if (head->mono_ns >= f->floor_ns)
		return;
	head->wall_ns += f->floor_ns - head->mono_ns;
	head->mono_ns = f->floor_ns;
}

static struct batch *batch_for(struct feed *f, size_t bytes, unsigned slices)
{
	if (f->open && !batch_has_room(f->open, bytes, slices))
		feed_push(f);
	if (!f->open)
		open_batch(f);
	if (bytes > f->open->byte_room) {
		must(!f->open->byte_n);
		free(f->open->bytes);
		f->open->bytes = malloc(f->open->byte_room = bytes);
		must(f->open->bytes);
	}
	return f->open;
}

static uint32_t batch_add_body(struct batch *b, const struct chain *body, uint32_t crc)
{
	for (const struct slice *s = body->first; s; s = s->next) {
		crc = crc32c(crc, s->at, s->n);
		batch_add_run(b, s->at, s->n);
	}
	chain_refer(&b->held, body);
	return crc;
}

static size_t parts_bytes(const struct span *parts, unsigned part_n)
{
	size_t n = 0;
	for (unsigned i = 0; i < part_n; i++)
		n += parts[i].n;
	return n;
}

/* A body in more slices than a batch has room for is put as several frames. */
static void feed_put_in_pieces(struct feed *f, const struct frame *head, const struct chain *body)
{
	struct chain part = { 0 }, rest = { 0 };
	struct frame first = *head;
	first.flags &= (uint8_t)~FRAME_END;
	chain_refer(&rest, body);
	while (slice_count(&rest) > BATCH_VECTORS / 2) {
		size_t n = 0;
		unsigned slices = 0;
		for (const struct slice *s = rest.first; slices < BATCH_VECTORS / 2;
		     s = s->next, slices++)
			n += s->n;
		chain_move_some(&part, &rest, n);
		feed_put(f, &first, NULL, 0, &part);
		chain_drop(&part);
	}
	feed_put(f, head, NULL, 0, &rest);
	chain_drop(&rest);
}

void feed_put(struct feed *f, const struct frame *like, const struct span *parts, unsigned part_n,
	      const struct chain *body)
{
	unsigned slices = slice_count(body);
	if (slices > BATCH_VECTORS / 2) {
		must(!part_n);
		feed_put_in_pieces(f, like, body);
		return;
	}
	size_t own = parts_bytes(parts, part_n), payload_n = own + (body ? body->bytes : 0);
	must(payload_n <= FRAME_PAYLOAD_BYTES);
	struct batch *b = batch_for(f, sizeof *like + own + FRAME_ALIGN, slices);
	b->frames[b->frame_n++] = (uint32_t)b->byte_n;
	b->gap_n += like->type == FRAME_GAP;
	struct frame *head = (struct frame *)(void *)batch_add_own(b, like, sizeof *like);
	uint32_t crc = 0;
	for (unsigned i = 0; i < part_n; i++) {
		crc = crc32c(crc, parts[i].at, parts[i].n);
		batch_add_own(b, parts[i].at, parts[i].n);
	}
	if (body)
		crc = batch_add_body(b, body, crc);
	head->payload_n = (uint32_t)payload_n;
	head->payload_crc = crc;
	head->worker = f->worker;
	keep_above_floor(f, head);
	batch_add_own(b, padding, frame_padded(payload_n) - payload_n);
	/* The next head must be aligned, whatever length this frame has. */
	b->byte_n = (b->byte_n + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
	checks(feed_check(f));
}

/* --- waiting --- */

void feed_wait(struct feed *f, struct feed_wait *w)
{
	must(f->open && list_empty(&w->link));
	f->open->urgent = true;
	f->open->waits_n++;
	list_add_tail(&f->open->waits, &w->link);
	checks(feed_check(f));
}

void feed_wait_not(struct feed_wait *w)
{
	list_remove(&w->link);
}

void feed_drained(struct feed *f, uint64_t epoch, struct feed_wait *w)
{
	struct record_drained drained = { .epoch = epoch };
	struct frame head = { .type = FRAME_DRAINED, .mono_ns = f->mono_ns, .wall_ns = f->wall_ns };
	feed_put(f, &head, &(struct span){ (const char *)&drained, sizeof drained }, 1, NULL);
	feed_wait(f, w);
}

void feed_push(struct feed *f)
{
	struct batch *b = f->open;
	if (!b)
		return;
	bool pressed = b->pressed;
	f->open = NULL;
	list_add_tail(&f->out, &b->link);
	atomic_store_explicit(&b->state, BATCH_OUT, memory_order_relaxed);
	journal_push(f->journal, b);
	atomic_store(&f->putting_ns, UINT64_MAX);
	if (pressed)
		journal_hurry(f->journal);
	checks(feed_check(f));
}

/* The open batch is handed over at the end of the turn. */
void feed_press(struct feed *f)
{
	if (f->open)
		f->open->pressed = true;
	else
		journal_hurry(f->journal);
}

void feed_lose(struct feed *f, enum gap_reason reason, enum loss loss)
{
	struct feed_losses *l = &f->lost[reason];
	uint64_t last_ns = counter_read(&l->last_ns);
	if (!last_ns || f->mono_ns - last_ns > LOSS_PAUSE_MS * 1000000ull) {
		counter_set(&l->first_ns, f->mono_ns);
		counter_set(&l->first_wall_ns, f->wall_ns);
	}
	counter_set(&l->last_ns, f->mono_ns);
	counter_set(&l->last_wall_ns, f->wall_ns);
	if (loss != LOSS_READ)
		counter_set(&l->last_write_wall_ns, f->wall_ns);
	counter_add(loss == LOSS_READ	 ? &l->reads
		    : loss == LOSS_WRITE ? &l->writes
					 : &l->outcomes,
		    1);
}

void feed_tunnel_begins(struct feed *f)
{
	struct feed_losses *l = &f->lost[GAP_TUNNEL];
	if (!counter_read(&l->tunnels))
		counter_set(&l->first_tunnel_wall_ns, f->wall_ns);
	counter_add(&l->tunnels, 1);
	counter_set(&l->last_write_wall_ns, f->wall_ns);
}

void feed_tunnel_ends(struct feed *f, bool has_gap)
{
	struct feed_losses *l = &f->lost[GAP_TUNNEL];
	counter_sub(&l->tunnels, 1);
	counter_add(&l->tunnels_ended, has_gap);
	counter_set(&l->last_write_wall_ns, f->wall_ns);
}

/*
 * A gap record of the worker's own could not be written: its losses are counted, and the journal
 * reports them in another gap.
 */
static void lose_gap(struct feed *f, const struct frame *head)
{
	struct record_gap gap;
	must(head->payload_n == sizeof gap);
	memcpy(&gap, head + 1, sizeof gap);
	struct feed_losses *l = &f->lost[gap.reason];
	feed_lose(f, (enum gap_reason)gap.reason, gap.writes ? LOSS_WRITE : LOSS_READ);
	counter_add(&l->request_bytes, gap.request_bytes);
	counter_add(&l->response_bytes, gap.response_bytes);
}

static bool is_of_a_request(const struct frame *head)
{
	return head->type == FRAME_REQUEST_HEAD || head->type == FRAME_REQUEST_BODY ||
	       head->type == FRAME_REQUEST_TRAILERS;
}

static void feed_count_lost(struct feed *f, const struct batch *b)
{
	for (unsigned i = 0; i < b->frame_n; i++) {
		const struct frame *head = (const void *)(b->bytes + b->frames[i]);
		if (head->type == FRAME_OUTCOME)
			feed_lose(f, GAP_UNAVAILABLE, LOSS_OUTCOME);
		else if (is_of_a_request(head) && f->lost_frame)
			f->lost_frame(f, head, b->in_log);
		else if (head->type == FRAME_GAP)
			lose_gap(f, head);
	}
	journal_look(f->journal);
}

static void batch_settle(struct feed *f, struct batch *b, enum batch_state became)
{
	if (became == BATCH_FAILED)
		feed_count_lost(f, b);
	for (struct list *l; (l = list_take_first(&b->waits));) {
		struct feed_wait *w = list_entry(l, struct feed_wait, link);
		w->settled(w, became);
	}
	give_batch(f, b);
	checks(feed_check(f));
}

static void feed_look_for_room(struct feed *f)
{
	bool full = !journal_room(f->journal);
	if (full != feed_is_pressed(f))
		counter_set(&f->full_ns, full ? f->mono_ns : 0);
}

void feed_look(struct feed *f, uint64_t mono_ns, uint64_t wall_ns)
{
	f->mono_ns = mono_ns;
	f->wall_ns = wall_ns;
	feed_look_for_room(f);
	if (!atomic_load_explicit(&f->news, memory_order_relaxed))
		return;
	atomic_store(&f->news, false);
	while (!list_empty(&f->out)) {
		struct batch *b = list_entry(f->out.next, struct batch, link);
		uint8_t state = atomic_load_explicit(&b->state, memory_order_acquire);
		if (state == BATCH_OUT)
			return;
		list_remove(&b->link);
		must(f->out.next != &b->link);
		batch_settle(f, b, (enum batch_state)state);
	}
	checks(feed_check(f));
}

bool feed_is_pressed(const struct feed *f)
{
	return counter_read(&f->full_ns);
}

bool feed_is_choked(const struct feed *f)
{
	return feed_is_pressed(f) &&
	       f->mono_ns - counter_read(&f->full_ns) >= LOG_FULL_MS * 1000000ull;
}

bool feed_is_out(const struct feed *f)
{
	return f->open || !list_empty(&f->out);
}

void feed_settled(struct batch *b, enum batch_state state)
{
	/*
	 * The worker may free the batch as soon as its state is stored. With the last batch the
	 * worker itself may go, but for feed_disown(), which waits for the lock.
	 */
	struct feed *f = b->feed;
	bool awaited = b->urgent || b->vector_n > 1;
	pthread_mutex_lock(&f->waking);
	atomic_store_explicit(&b->state, (uint8_t)state, memory_order_release);
	atomic_store(&f->news, true);
	if (f->wake && (awaited || atomic_load(&f->hurried)))
		f->wake(f);
	pthread_mutex_unlock(&f->waking);
}

/* --- checks --- */

static void check_frames(const struct batch *b)
{
	size_t bytes = 0;
	must(b->frame_n && b->frame_n <= BATCH_FRAMES && b->vector_n <= BATCH_VECTORS);
	must(b->byte_n <= b->byte_room && b->frames[b->frame_n - 1] < b->byte_n);
	must(b->gap_n <= b->frame_n && b->log_bytes % FRAME_ALIGN == 0);
	for (unsigned i = 0; i < b->vector_n && b->vector_n <= CHECKED_MAX; i++)
		bytes += b->vectors[i].iov_len;
	must(b->vector_n > CHECKED_MAX || bytes == b->log_bytes);
}

/* A batch that somebody waits for is urgent. */
static void check_waits(const struct batch *b)
{
	unsigned n = 0;
	for (struct list *l = b->waits.next; l != &b->waits && n < CHECKED_MAX; l = l->next)
		n++;
	must(n <= b->waits_n && (b->urgent || !n));
}

static void check_idle(const struct feed *f)
{
	unsigned n = 0;
	list_each(l, &f->idle) {
		const struct batch *b = list_entry(l, struct batch, link);
		must(!b->frame_n && !b->vector_n && !b->held.bytes && list_empty(&b->waits));
		n++;
	}
	must(n == f->idle_n && n <= BATCHES_IDLE);
}

void feed_check(const struct feed *f)
{
	bool puts = atomic_load_explicit(&f->putting_ns, memory_order_relaxed) != UINT64_MAX;
	unsigned n = 0;
	must(puts == (f->open != NULL));
	if (f->open) {
		must(f->open->feed == f && atomic_load(&f->open->state) == BATCH_OPEN);
		check_frames(f->open);
		check_waits(f->open);
	}
	list_each(l, &f->out) {
		const struct batch *b = list_entry(l, struct batch, link);
		must(b->feed == f && atomic_load(&b->state) != BATCH_OPEN);
		check_waits(b);
		if (++n == CHECKED_MAX)
			break;
	}
	check_idle(f);
}

/* --- open and close --- */

void feed_open(struct feed *f, unsigned worker)
{
	*f = (struct feed){ .worker = (uint16_t)worker };
	pthread_mutex_init(&f->waking, NULL);
	atomic_init(&f->putting_ns, UINT64_MAX);
	f->lost = f->own_lost;
	list_init(&f->out);
	list_init(&f->idle);
}

void feed_attach(struct feed *f, struct journal *journal)
{
	f->journal = journal;
	journal_add(journal, f);
}

void feed_count_in(struct feed *f, struct feed_losses lost[GAP_REASONS])
{
	f->lost = lost;
}

void feed_own(struct feed *f, struct bufs *bufs, void (*wake)(struct feed *f), void *owner)
{
	f->bufs = bufs;
	f->wake = wake;
	f->owner = owner;
}

void feed_hurry(struct feed *f)
{
	atomic_store(&f->hurried, true);
}

void feed_disown(struct feed *f)
{
	pthread_mutex_lock(&f->waking);
	f->wake = NULL;
	pthread_mutex_unlock(&f->waking);
}

void feed_close(struct feed *f)
{
	must(!f->open && !feed_is_out(f));
	for (struct list *l; (l = list_take_first(&f->idle));)
		batch_free(list_entry(l, struct batch, link));
	pthread_mutex_destroy(&f->waking);
}
