#ifndef HTTP_H1_WRITE_H
#define HTTP_H1_WRITE_H

/*
 * Writes a message as HTTP/1.1 to a wire. Runs of the message's text are copied; slices of a body
 * are moved.
 */

#include "base/buf.h"
#include "http/msg.h"

struct h1_write {
	bool chunked;	  /* send BODY_UNKNOWN chunked; else the connection's end ends it */
	bool close;	  /* add Connection: close */
	bool keep;	  /* add Connection: keep-alive, for a client of HTTP/1.0 */
	struct span kept; /* with neither: these lines (Keep-Alive) and the empty one */
};

/*
 * Appends the head. A message with `tunnel` gets Connection: upgrade. BODY_UNKNOWN with `chunked`
 * gets Transfer-Encoding: chunked. A response to HEAD keeps its Content-Length.
 */
void h1_write_head(const struct msg *m, struct h1_write how, struct chain *out, struct bufs *bufs);
/* Appends one chunk and empties `data`. Empty data writes nothing. */
void h1_write_chunk(struct chain *data, struct chain *out, struct bufs *bufs);
/* Appends the last chunk and, unless NULL, the trailers. */
void h1_write_last_chunk(const struct msg *trailers, struct chain *out, struct bufs *bufs);

#endif
