#include "replay/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/checks.h"
#include "replay/keys_private.h"

/* --- counts --- */

/* Of all keys, or of those of parked indices. */
static void keys_weigh(struct keys *k, bool parked, size_t n, size_t bytes, bool more)
{
	size_t *to_n = parked ? &k->parked_n : &k->n;
	size_t *to_bytes = parked ? &k->parked_bytes : &k->bytes;
	must(more || (*to_n >= n && *to_bytes >= bytes));
	*to_n = more ? *to_n + n : *to_n - n;
	*to_bytes = more ? *to_bytes + bytes : *to_bytes - bytes;
}

static void keys_weigh_entry(struct keys *k, const struct keys_entry *e, bool more)
{
	struct keys_index *x = &k->indices[e->index];
	size_t bytes = key_store_room(sizeof *e + e->id_n + e->routing_n);
	keys_weigh(k, x->parked, 1, bytes, more);
	x->bytes = more ? x->bytes + bytes : x->bytes - bytes;
}

static bool keys_have_room(const struct keys *k, bool parked, size_t n, size_t bytes)
{
	if (parked)
		return k->parked_n + n <= REPLAY_PARKED_MAX &&
		       k->parked_bytes + bytes <= REPLAY_PARKED_BYTES;
	return k->n + n <= REPLAY_KEYS_MAX && k->bytes + bytes <= REPLAY_KEYS_BYTES;
}

/* --- entries --- */

static void keys_write_names(struct keys_entry *e, struct span id, struct span routing)
{
	e->id_n = (uint16_t)id.n;
	e->routing_n = (uint16_t)routing.n;
	memcpy(e->text, id.at, id.n);
	if (routing.n)
		memcpy(e->text + id.n, routing.at, routing.n);
}

static void keys_add_entry(struct keys *k, const struct keys_write *w, uint32_t index,
			   uint32_t elder)
{
	struct keys_index *x = &k->indices[index];
	uint32_t key =
		key_store_take(&k->store, sizeof(struct keys_entry) + w->id.n + w->routing.n);
	struct keys_entry *e = keys_entry(k, key);
	must(w->tag <= UINT32_MAX);
	*e = (struct keys_entry){ .time_ns = w->time_ns,
				  .sequence = w->origin.sequence,
				  .series = w->origin.series,
				  .tag = (uint32_t)w->tag,
				  .hash = keys_table_hash(k, index, w->id),
				  .index = index,
				  .state = KEYS_FRESH,
				  .marks = w->marks,
				  .generation = x->newest,
				  .has_elder = elder != 0 };
	keys_write_names(e, w->id, w->routing);
	keys_weigh_entry(k, e, true);
	keys_table_add(k, key);
	keys_index_add(k, key);
}

/* Of two writes of one key, the earlier one's tag is kept, unless it is loose. */
static uintptr_t keys_exchange_tag(struct keys *k, uint32_t key, uintptr_t tag,
				   struct origin origin)
{
	struct keys_entry *e = keys_entry(k, key);
	uintptr_t had = e->tag;
	must(tag <= UINT32_MAX);
	if (!(had & KEYS_LOOSE))
		return tag;
	e->tag = (uint32_t)tag;
	e->sequence = origin.sequence;
	e->series = origin.series;
	return had;
}

/* Its elder is gone. */
static void keys_release(struct keys *k, uint32_t key)
{
	struct keys_entry *e = keys_entry(k, key);
	e->has_elder = false;
	if (e->state == KEYS_HELD)
		keys_index_return(k, key, 0);
}

/* It is in no list but those of all keys. */
static void keys_end(struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	uint32_t younger = keys_table_remove(k, key);
	uintptr_t tag = e->tag;
	bool has_elder = e->has_elder;
	keys_weigh_entry(k, e, false);
	keys_index_remove(k, key);
	key_store_give(&k->store, key);
	if (younger && !has_elder)
		keys_release(k, younger);
	k->config.back(k->config.user, tag);
}

/* --- keys come --- */

static bool keys_is_legal(const struct keys_write *w)
{
	return w->index.n && w->index.n <= INDEX_NAME_BYTES_MAX && w->id.n &&
	       w->id.n <= DOCUMENT_ID_BYTES && w->routing.n <= REPLAY_ROUTING_BYTES;
}

static bool keys_is_replaced(const struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	return e->state != KEYS_IN_FLIGHT && e->generation == k->indices[e->index].newest;
}

/* The entry that the write becomes part of; 0: it needs one of its own. `n`: those of the key. */
static uint32_t keys_waiting(const struct keys *k, uint32_t youngest, struct span routing,
			     size_t *n)
{
	*n = 0;
	for (uint32_t key = youngest; key; key = keys_table_older(k, key), ++*n)
		if (keys_is_replaced(k, key) && span_is(keys_routing(keys_entry(k, key)), routing))
			return key;
	return 0;
}

