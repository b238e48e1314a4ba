#include "proxy/steer.h"

#include <xxhash.h>

#include "base/bug.h"

/* --- the override --- */

static bool may_override(const struct plan *p, const struct addr *client,
			 const struct board_values *v)
{
	return p->override_allow && !v->rolled_back && networks_have(p->override_allow, client);
}

/* False when the field occurs twice: that is ambiguous. */
static bool read_arm(const struct msg *m, enum arm *arm)
{
	const struct field *first = msg_find(m, NAME_X_CROSSFADE_CLUSTER);
	for (const struct field *f = first + 1; f < m->fields + m->field_n; f++)
		if (f->name == NAME_X_CROSSFADE_CLUSTER && !f->dropped)
			return false;
	struct span value = field_value(m, first);
	*arm = span_is(value, SPAN("target")) ? ARM_TARGET : ARM_SOURCE;
	return *arm == ARM_TARGET || span_is(value, SPAN("source"));
}

/* --- sticky keys --- */

/* "a=1; name=VALUE; b=2" (RFC 6265, 4.2.1): names are case-sensitive, and the first one counts. */
static struct span cookie_value(struct span cookies, struct span name)
{
	while (cookies.n) {
		const char *end = memchr(cookies.at, ';', cookies.n);
		size_t n = end ? (size_t)(end - cookies.at) : cookies.n;
		struct span pair = span_trim((struct span){ cookies.at, n });
		if (pair.n > name.n && pair.at[name.n] == '=' && !memcmp(pair.at, name.at, name.n))
			return (struct span){ pair.at + name.n + 1, pair.n - name.n - 1 };
		n += !!end;
		cookies = (struct span){ cookies.at + n, cookies.n - n };
	}
	return cookies;
}

static struct span key_in(const struct sticky *s, const struct msg *m, const struct field *f)
{
	if (s->by == STICKY_COOKIE)
		return cookie_value(field_value(m, f), s->name);
	if (f->name == NAME_OTHER && !span_is_nocase(field_name(m, f), s->name))
		return (struct span){ NULL, 0 };
	return field_value(m, f);
}

static struct span sticky_key(const struct sticky *s, const struct msg *m)
{
	for (unsigned i = 0; i < m->field_n; i++) {
		const struct field *f = &m->fields[i];
		if (f->name != s->field || f->dropped)
			continue;
		struct span key = key_in(s, m, f);
		if (key.n)
			return key;
	}
	return (struct span){ NULL, 0 };
}

bool sticky_hash(const struct sticky *s, const struct msg *request, const struct addr *client,
		 uint64_t *hash)
{
	if (s->by == STICKY_ADDRESS) {
		unsigned char bytes[16];
		if (!addr_canonical(client, bytes))
			return false;
		*hash = XXH3_64bits_withSeed(bytes, sizeof bytes, s->seed);
		return true;
	}
	struct span key = sticky_key(s, request);
	if (key.n)
		*hash = XXH3_64bits_withSeed(key.at, key.n, s->seed);
	return key.n > 0;
}

/* hash / 2^64 < target / sum, without rounding: the upper half of the product is a whole share. */
enum arm sticky_arm(uint64_t hash, const uint32_t weights[ARMS])
{
	uint64_t sum = (uint64_t)weights[ARM_SOURCE] + weights[ARM_TARGET];
	must(sum > 0);
	uint64_t share = (uint64_t)((unsigned __int128)hash * sum >> 64);
	return share < weights[ARM_TARGET] ? ARM_TARGET : ARM_SOURCE;
}

/* --- both --- */

enum steering steer(const struct msg *request, const struct plan *p, const struct addr *client,
		    const struct board_values *v, enum arm *arm)
{
	uint64_t hash;
	if (msg_find(request, NAME_X_CROSSFADE_CLUSTER) && may_override(p, client, v))
		return read_arm(request, arm) ? STEER_OVERRIDE : STEER_BAD;
	if (p->sticky.by == STICKY_NOT || !sticky_hash(&p->sticky, request, client, &hash))
		return STEER_NOT;
	*arm = sticky_arm(hash, v->weights);
	return STEER_STICKY;
}
