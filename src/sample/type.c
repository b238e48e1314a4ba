#include "sample/type.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

const char *sample_type_name(const json_t *field)
{
	const char *name = json_string_value(json_object_get(field, "type"));
	return name ? name : "object";
}

const char *sample_type_dynamic(const json_t *field)
{
	const json_t *dynamic = json_object_get(field, "dynamic");
	if (json_is_boolean(dynamic))
		return json_is_true(dynamic) ? "true" : "false";
	return json_string_value(dynamic);
}

bool sample_type_is_object(const json_t *field)
{
	const char *name = sample_type_name(field);
	return !strcmp(name, "object") || !strcmp(name, "nested");
}

/* --- values --- */

/* "0000-00-00": a digit for each 0; where it ends, NULL: it is none. */
static const char *type_digits(const char *at, const char *pattern)
{
	for (; *pattern; pattern++, at++)
		if (*pattern == '0' ? !isdigit((unsigned char)*at) : *at != *pattern)
			return NULL;
	return at;
}

static const char *type_time_end(const char *at)
{
	const char *more = type_digits(at, "00");
	if (more && (at = more, more = type_digits(at, ":00")))
		if ((at = more, more = type_digits(at, ":00")))
			at = more;
	if (*at == '.' || *at == ',')
		for (at++; isdigit((unsigned char)*at);)
			at++;
	if (*at == 'Z')
		return at + 1;
	if (*at != '+' && *at != '-')
		return at;
	more = type_digits(at + 1, "00:00");
	return more ? more : type_digits(at + 1, "0000");
}

/* 2026-11-24, 2026-11-24T10:00:00.000Z, 2026/11/24: what OpenSearch takes for a date by itself. */
static bool type_is_date(const char *text)
{
	const char *at = type_digits(text, "0000-00-00");
	at = at ? at : type_digits(text, "0000/00/00");
	if (at && (*at == 'T' || (*at == ' ' && text[4] == '/')))
		at = type_time_end(at + 1);
	return at && !*at;
}

static bool type_is_number(const char *text)
{
	char *end;
	if (!*text || isspace((unsigned char)*text))
		return false;
	strtod(text, &end);
	return !*end;
}

static bool takes_number(const json_t *value)
{
	return json_is_number(value) ||
	       (json_is_string(value) && type_is_number(json_string_value(value)));
}

static bool takes_date(const json_t *value)
{
	const char *text = json_string_value(value);
	return json_is_number(value) || (text && (type_is_date(text) || type_is_number(text)));
}

static bool takes_boolean(const json_t *value)
{
	const char *text = json_string_value(value);
	return json_is_boolean(value) ||
	       (text && (!*text || !strcmp(text, "true") || !strcmp(text, "false")));
}

static bool takes_text(const json_t *value)
{
	return !json_is_object(value);
}

static const struct type {
	const char *name;
	bool (*takes)(const json_t *value);
} types[] = {
	{ "text", takes_text },
	{ "keyword", takes_text },
	{ "long", takes_number },
	{ "integer", takes_number },
	{ "short", takes_number },
	{ "byte", takes_number },
	{ "double", takes_number },
	{ "float", takes_number },
	{ "half_float", takes_number },
	{ "date", takes_date },
	{ "scaled_float", takes_number },
	{ "boolean", takes_boolean },
	{ "ip", takes_text },
};

static const struct type *type_find(const json_t *field)
{
	const char *name = sample_type_name(field);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

bool sample_type_takes_all(const json_t *field)
{
	return json_is_false(json_object_get(field, "enabled")) ||
	       (!sample_type_is_object(field) && !type_find(field));
}

bool sample_type_takes(const json_t *field, const char *name, const json_t *value,
		       struct sample_trouble *t)
{
	const struct type *type = type_find(field);
	if (!type || type->takes(value) || json_is_true(json_object_get(field, "ignore_malformed")))
		return true;
	char *shown = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	sample_refuse(t, 400, "mapper_parsing_exception",
		      "failed to parse field [%s] of type [%s]. Preview of field's value: '%s'",
		      name, type->name, json_is_string(value) ? json_string_value(value) : shown);
	free(shown);
	return false;
}

/* --- new fields --- */

json_t *sample_type_of(const json_t *value, bool dates)
{
	const char *type = "text";
	if (json_is_object(value))
		return json_pack("{s:{}}", "properties");
	if (json_is_integer(value))
		type = "long";
	else if (json_is_real(value))
		type = "float";
	else if (json_is_boolean(value))
		type = "boolean";
	else if (dates && type_is_date(json_string_value(value)))
		type = "date";
	if (strcmp(type, "text") != 0)
		return json_pack("{s:s}", "type", type);
	return json_pack("{s:s,s:{s:{s:s,s:i}}}", "type", "text", "fields", "keyword", "type",
			 "keyword", "ignore_above", 256);
}
