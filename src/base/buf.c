#include "base/buf.h"

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"

static const size_t class_bytes[BLOCK_CLASSES] = {
	[BLOCK_SMALL] = BLOCK_SMALL_BYTES,
	[BLOCK_LARGE] = BLOCK_LARGE_BYTES,
};

void bufs_open(struct bufs *b)
{
	*b = (struct bufs){ .bytes_out = 0 };
	slab_open(&b->blocks[BLOCK_SMALL], BLOCK_SMALL_BYTES, 32);
	slab_open(&b->blocks[BLOCK_LARGE], sizeof(struct block) + BLOCK_LARGE_BYTES, 1);
	slab_open(&b->slices, sizeof(struct slice), 256);
	slab_open(&b->accounts, sizeof(struct account), 64);
}

void bufs_close(struct bufs *b)
{
	must(b->bytes_out == 0);
	for (int i = 0; i < BLOCK_CLASSES; i++)
		slab_close(&b->blocks[i]);
	slab_close(&b->slices);
	slab_close(&b->accounts);
}

bool bufs_trim(struct bufs *b)
{
	bool more = slab_trim(&b->slices, SLAB_RUNS_TRIMMED);
	more |= slab_trim(&b->accounts, SLAB_RUNS_TRIMMED);
	for (int i = 0; i < BLOCK_CLASSES; i++)
		more |= slab_trim(&b->blocks[i], SLAB_RUNS_TRIMMED);
	return more;
}

struct block *block_take(struct bufs *b, enum block_class class, struct account *account)
{
	struct block *k = slab_take(&b->blocks[class]);
	size_t size = class == BLOCK_SMALL ? class_bytes[class] - sizeof *k : class_bytes[class];
	k->bufs = b;
	k->account = account;
	k->refs = 1;
	k->size = (uint32_t)size;
	k->class = class;
	k->packing = false;
	b->bytes_out += size;
	if (account)
		account_take(account, size);
	return k;
}

/* The account stops filling this block. */
static void end_packing(struct block *k)
{
	k->packing = false;
	k->account->packed = NULL;
	block_drop(k);
}

void block_drop(struct block *k)
{
	must(k->refs > 0);
	if (--k->refs) {
		if (k->packing && k->refs == 1)
			end_packing(k);
		return;
	}
	struct bufs *b = k->bufs;
	must(b->bytes_out >= k->size);
	b->bytes_out -= k->size;
	if (k->account)
		account_give(k->account, k->size);
	slab_give(&b->blocks[k->class], k);
}

/* Only the first CHECKED_MAX slices are checked; beyond them only that there are more bytes. */
void chain_check(const struct chain *c)
{
	size_t bytes = 0;
	const struct slice *s = c->first;
	must(!c->first == !c->bytes);
	for (unsigned n = 0; s && n < CHECKED_MAX; n++, s = s->next) {
		const struct block *k = s->block;
		must(s->n > 0 && k->refs > 0);
		must(s->at >= k->data && s->at + s->n <= k->data + k->size);
		must(s->next || s == c->last);
		bytes += s->n;
	}
	must(s ? bytes < c->bytes : bytes == c->bytes);
}

static void chain_append(struct chain *c, struct slice *s)
{
	s->next = NULL;
	if (c->last)
		c->last->next = s;
	else
		c->first = s;
	c->last = s;
	c->bytes += s->n;
}

static void free_slice(struct slice *s)
{
	struct bufs *b = s->block->bufs;
	block_drop(s->block);
	slab_give(&b->slices, s);
}

void chain_add(struct chain *c, struct block *k, uint8_t *at, size_t n)
{
	must(at >= k->data && at + n <= k->data + k->size);
	if (!n) {
		block_drop(k);
		return;
	}
	struct slice *s = slab_take(&k->bufs->slices);
	*s = (struct slice){ .block = k, .at = at, .n = (uint32_t)n };
	chain_append(c, s);
}

/* The free bytes after the last slice, if no other slice uses the block. */
static size_t tail_room(const struct chain *c)
{
	const struct slice *s = c->last;
	if (!s || s->block->refs != 1)
		return 0;
	return (size_t)(s->block->data + s->block->size - (s->at + s->n));
}

uint8_t *chain_room(struct chain *c, struct bufs *b, size_t least, size_t *room)
{
	size_t have = tail_room(c);
	if (have < least || have == 0) {
		bool small = least <= class_bytes[BLOCK_SMALL] - sizeof(struct block);
		struct account *payer = c->last ? c->last->block->account : NULL;
		struct block *k = block_take(b, small ? BLOCK_SMALL : BLOCK_LARGE, payer);
		must(least <= k->size);
		struct slice *s = slab_take(&b->slices);
		*s = (struct slice){ .block = k, .at = k->data, .n = 0 };
		chain_append(c, s);
		have = k->size;
	}
	*room = have;
	return c->last->at + c->last->n;
}

void chain_extend(struct chain *c, size_t n)
{
	must(n <= tail_room(c));
	c->last->n += (uint32_t)n;
	c->bytes += n;
	checks(chain_check(c));
}

void chain_copy_in(struct chain *c, struct bufs *b, const void *from, size_t n)
{
	const uint8_t *at = from;
	while (n) {
		size_t room;
		uint8_t *to = chain_room(c, b, 1, &room);
		size_t now = n < room ? n : room;
		memcpy(to, at, now);
		chain_extend(c, now);
		at += now;
		n -= now;
	}
}

/* True when `s` directly follows `last` in the same block: they can become one slice. */
static bool slices_join(const struct slice *last, const struct slice *s)
{
	return last && last->block == s->block && last->at + last->n == s->at;
}