static enum keys_added keys_put(struct keys *k, const struct keys_write *w, uint32_t index)
{
	uint32_t youngest = keys_table_find(k, index, w->id, keys_table_hash(k, index, w->id));
	bool parked = k->indices[index].parked;
	size_t n;
	uint32_t was = keys_waiting(k, youngest, w->routing, &n);
	if (was) {
		uintptr_t spare = keys_exchange_tag(k, was, w->tag, w->origin);
		keys_entry(k, was)->marks |= w->marks;
		k->config.back(k->config.user, spare);
		return KEYS_REPLACED;
	}
	if (n >= REPLAY_KEY_ENTRIES_MAX || !keys_have_room(k, parked, 1, REPLAY_KEY_BYTES))
		return parked ? KEYS_PARKED_FULL : KEYS_FULL;
	keys_add_entry(k, w, index, youngest);
	return KEYS_ADDED;
}

enum keys_added keys_add(struct keys *k, const struct keys_write *w)
{
	if (!keys_is_legal(w))
		return KEYS_ILLEGAL;
	uint32_t index = keys_index_get(k, w->index);
	if (!index)
		return KEYS_FULL;
	enum keys_added added = keys_put(k, w, index);
	keys_index_settle(k, index);
	checks(keys_check(k, KEYS_CHECKED));
	return added;
}

/* --- keys go --- */

static void keys_depart(struct keys *k, uint32_t key, struct keys_taken *to)
{
	struct keys_entry *e = keys_entry(k, key);
	struct keys_index *x = &k->indices[e->index];
	if (e->state == KEYS_RETURNED)
		keys_index_take_returned(k, key);
	else
		x->fresh = e->younger;
	e->state = KEYS_IN_FLIGHT;
	x->in_flight_n++;
	k->in_flight_n++;
	*to = (struct keys_taken){ .key = key,
				   .index = keys_index_name(x),
				   .id = keys_id(e),
				   .routing = keys_routing(e),
				   .marks = e->marks,
				   .time_ns = e->time_ns,
				   .origin = keys_origin(e) };
}

static void keys_candidates_sink(struct keys *k, size_t n, size_t at)
{
	struct keys_candidate c = k->candidates[at];
	for (size_t below; (below = 2 * at + 1) < n; at = below) {
		if (below + 1 < n &&
		    k->candidates[below + 1].time_ns < k->candidates[below].time_ns)
			below++;
		if (k->candidates[below].time_ns >= c.time_ns)
			break;
		k->candidates[at] = k->candidates[below];
	}
	k->candidates[at] = c;
}

static bool keys_candidate(struct keys *k, uint32_t index, uint64_t now_ms,
			   struct keys_candidate *to)
{
	uint32_t key = keys_index_next(k, index, now_ms);
	if (key)
		*to = (struct keys_candidate){ keys_entry(k, key)->time_ns, index, key };
	return key != 0;
}

/* A heap of the indices of which something goes, by the time of that: how many. */
static size_t keys_candidates(struct keys *k, uint64_t now_ms)
{
	size_t n = 0;
	/* From the end: one of which nothing goes gives its place to one that was looked at. */
	for (uint32_t i = k->active_n; i-- > 0;) {
		uint32_t index = k->active[i];
		n += keys_candidate(k, index, now_ms, &k->candidates[n]);
		keys_index_settle(k, index);
	}
	for (size_t i = n / 2; i-- > 0;)
		keys_candidates_sink(k, n, i);
	return n;
}

static size_t keys_bytes_of(const struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	return k->indices[e->index].name_n + (size_t)e->id_n + e->routing_n;
}

size_t keys_take(struct keys *k, const struct keys_ask *ask, struct keys_taken *to)
{
	size_t n = 0, bytes = 0, candidates = keys_candidates(k, ask->now_ms);
	while (candidates && n < ask->n_max) {
		struct keys_candidate *first = k->candidates;
		uint32_t index = first->index;
		bytes += keys_bytes_of(k, first->key);
		if (n && bytes > ask->bytes_max)
			break;
		keys_depart(k, first->key, &to[n++]);
		if (!keys_candidate(k, index, ask->now_ms, first))
			*first = k->candidates[--candidates];
		keys_candidates_sink(k, candidates, 0);
		keys_index_settle(k, index);
	}
	checks(keys_check(k, KEYS_CHECKED));
	return n;
}

uint64_t keys_due_ms(struct keys *k, uint64_t now_ms)
{
	uint64_t due = UINT64_MAX;
	for (uint32_t i = k->active_n; i-- > 0 && due > now_ms;) {
		uint32_t index = k->active[i];
		const struct keys_index *x = &k->indices[index];
		if (keys_index_next(k, index, now_ms))
			due = now_ms;
		else if (x->returned_n && x->returned[0].not_before_ms < due)
			due = x->returned[0].not_before_ms;
		keys_index_settle(k, index);
	}
	return due;
}

