#ifndef HTTP_H1_PARSE_H
#define HTTP_H1_PARSE_H

/*
 * HTTP/1 heads and trailers: RFC 9112, strict as a security boundary. One pass checks a head and
 * copies it into a canonical message; the input may be freed at once. The parser does no I/O.
 */

#include "base/err.h"
#include "http/msg.h"

enum h1_progress { H1_MORE, H1_DONE, H1_BAD };

struct h1_parser {
	struct msg *msg;
	size_t head_n;	       /* bytes consumed so far */
	size_t head_max;       /* REQUEST_HEAD_BYTES, TRAILERS_BYTES or the response's limit */
	uint16_t fields_max;   /* FIELDS_MAX or the response's limit */
	struct span authority; /* of an absolute-form target, in the arena */
	uint16_t scheme_port;  /* the default port of its scheme */
	uint8_t blanks;	       /* empty lines that came before a request */
	bool first;	       /* the first line has not come yet */
	bool upgrade_asked;    /* responses: 101 is allowed */
	bool lenient;	       /* requests: bytes above 0x7f may stand unescaped in the target */
	bool keeps;	       /* responses: Keep-Alive has a timeout, see keeps_s */
	uint16_t keeps_s;      /* that timeout in seconds, capped to 16 bits */
	bool tail;	       /* responses that have no body: body bytes may come all the same */
	uint8_t lengths;       /* Content-Length fields seen */
	uint8_t codings; /* Transfer-Encoding fields seen: not 0 after H1_DONE means chunked */
	uint8_t method; /* of the request that a response belongs to; HEAD decides about the body */
	bool whole;	/* after H1_BAD: all lines are used; the error is in the whole */
	enum err err;	/* after H1_BAD */
};

/* The caller may set p->lenient afterwards. */
void h1_parse_request(struct h1_parser *p, struct msg *m);
/* Limits of a response's head, at most RESPONSE_HEAD_BYTES_MAX and RESPONSE_FIELDS_MAX. */
struct h1_limits {
	uint32_t head_bytes;
	uint16_t fields;
};

/*
 * `method` and `upgrade_asked` are those of the request. `limits`: NULL for RESPONSE_HEAD_BYTES and
 * RESPONSE_FIELDS.
 */
void h1_parse_response(struct h1_parser *p, struct msg *m, enum method method, bool upgrade_asked,
		       const struct h1_limits *limits);
void h1_parse_trailers(struct h1_parser *p, struct msg *m);

/*
 * Parses the bytes that have arrived, and sets *used to the number consumed: whole lines only.
 * H1_MORE: call again with the rest and more bytes behind it (the rest is one unfinished line,
 * which is refused as soon as it is too long). H1_DONE: the message is whole, the body begins
 * behind *used. H1_BAD: p->err says why; the message holds what came before, its first line only if
 * that was whole. How the bytes are split over calls makes no difference to any of this.
 *
 * A request may have BLANK_LINES_MAX empty lines before it (RFC 9112, 2.2). A response to HEAD,
 * 1xx, 204 and 304 have no body whatever their fields say (6.3). An HTTP/1.0 message keeps its
 * connection only when it says keep-alive. The response to a request that asked for no upgrade must
 * not be 101.
 */
enum h1_progress h1_parse(struct h1_parser *p, struct span bytes, size_t *used);

#endif
