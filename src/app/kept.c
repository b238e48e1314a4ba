#include "app/kept.h"

#include <string.h>

#include "base/bug.h"

void kept_put(struct kept *k, struct span text)
{
	uint32_t changes = atomic_load(&k->changes);
	struct kept_copy *to = &k->copies[(changes + 1) & 1];
	must(text.n <= TEXT_FILE_BYTES);
	k->version = KEPT_VERSION;
	to->n = (uint32_t)text.n;
	if (text.n)
		memcpy(to->text, text.at, text.n);
	/* 0 would say that there is none. */
	atomic_store(&k->changes, changes + 1 ? changes + 1 : 2);
}

bool kept_read(const struct kept *k, struct span *text)
{
	uint32_t changes = atomic_load(&k->changes);
	const struct kept_copy *from = &k->copies[changes & 1];
	if (!changes || k->version != KEPT_VERSION || from->n > TEXT_FILE_BYTES)
		return false;
	*text = (struct span){ from->text, from->n };
	return true;
}
