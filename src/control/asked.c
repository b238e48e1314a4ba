#include "control/asked.h"

#include <stdio.h>
#include <stdlib.h>
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

/*
 * What a terminal obeys or what turns the order of letters around: C0, DEL, C1, the marks of
 * direction (U+061C, 200E, 200F, 202A to 202E, 2066 to 2069), the separators of lines (2028, 2029).
 */
static bool is_control(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			return true;
		if ((*c == 0xc2 && c[1] < 0xa0) || (*c == 0xd8 && c[1] == 0x9c))
			return true;
		if (*c == 0xe2 && c[1] == 0x80 &&
		    (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae)))
			return true;
		if (*c == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
			return true;
	}
	return false;
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
	if (n && is_control(text)) {
		snprintf(error, ASKED_TEXT_BYTES, "%s holds a control character", name);
		return false;
	}
	memcpy(to, text ? text : "", n + 1);
	return true;
}

size_t asked_whole(const char *text, size_t most)
{
	size_t n = strnlen(text, most + 1);
	if (n <= most)
		return n;
	/* The first byte that goes must not be amid a character. */
	for (n = most; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

json_t *asked_json(const char *text)
{
	if (!text)
		return json_null();
	json_t *j = json_string(text);
	if (j)
		return j;
	char *escaped = malloc(4 * strlen(text) + 1), *to = escaped;
	if (!escaped)
		return NULL;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x80)
			*to++ = *c;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*c);
	*to = 0;
	j = json_string(escaped);
	free(escaped);
	return j;
}
