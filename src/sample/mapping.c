#include "sample/mapping.h"

#include <string.h>

#include "sample/type.h"
#include "base/bug.h"

/* One look at a document. A mapping that lacks fields is copied, and grows in a second look. */
struct look {
	bool growing;
	bool lacks; /* a field is new, and the mapping may not grow yet */
	bool dates; /* strings are looked at for dates */
	size_t field_n;
	struct sample_trouble *trouble;
};

static bool look_at_object(struct look *l, json_t *mapping, const json_t *object,
			   const char *dynamic, unsigned depth);

/* --- new fields --- */

static size_t mapping_count(const json_t *mapping)
{
	const char *name;
	json_t *field;
	size_t n = 0;
	json_object_foreach(json_object_get(mapping, "properties"), name, field)
		n += 1 + json_object_size(json_object_get(field, "fields")) + mapping_count(field);
	return n;
}

static json_t *properties_of(json_t *mapping)
{
	json_t *properties = json_object_get(mapping, "properties");
	if (!properties) {
		properties = json_object();
		json_object_set_new(mapping, "properties", properties);
	}
	return properties;
}

/* What decides the type of a field: of an array its first value. NULL: nothing does. */
static const json_t *first_value(const json_t *value)
{
	size_t i;
	json_t *member;
	if (!json_is_array(value))
		return json_is_null(value) ? NULL : value;
	json_array_foreach(value, i, member) {
		const json_t *first = first_value(member);
		if (first)
			return first;
	}
	return NULL;
}

/* The field of a name that no mapping has; NULL with no trouble: it is left out. */
static json_t *look_make(struct look *l, json_t *mapping, const char *name, const json_t *value,
			 const char *dynamic)
{
	const json_t *first = first_value(value);
	if (!first || !strcmp(dynamic, "false"))
		return NULL;
	if (!strcmp(dynamic, "strict")) {
		sample_refuse(
			l->trouble, 400, "strict_dynamic_mapping_exception",
			"mapping set to strict, dynamic introduction of [%s] within [_doc] is "
			"not allowed",
			name);
		return NULL;
	}
	l->lacks = true;
	if (!l->growing)
		return NULL;
	json_t *field = sample_type_of(first, l->dates);
	l->field_n += 1 + json_object_size(json_object_get(field, "fields"));
	json_object_set_new(properties_of(mapping), name, field);
	if (l->field_n > SAMPLE_FIELDS_MAX)
		sample_refuse(l->trouble, 400, "illegal_argument_exception",
			      "Limit of total fields [%d] has been exceeded", SAMPLE_FIELDS_MAX);
	return field;
}

/* --- values --- */

static bool look_at_value(struct look *l, json_t *field, const char *name, const json_t *value,
			  const char *dynamic, unsigned depth)
{
	size_t i;
	json_t *member;
	if (json_is_null(value) || sample_type_takes_all(field))
		return true;
	if (json_is_array(value)) {
		json_array_foreach(value, i, member)
			if (!look_at_value(l, field, name, member, dynamic, depth))
				return false;
		return true;
	}
	if (!sample_type_is_object(field))
		return sample_type_takes(field, name, value, l->trouble);
	if (!json_is_object(value))
		return sample_refuse(l->trouble, 400, "mapper_parsing_exception",
				     "object mapping for [%s] tried to parse field [%s] as object, "
				     "but found a concrete value",
				     name, name);
	return look_at_object(l, field, value, dynamic, depth + 1);
}

static bool look_at_field(struct look *l, json_t *mapping, const char *name, const json_t *value,
			  const char *dynamic, unsigned depth)
{
	json_t *field = json_object_get(json_object_get(mapping, "properties"), name);
	if (!field)
		field = look_make(l, mapping, name, value, dynamic);
	if (l->trouble->status)
		return false;
	return !field || look_at_value(l, field, name, value, dynamic, depth);
}

/* {"a.b":1} is {"a":{"b":1}}. */
static bool look_at_dotted(struct look *l, json_t *mapping, const char *name, const json_t *value,
			   const char *dynamic, unsigned depth)
{
	const char *dot = strchr(name, '.');
	json_t *inner = json_object(), *head = json_stringn(name, (size_t)(dot - name));
	must(inner && head);
	json_object_set(inner, dot + 1, (json_t *)(uintptr_t)value);
	bool good =
		json_string_length(head) && dot[1]
			? look_at_field(l, mapping, json_string_value(head), inner, dynamic, depth)
			: sample_refuse(l->trouble, 400, "mapper_parsing_exception",
					"field name [%s] has an empty part", name);
	json_decref(head);
	json_decref(inner);
	return good;
}

