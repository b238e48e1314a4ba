#ifndef REPLAY_JSON_SAYS_H
#define REPLAY_JSON_SAYS_H

#include "replay/json_scan.h"

/* Whether the string that the scanner has told of last says the text, of any length. */
static inline bool json_says(const struct json_scan *j, struct span text)
{
	char plain[JSON_TEXT_BYTES];
	size_t n;
	if (j->text_cut)
		return false;
	if (!j->text_coded)
		return span_is(j->text, text);
	return json_decode(j->text, plain, sizeof plain, &n) == JSON_DECODED &&
	       span_is((struct span){ plain, n }, text);
}

#endif
