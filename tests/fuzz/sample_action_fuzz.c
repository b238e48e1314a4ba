/* The line of a bulk's action that is read where it stands says what a JSON library reads in it. */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "sample/action.h"
#include "base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void same(const json_t *meta, const char *name, struct span s)
{
	const json_t *j = json_object_get(meta, name);
	must((j != NULL) == (s.at != NULL));
	must(!j || span_is(s, (struct span){ json_string_value(j), json_string_length(j) }));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sample_operation o = { 0 };
	char *copy = malloc(n + 1);
	must(copy);
	memcpy(copy, data, n);
	if (sample_action_read((struct span){ copy, n }, &o)) {
		json_t *j = json_loadb(copy, n, 0, NULL);
		const json_t *meta = json_object_get(j, sample_action_name(o.action));
		must(json_object_size(j) == 1 && json_is_object(meta));
		same(meta, "_index", o.index);
		same(meta, "_id", o.id);
		same(meta, "routing", o.routing);
		json_decref(j);
	}
	free(copy);
	return 0;
}
