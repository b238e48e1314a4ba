#include "proxy/hop.h"

#include <string.h>

#include "base/fmt.h"
#include "base/limits.h"

static struct span hop_take_member(struct span *list)
{
	const char *comma = memchr(list->at, ',', list->n);
	size_t n = comma ? (size_t)(comma - list->at) : list->n, skip = comma ? n + 1 : n;
	struct span member = { list->at, n };
	*list = (struct span){ list->at + skip, list->n - skip };
	return span_trim(member);
}

struct hop hop_of(uint64_t id)
{
	struct hop h;
	char *at = mempcpy(h.line, HOP_NAME ": ", sizeof HOP_NAME - 1 + 2);
	memcpy(fmt_hex_wide(at, id, HOP_ID_DIGITS), "\r\n", 2);
	return h;
}

bool hop_goes_round(const struct msg *request, const struct hop *own)
{
	unsigned hops = 0;
	if (!msg_find(request, NAME_X_CROSSFADE_HOP))
		return false;
	for (unsigned i = 0; i < request->field_n; i++) {
		const struct field *f = &request->fields[i];
		if (f->name != NAME_X_CROSSFADE_HOP || f->dropped)
			continue;
		for (struct span list = field_value(request, f); list.n;)
			if (span_is_nocase(hop_take_member(&list), hop_id(own)) ||
			    ++hops > HOPS_MAX)
				return true;
	}
	return false;
}
