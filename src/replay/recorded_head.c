#include "replay/recorded_head.h"

#include "capture/redact.h"
#include "http/h1_parse.h"

#define MARK "hmac-sha256:"

static bool recorded_is_hash(struct span value)
{
	return value.n == REDACTED_BYTES && !memcmp(value.at, MARK, strlen(MARK));
}

bool recorded_hides(const struct msg *m)
{
	struct span query = msg_query(m);
	return memmem(query.at, query.n, MARK, strlen(MARK));
}

/* Hashes are longer than some values that they stand for, so the head may be too. */
bool recorded_head_read(struct msg *m, struct span text)
{
	struct h1_parser p;
	size_t used;
	h1_parse_request(&p, m);
	p.lenient = true;
	p.head_max = text.n;
	if (h1_parse(&p, text, &used) != H1_DONE || used != text.n)
		return false;
	for (unsigned i = 0; i < m->field_n; i++)
		if (recorded_is_hash(field_value(m, &m->fields[i])))
			m->fields[i].dropped = true;
	msg_drop(m, NAME_EXPECT);
	m->expects = false;
	return true;
}
