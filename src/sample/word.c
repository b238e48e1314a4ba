#include "sample/word.h"

#include <stdio.h>

static json_t *word_text(const json_t *number)
{
	char text[32];
	snprintf(text, sizeof text, "%lld", (long long)json_integer_value(number));
	return json_string(text);
}

static struct span word_span(const json_t *j)
{
	return (struct span){ json_string_value(j), json_string_length(j) };
}

struct span sample_word_of(json_t *object, const char *name)
{
	const json_t *j = json_object_get(object, name);
	if (json_is_integer(j))
		json_object_set_new(object, name, word_text(j));
	return word_span(json_object_get(object, name));
}

struct span sample_word_at(json_t *array, size_t i)
{
	const json_t *j = json_array_get(array, i);
	if (json_is_integer(j))
		json_array_set_new(array, i, word_text(j));
	return word_span(json_array_get(array, i));
}
