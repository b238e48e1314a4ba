#include "control/admin_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *admin_body_parse(struct span body, char error[ADMIN_BODY_TEXT_BYTES])
{
	json_error_t why;
	json_t *j = json_loadb(body.at, body.n, JSON_REJECT_DUPLICATES, &why);
	if (!j)
		snprintf(error, ADMIN_BODY_TEXT_BYTES,
			 "this is not JSON: %.120s (line %d, column %d)", why.text, why.line,
			 why.column);
	return j;
}

/* For an unexpected member jansson's own words do not describe the body. */
void admin_body_say_why(const json_error_t *why, char error[ADMIN_BODY_TEXT_BYTES])
{
	const char *colon = strrchr(why->text, ':');
	if (json_error_code(why) == json_error_end_of_input_expected)
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "there is no such member%.150s",
			 colon ? colon : "");
	else
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "%.200s", why->text);
}

/*
 * Characters that a terminal acts on, or that change the direction of text: C0, DEL, C1, the marks
 * of direction (U+061C, 200E, 200F, 202A to 202E, 2066 to 2069), the separators of lines (2028,
 * 2029).
 */
static bool has_control(const char *text)
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

bool admin_body_take_text(const char *name, const char *text, char to[ADMIN_BODY_TEXT_BYTES],
			  char error[ADMIN_BODY_TEXT_BYTES])
{
	size_t n = text ? strlen(text) : 0;
	if (n >= ADMIN_BODY_TEXT_BYTES) {
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "%s is longer than %d bytes", name,
			 ADMIN_BODY_TEXT_BYTES - 1);
		return false;
	}
	if (n && has_control(text)) {
		snprintf(error, ADMIN_BODY_TEXT_BYTES, "%s contains a control character", name);
		return false;
	}
	memcpy(to, text ? text : "", n + 1);
	return true;
}

size_t admin_body_whole(const char *text, size_t most)
{
	size_t n = strnlen(text, most + 1);
	if (n <= most)
		return n;
	/* text[n], the first byte left out, must begin a character. */
	for (n = most; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

json_t *admin_body_log_text(const char *text)
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
