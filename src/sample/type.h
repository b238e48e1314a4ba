#ifndef SAMPLE_TYPE_H
#define SAMPLE_TYPE_H

/* The types of fields that sample clusters know. A field is {"type":"long"} or {"properties":...}.
 */

#include <jansson.h>

#include "sample/trouble.h"

/* "object" where the field does not say its type. */
const char *sample_type_name(const json_t *field);
/* "true", "false", "strict" where the field says it, else NULL. */
const char *sample_type_dynamic(const json_t *field);
bool sample_type_is_object(const json_t *field);
/* Of types that are not looked at here, whatever the value. */
bool sample_type_takes_all(const json_t *field);
/* Whether a value that is no array is one of the type; false after a trouble. */
bool sample_type_takes(const json_t *field, const char *name, const json_t *value,
		       struct sample_trouble *t);
/* A new field for such a value. */
json_t *sample_type_of(const json_t *value, bool dates);

#endif