/* --- keys come back --- */

static void keys_land(struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	must(e->state == KEYS_IN_FLIGHT && !e->has_elder);
	k->indices[e->index].in_flight_n--;
	k->in_flight_n--;
}

void keys_done(struct keys *k, uint32_t key)
{
	uint32_t index = keys_entry(k, key)->index;
	keys_land(k, key);
	keys_end(k, key);
	keys_index_settle(k, index);
	checks(keys_check(k, KEYS_CHECKED));
}

void keys_set_aside(struct keys *k, uint32_t key)
{
	k->set_aside_n++;
	keys_done(k, key);
}

/* What waits next behind it, of its own generation and routing, becomes part of it. */
static void keys_merge(struct keys *k, uint32_t key)
{
	uint32_t younger = keys_table_younger(k, key);
	if (!younger)
		return;
	struct keys_entry *e = keys_entry(k, key), *y = keys_entry(k, younger);
	if (y->generation != e->generation || !span_is(keys_routing(y), keys_routing(e)))
		return;
	must(y->state == KEYS_FRESH || y->state == KEYS_HELD);
	y->tag = (uint32_t)keys_exchange_tag(k, key, y->tag, keys_origin(y));
	e->marks |= y->marks;
	keys_end(k, younger);
}

void keys_mark(struct keys *k, uint32_t key, uint8_t marks)
{
	struct keys_entry *e = keys_entry(k, key);
	must(e->state == KEYS_IN_FLIGHT);
	e->marks |= marks;
}

/* The younger one's end makes no other entry the first: this one is older than all. */
void keys_again(struct keys *k, uint32_t key, uint64_t not_before_ms)
{
	uint32_t index = keys_entry(k, key)->index;
	keys_land(k, key);
	keys_index_return(k, key, not_before_ms);
	keys_merge(k, key);
	keys_index_settle(k, index);
	checks(keys_check(k, KEYS_CHECKED));
}

/* --- indices --- */

static void keys_set_parked(struct keys *k, uint32_t index, bool parked)
{
	struct keys_index *x = &k->indices[index];
	keys_weigh(k, x->parked, x->n, x->bytes, false);
	x->parked = parked;
	keys_weigh(k, x->parked, x->n, x->bytes, true);
	keys_index_settle(k, index);
	checks(keys_check(k, KEYS_CHECKED));
}

bool keys_park(struct keys *k, struct span index)
{
	if (!index.n || index.n > INDEX_NAME_BYTES_MAX)
		return false;
	uint32_t number = keys_index_get(k, index);
	if (!number)
		return false;
	const struct keys_index *x = &k->indices[number];
	if (!x->parked && !keys_have_room(k, true, x->n, x->bytes))
		return false;
	keys_set_parked(k, number, true);
	return true;
}

/* For a moment there may be more keys than REPLAY_KEYS_MAX: then nothing is added. */
void keys_resume(struct keys *k, struct span index)
{
	uint32_t number = keys_index_find(k, index);
	if (number)
		keys_set_parked(k, number, false);
}

bool keys_is_parked(const struct keys *k, struct span index)
{
	uint32_t number = keys_index_find(k, index);
	return number && k->indices[number].parked;
}

static bool keys_drop_one(struct keys *k, uint32_t key)
{
	const struct keys_entry *e = keys_entry(k, key);
	if (e->state == KEYS_IN_FLIGHT)
		return false;
	if (e->state == KEYS_RETURNED)
		keys_index_take_returned(k, key);
	keys_end(k, key);
	return true;
}

size_t keys_drop(struct keys *k, struct span index)
{
	uint32_t number = keys_index_find(k, index);
	size_t n = 0;
	if (!number)
		return 0;
	uint8_t open = k->indices[number].open;
	for (uint32_t key = k->indices[number].oldest, next; key; key = next) {
		const struct keys_entry *e = keys_entry(k, key);
		next = e->younger;
		if (e->generation != open)
			break;
		n += keys_drop_one(k, key);
	}
	keys_index_settle(k, number);
	checks(keys_check(k, KEYS_CHECKED));
	return n;
}

/* --- a life --- */

struct keys *keys_open(const struct keys_config *config)
{
	struct keys *k = calloc(1, sizeof *k);
	must(k);
	k->config = *config;
	key_store_open(&k->store);
	keys_table_open(&k->table);
	list_init(&k->fences);
	return k;
}

void keys_close(struct keys *k)
{
	while (!list_empty(&k->fences)) {
		struct keys_fence *f =
			list_entry(list_take_first(&k->fences), struct keys_fence, link);
		free(f->pattern);
		free(f);
	}
	keys_indices_free(k);
	keys_table_close(&k->table);
	key_store_close(&k->store);
	free(k->active);
	free(k->candidates);
	free(k);
}
