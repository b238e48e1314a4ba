#ifndef CONTROL_CONFIG_FIELDS_H
#define CONTROL_CONFIG_FIELDS_H

/*
 * Keys whose values are fields of requests: fields to set, fields to remove, and credentials. Names
 * and values are checked, so that none can break a message. Fields that frame a message or belong
 * to one connection are refused (RFC 9110, 7.6.1 and 7.8; RFC 9112, 6).
 */

#include "control/keys.h"

struct config_field {
	const char *name;
	const char *value; /* NULL: the field is removed */
	size_t at;
	struct config_field *next;
};

/* The value of an Authorization field. No log, no diagnostic and no status shows it. */
struct config_credential {
	const char *value; /* NULL: none */
	const char *path;  /* the file it was read from; NULL: the configuration itself */
	size_t at;	   /* the place of the key */
};

extern const struct key_type key_fields;      /* struct config_field *: a map of names to values */
extern const struct key_type key_field_names; /* struct config_field *: a list of names */
extern const struct key_type
	key_credential; /* struct config_credential: a text, or { file: PATH } */

#endif