static struct slice *chain_take_first(struct chain *c)
{
	struct slice *s = c->first;
	c->first = s->next;
	if (!c->first)
		c->last = NULL;
	c->bytes -= s->n;
	return s;
}

static void join_first(struct chain *to, struct chain *from)
{
	struct slice *s = chain_take_first(from);
	to->last->n += s->n;
	to->bytes += s->n;
	free_slice(s);
}

void chain_move(struct chain *to, struct chain *from)
{
	if (!from->first)
		return;
	if (from->bytes <= BYTES_COPIED && from->bytes <= tail_room(to)) {
		size_t n = from->bytes;
		if (!to->last->block->account)
			block_charge(to->last->block, from->first->block->account);
		chain_peek(from, to->last->at + to->last->n, n);
		chain_extend(to, n);
		chain_drop(from);
		return;
	}
	if (slices_join(to->last, from->first))
		join_first(to, from);
	if (!from->first)
		return;
	if (to->last)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	to->bytes += from->bytes;
	*from = (struct chain){ 0 };
	checks(chain_check(to));
}

void chain_move_some(struct chain *to, struct chain *from, size_t n)
{
	must(n <= from->bytes);
	if (n == from->bytes && !to->first) {
		*to = *from;
		*from = (struct chain){ 0 };
		return;
	}
	while (n && n >= from->first->n) {
		struct slice *s = chain_take_first(from);
		n -= s->n;
		chain_append(to, s);
	}
	if (!n)
		return;
	struct slice *s = from->first;
	block_hold(s->block);
	chain_add(to, s->block, s->at, n);
	s->at += n;
	s->n -= (uint32_t)n;
	from->bytes -= n;
	checks(chain_check(to));
	checks(chain_check(from));
}

static bool is_behind(const struct slice *last, const struct slice *s)
{
	return last && last->block == s->block && last->at + last->n <= s->at;
}

void chain_gather(struct chain *to, struct chain *from, size_t n)
{
	struct slice *s = from->first, *last = to->last;
	if (!n || n > BYTES_COPIED || n > s->n || !is_behind(last, s)) {
		chain_move_some(to, from, n);
		return;
	}
	memmove(last->at + last->n, s->at, n);
	last->n += (uint32_t)n;
	to->bytes += n;
	chain_skip(from, n);
	checks(chain_check(to));
}

void chain_refer(struct chain *to, const struct chain *from)
{
	for (const struct slice *s = from->first; s; s = s->next) {
		if (slices_join(to->last, s)) {
			to->last->n += s->n;
			to->bytes += s->n;
			continue;
		}
		block_hold(s->block);
		chain_add(to, s->block, s->at, s->n);
	}
}

/* The account's block for small pieces, with some room. */
static struct block *packed_block(struct bufs *b, struct account *a)
{
	struct block *k = a->packed;
	if (k && a->packed_n < k->size)
		return k;
	if (k)
		end_packing(k);
	k = block_take(b, BLOCK_SMALL, a);
	k->packing = true;
	a->packed = k;
	a->packed_n = 0;
	return k;
}

static void pack_slice(struct chain *to, struct slice *s, struct account *a)
{
	while (s->n) {
		struct block *k = packed_block(s->block->bufs, a);
		size_t room = k->size - a->packed_n, n = s->n < room ? s->n : room;
		struct chain piece = { 0 };
		uint8_t *at = k->data + a->packed_n;
		memcpy(at, s->at, n);
		a->packed_n += n;
		s->at += n;
		s->n -= (uint32_t)n;
		block_hold(k);
		chain_add(&piece, k, at, n);
		chain_move(to, &piece);
	}
	free_slice(s);
}

void chain_pack_all(struct chain *c, struct account *a)
{
	struct chain packed = { 0 };
	while (c->first) {
		struct slice *s = chain_take_first(c);
		if (!s->block->packing && s->n < s->block->size / PACK_SHARE)
			pack_slice(&packed, s, a);
		else
			chain_append(&packed, s);
	}
	*c = packed;
	checks(chain_check(c));
}

void chain_skip(struct chain *c, size_t n)
{
	must(n <= c->bytes);
	while (n && n >= c->first->n) {
		struct slice *s = chain_take_first(c);
		n -= s->n;
		free_slice(s);
	}
	if (n) {
		c->first->at += n;
		c->first->n -= (uint32_t)n;
		c->bytes -= n;
	}
	checks(chain_check(c));
}

void chain_drop(struct chain *c)
{
	while (c->first)
		free_slice(chain_take_first(c));
}

void chain_peek(const struct chain *c, void *to, size_t n)
{
	must(n <= c->bytes);
	uint8_t *out = to;
	for (const struct slice *s = c->first; n; s = s->next) {
		size_t now = n < s->n ? n : s->n;
		memcpy(out, s->at, now);
		out += now;
		n -= now;
	}
}

uint8_t *chain_pull(struct chain *c, size_t n)
{
	must(n <= c->bytes && n <= BLOCK_LARGE_BYTES);
	if (!n || c->first->n >= n)
		return n ? c->first->at : NULL;
	struct bufs *b = c->first->block->bufs;
	bool small = n <= class_bytes[BLOCK_SMALL] - sizeof(struct block);
	struct block *k =
		block_take(b, small ? BLOCK_SMALL : BLOCK_LARGE, c->first->block->account);
	chain_peek(c, k->data, n);
	chain_skip(c, n);
	struct chain whole = { 0 };
	chain_add(&whole, k, k->data, n);
	chain_move(&whole, c);
	*c = whole;
	return c->first->at;
}
