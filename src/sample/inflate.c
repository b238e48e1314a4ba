#include "sample/inflate.h"

#include <stdlib.h>

#include <zlib.h>

#include "base/bug.h"
#include "base/least.h"

/* Window bits of zlib that take gzip only. */
#define GZIP_ONLY (15 + 16)

/* False: it is broken, cut, or longer than `max`. */
static bool inflate_all(z_stream *z, size_t max, char **text, size_t *n)
{
	size_t room = 0;
	int state = Z_OK;
	*text = NULL;
	*n = 0;
	while (state == Z_OK && *n <= max) {
		if (*n == room) {
			room = room ? room * 2 : 4 * (size_t)z->avail_in + 64;
			*text = realloc(*text, room);
			must(*text);
		}
		z->next_out = (Bytef *)*text + *n;
		z->avail_out = (uInt)least(room - *n, UINT32_MAX);
		state = inflate(z, Z_NO_FLUSH);
		*n = (size_t)((char *)z->next_out - *text);
		if (state == Z_BUF_ERROR && *n == room)
			state = Z_OK;
	}
	return state == Z_STREAM_END && *n <= max && !z->avail_in;
}

bool sample_inflate_if_coded(const struct msg *request, struct span body, size_t max,
			     struct span *plain)
{
	struct span coding = msg_value(request, NAME_CONTENT_ENCODING);
	char *text;
	size_t n;
	if (!coding.n || span_is_nocase(coding, SPAN("identity")))
		return true;
	z_stream z = { .next_in = (Bytef *)(uintptr_t)body.at, .avail_in = (uInt)body.n };
	if (!span_is_nocase(coding, SPAN("gzip")) || inflateInit2(&z, GZIP_ONLY) != Z_OK)
		return false;
	bool good = inflate_all(&z, max, &text, &n);
	inflateEnd(&z);
	if (good)
		*plain = (struct span){ text, n };
	else
		free(text);
	return good;
}
