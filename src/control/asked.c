#include "control/asked.h"

#include <string.h>

json_t *asked_parse(struct span body, char error[ASKED_TEXT_BYTES])
{
	json_error_t why;
	json_t *j = json_loadb(body.at, body.n, JSON_REJECT_DUPLICATES, &why);
	if (!j)
		snprintf(error, ASKED_TEXT_BYTES, "this is not JSON: %.120s (line %d, column %d)",
			 why.text, why.line, why.column);
	return j;
}

/* jansson's words for a member that nobody asked for are about itself. */
void asked_say_why(const json_error_t *why, char error[ASKED_TEXT_BYTES])
{
	const char *colon = strrchr(why->text, ':');
	if (json_error_code(why) == json_error_end_of_input_expected)
		snprintf(error, ASKED_TEXT_BYTES, "there is no such member%.150s",
			 colon ? colon : "");
	else
		snprintf(error, ASKED_TEXT_BYTES, "%.200s", why->text);
}

bool asked_take_text(const char *name, const char *text, char to[ASKED_TEXT_BYTES],
		     char error[ASKED_TEXT_BYTES])
{
	size_t n = text ? strlen(text) : 0;
	if (n >= ASKED_TEXT_BYTES) {
		snprintf(error, ASKED_TEXT_BYTES, "%s is longer than %d bytes", name,
			 ASKED_TEXT_BYTES - 1);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			snprintf(error, ASKED_TEXT_BYTES, "%s holds a control character", name);
			return false;
		}
	memcpy(to, text ? text : "", n + 1);
	return true;
}
