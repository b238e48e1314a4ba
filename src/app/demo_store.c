#include "app/demo_store.h"

#include <stdio.h>

#include "base/bug.h"

void demo_store_open(struct demo_store *s)
{
	*s = (struct demo_store){ .indices = json_object() };
	must(s->indices);
}

void demo_store_close(struct demo_store *s)
{
	json_decref(s->indices);
}

json_t *demo_index(const struct demo_store *s, const char *name)
{
	return json_object_get(s->indices, name);
}

bool demo_index_create(struct demo_store *s, const char *name)
{
	if (demo_index(s, name))
		return false;
	json_object_set_new(s->indices, name, json_object());
	return true;
}

bool demo_index_delete(struct demo_store *s, const char *name)
{
	return json_object_del(s->indices, name) == 0;
}

json_t *demo_document(const struct demo_store *s, const char *index, const char *id)
{
	return json_object_get(demo_index(s, index), id);
}

struct demo_result demo_put(struct demo_store *s, const char *index, const char *id, json_t *source)
{
	const json_t *before = demo_document(s, index, id);
	json_int_t version = json_integer_value(json_object_get(before, "_version")) + 1;
	demo_index_create(s, index);
	json_object_set_new(demo_index(s, index), id,
			    json_pack("{s:o,s:I}", "_source", source, "_version", version));
	return (struct demo_result){ version > 1 ? "updated" : "created", version, s->sequence++ };
}

struct demo_result demo_delete(struct demo_store *s, const char *index, const char *id)
{
	const json_t *before = demo_document(s, index, id);
	json_int_t version = json_integer_value(json_object_get(before, "_version")) + 1;
	bool found = before != NULL;
	if (found)
		json_object_del(demo_index(s, index), id);
	return (struct demo_result){ found ? "deleted" : "not_found", version, s->sequence++ };
}

void demo_new_id(struct demo_store *s, char text[32])
{
	snprintf(text, 32, "auto-%llu", (unsigned long long)++s->next_id);
}
