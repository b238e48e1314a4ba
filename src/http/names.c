#include "http/msg.h"

#include <string.h>

#include "base/bug.h"

/* Three words of 8 bytes: key_of() and one word in the middle cover every byte of a name. */
#define ROOM 24

struct row {
	char text[ROOM];
	uint8_t n;
	uint8_t how;
};

static const struct row rows[NAMES] = {
#define NAME(id, text, how) [NAME_##id] = { text, sizeof(text) - 1, HOW_##how },
#include "http/names.def"
#undef NAME
};

/* For each length its last row. The later initializer wins, which is intended here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const uint8_t last_of_length[ROOM] = {
#define NAME(id, text, how) [sizeof(text) - 1] = NAME_##id,
#include "http/names.def"
#undef NAME
};
#pragma GCC diagnostic pop

/*
 * The first and last eight (or four) bytes of a name in lower case; they may overlap. Our names
 * consist of letters, digits and hyphens. Digits and the hyphen keep their value, and no other byte
 * of a token becomes one of them.
 */
struct key {
	uint64_t first, last;
};

static inline uint64_t lower_8(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return word | 0x2020202020202020;
}

static inline uint64_t lower_4(const char *at)
{
	uint32_t word;
	memcpy(&word, at, sizeof word);
	return word | 0x20202020;
}

static inline struct key key_of(const char *at, size_t n)
{
	if (n >= 8)
		return (struct key){ lower_8(at), lower_8(at + n - 8) };
	if (n >= 4)
		return (struct key){ lower_4(at), lower_4(at + n - 4) };
	return (struct key){ at[0] | 0x20, at[n / 2] << 8 | at[n - 1] | 0x2020 };
}

enum name name_find(struct span name)
{
	size_t n = name.n;
	if (n >= ROOM || last_of_length[n] == NAME_OTHER)
		return NAME_OTHER;
	struct key key = key_of(name.at, n);
	for (const struct row *row = &rows[last_of_length[n]]; row->n == n; row--) {
		struct key other = key_of(row->text, n);
		if (key.first == other.first && key.last == other.last &&
		    (n <= 16 || lower_8(name.at + 8) == lower_8(row->text + 8)))
			return (enum name)(row - rows);
	}
	return NAME_OTHER;
}

struct span name_text(enum name name)
{
	must(name > NAME_OTHER && name < NAMES);
	return (struct span){ rows[name].text, rows[name].n };
}

enum how name_how(enum name name)
{
	must(name < NAMES);
	return rows[name].how;
}
