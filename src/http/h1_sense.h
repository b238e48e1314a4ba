#ifndef HTTP_H1_SENSE_H
#define HTTP_H1_SENSE_H

/* What the fields of an HTTP/1 head mean to the connection they came on. Private to h1_parse. */

#include "http/h1_parse.h"

/* A field whose text stands in p->msg and that is about to be pushed: finds its id, checks it. */
enum err h1_sense_field(struct h1_parser *p, struct field *f);

/* All fields have come: framing, Host, Connection, Expect, Upgrade. */
enum err h1_sense_head(struct h1_parser *p);

#endif
