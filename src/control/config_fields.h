#ifndef CONTROL_CONFIG_FIELDS_H
#define CONTROL_CONFIG_FIELDS_H

/*
 * Keys whose values are fields of requests: what is set, what is removed, and credentials. Names
 * and values are checked, so that none can break a message; those that say where a message ends or
 * whom a connection belongs to are refused (RFC 9110, 7.6.1 and 7.8; RFC 9112, 6).
 */

#include "control/keys.h"

struct config_field {
	const char *name;
	const char *value; /* NULL: it is removed */
	size_t at;
	struct config_field *next;
};

/* What an Authorization field says: no log, no complaint and no status shows it. */
struct config_credential {
	const char *value; /* NULL: none */
	const char *path;  /* of the file that it is from; NULL: it stands in the configuration */
	size_t at;	   /* where that is named */
};

extern const struct key_type key_fields;      /* struct config_field *: a map of names to values */
extern const struct key_type key_field_names; /* struct config_field *: a list of names */
extern const struct key_type
	key_credential; /* struct config_credential: a text, or { file: PATH } */

#endif
