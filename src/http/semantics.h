#ifndef HTTP_SEMANTICS_H
#define HTTP_SEMANTICS_H

/* What the fields of an HTTP/1 head mean for the connection they came on. Private to h1_parse. */

#include "http/h1_parse.h"

/*
 * Finds the id of a field and checks the field. Its text is in p->msg; the caller pushes it
 * afterwards.
 */
enum err semantics_field(struct h1_parser *p, struct field *f);

/* Checks the head when all fields have come: framing, Host, Connection, Expect, Upgrade. */
enum err semantics_head(struct h1_parser *p);

#endif
