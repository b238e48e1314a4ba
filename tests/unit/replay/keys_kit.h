#ifndef UNIT_REPLAY_KEYS_KIT_H
#define UNIT_REPLAY_KEYS_KIT_H

/* A table of keys, and the tags that it has given back. */

#include "unit/cmocka_all.h"

#include <stdint.h>
#include <stdlib.h>

#include "replay/keys.h"

#define KIT_TAGS 65536

struct kit {
	struct keys *keys;
	unsigned char back[KIT_TAGS]; /* how often each tag has come back */
	size_t back_n;
};

static inline void kit_back(void *user, uintptr_t tag)
{
	struct kit *kit = user;
	assert_true(tag < KIT_TAGS);
	kit->back[tag]++;
	kit->back_n++;
}

static inline struct kit *kit_open(void)
{
	struct kit *kit = calloc(1, sizeof *kit);
	assert_non_null(kit);
	struct keys_config config = { .seed = 1, .back = kit_back, .user = kit };
	kit->keys = keys_open(&config);
	return kit;
}

static inline void kit_close(struct kit *kit)
{
	keys_check(kit->keys, SIZE_MAX);
	keys_close(kit->keys);
	free(kit);
}

/* The tag is the time, too. */
static inline enum keys_added kit_add(struct kit *kit, const char *index, const char *id,
				      uintptr_t tag)
{
	struct keys_write w = {
		.index = span_of(index), .id = span_of(id), .tag = tag, .time_ns = tag
	};
	enum keys_added added = keys_add(kit->keys, &w);
	keys_check(kit->keys, SIZE_MAX);
	return added;
}

static inline size_t kit_take(struct kit *kit, struct keys_taken *to, size_t n, uint64_t now_ms)
{
	struct keys_ask ask = { .now_ms = now_ms, .n_max = n, .bytes_max = SIZE_MAX };
	size_t got = keys_take(kit->keys, &ask, to);
	keys_check(kit->keys, SIZE_MAX);
	return got;
}

static inline void kit_assert_taken(struct kit *kit, uint64_t now_ms, const char *ids)
{
	struct keys_taken taken[16];
	char got[256] = "";
	size_t n = kit_take(kit, taken, 16, now_ms);
	for (size_t i = 0; i < n; i++) {
		strncat(got, taken[i].id.at, taken[i].id.n);
		keys_done(kit->keys, taken[i].key);
	}
	assert_string_equal(got, ids);
}

#endif
