#ifndef HTTP_H1_WRITE_H
#define HTTP_H1_WRITE_H

/* A message as HTTP/1.1 on a wire: runs of its text, copied; a body's slices, moved. */

#include "base/buf.h"
#include "http/msg.h"

struct h1_write {
	bool chunked;	  /* a BODY_UNKNOWN goes chunked; else the connection's end ends it */
	bool close;	  /* add Connection: close */
	bool keep;	  /* add Connection: keep-alive, for a client of HTTP/1.0 */
	struct span kept; /* else these lines and the empty one: how long its connection is kept */
};

/*
 * Appends the head. A message with `tunnel` gets Connection: upgrade; BODY_UNKNOWN and `chunked`
 * gets Transfer-Encoding: chunked. HEAD's answers keep their Content-Length.
 */
void h1_write_head(const struct msg *m, struct h1_write how, struct chain *out, struct bufs *bufs);
/* Appends one chunk; `data` is empty afterwards. If it was before, nothing is written. */
void h1_write_chunk(struct chain *data, struct chain *out, struct bufs *bufs);
/* The last chunk and, unless NULL, the trailers. */
void h1_write_last_chunk(const struct msg *trailers, struct chain *out, struct bufs *bufs);

#endif