static bool look_at_object(struct look *l, json_t *mapping, const json_t *object,
			   const char *dynamic, unsigned depth)
{
	const char *name, *own = sample_type_dynamic(mapping);
	json_t *value;
	if (depth > SAMPLE_DEPTH_MAX)
		return sample_refuse(l->trouble, 400, "illegal_argument_exception",
				     "Limit of mapping depth [%d] has been exceeded",
				     SAMPLE_DEPTH_MAX);
	dynamic = own ? own : dynamic;
	json_object_foreach((json_t *)(uintptr_t)object, name, value) {
		bool good = strchr(name, '.')
				    ? look_at_dotted(l, mapping, name, value, dynamic, depth)
				    : look_at_field(l, mapping, name, value, dynamic, depth);
		if (!good)
			return false;
	}
	return true;
}

bool sample_mapping_takes(json_t **mapping, const json_t *document, bool *grown,
			  struct sample_trouble *t)
{
	struct look l = { .dates = !json_is_false(json_object_get(*mapping, "date_detection")),
			  .trouble = t };
	*grown = false;
	if (!look_at_object(&l, *mapping, document, "true", 1))
		return false;
	if (!l.lacks)
		return true;
	json_t *copy = json_deep_copy(*mapping);
	must(copy);
	l.growing = true;
	l.field_n = mapping_count(copy);
	if (!look_at_object(&l, copy, document, "true", 1)) {
		json_decref(copy);
		return false;
	}
	json_decref(*mapping);
	*mapping = copy;
	*grown = true;
	return true;
}

/* --- a mapping that was given --- */

static bool merge_fields(json_t *into, const json_t *more, struct sample_trouble *t,
			 unsigned depth);

static bool merge_field(json_t *properties, const char *name, json_t *given,
			struct sample_trouble *t, unsigned depth)
{
	json_t *field = json_object_get(properties, name);
	if (!json_is_object(given))
		return sample_refuse(t, 400, "mapper_parsing_exception",
				     "Expected map for property [fields] on field [%s]", name);
	if (!field) {
		field = json_object();
		json_object_set_new(properties, name, field);
	} else if (strcmp(sample_type_name(field), sample_type_name(given)) != 0)
		return sample_refuse(t, 400, "illegal_argument_exception",
				     "mapper [%s] cannot be changed from type [%s] to [%s]", name,
				     sample_type_name(field), sample_type_name(given));
	return merge_fields(field, given, t, depth + 1);
}

static bool merge_fields(json_t *into, const json_t *more, struct sample_trouble *t, unsigned depth)
{
	const char *name;
	json_t *value;
	if (depth > SAMPLE_DEPTH_MAX)
		return sample_refuse(t, 400, "illegal_argument_exception",
				     "Limit of mapping depth [%d] has been exceeded",
				     SAMPLE_DEPTH_MAX);
	json_object_foreach((json_t *)(uintptr_t)more, name, value)
		if (strcmp(name, "properties") != 0)
			json_object_set(into, name, value);
	json_object_foreach(json_object_get(more, "properties"), name, value)
		if (!merge_field(properties_of(into), name, value, t, depth))
			return false;
	return true;
}

bool sample_mapping_merge(json_t **mapping, const json_t *more, bool *grown,
			  struct sample_trouble *t)
{
	if (!json_is_object(more))
		return sample_refuse(t, 400, "mapper_parsing_exception",
				     "the mapping is not a JSON object");
	json_t *copy = json_deep_copy(*mapping);
	must(copy);
	bool good = merge_fields(copy, more, t, 1);
	if (good && mapping_count(copy) > SAMPLE_FIELDS_MAX)
		good = sample_refuse(t, 400, "illegal_argument_exception",
				     "Limit of total fields [%d] has been exceeded",
				     SAMPLE_FIELDS_MAX);
	*grown = good && !json_equal(copy, *mapping);
	if (!*grown) {
		json_decref(copy);
		return good;
	}
	json_decref(*mapping);
	*mapping = copy;
	return true;
}
