#include "base/plain.h"

#include <stdint.h>
#include <string.h>

/* --- characters --- */

/*
 * The number of bytes of a character, by its first byte, and the bits of its code point in that
 * byte: RFC 3629, 3.
 */
static size_t length_of(unsigned char first, uint32_t *number, uint32_t *least)
{
	static const uint32_t leasts[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = first < 0x80		    ? 1
		   : (first & 0xe0) == 0xc0 ? 2
		   : (first & 0xf0) == 0xe0 ? 3
		   : (first & 0xf8) == 0xf0 ? 4
					    : 0;
	*number = n < 2 ? first : first & (0x7fu >> n);
	*least = leasts[n];
	return n;
}

/* 0: it is not UTF-8. */
static size_t utf8_decode(const char *at, size_t n, uint32_t *number)
{
	uint32_t least;
	size_t bytes = length_of((unsigned char)at[0], number, &least);
	if (!bytes || bytes > n)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if (((unsigned char)at[i] & 0xc0) != 0x80)
			return 0;
		*number = *number << 6 | ((unsigned char)at[i] & 0x3f);
	}
	bool surrogate = *number >= 0xd800 && *number <= 0xdfff;
	return *number < least || *number > 0x10ffff || surrogate ? 0 : bytes;
}

static bool plain_is_shown(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x0, 0x1f },	    { 0x7f, 0x9f },	  { 0xad, 0xad },     { 0x61c, 0x61c },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e },	  { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
	};
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return true;
}

size_t plain_character(const char *at, size_t n, bool *shown)
{
	uint32_t number;
	size_t bytes = utf8_decode(at, n, &number);
	*shown = bytes && plain_is_shown(number);
	return bytes ? bytes : 1;
}

bool plain_is(const char *text)
{
	bool shown = true;
	for (size_t n = strlen(text); n && shown;) {
		size_t bytes = plain_character(text, n, &shown);
		text += bytes;
		n -= bytes;
	}
	return shown;
}

/* --- texts --- */

size_t plain_copy(char *to, size_t room, const char *from)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;
	for (size_t n = strlen(from), bytes; n; from += bytes, n -= bytes) {
		bool shown;
		bytes = plain_character(from, n, &shown);
		if (used + (shown ? bytes : 4 * bytes) >= room)
			break;
		for (size_t i = 0; i < bytes; i++) {
			unsigned char c = (unsigned char)from[i];
			const char escaped[] = { '\\', 'x', digits[c >> 4], digits[c & 15] };
			memcpy(to + used, shown ? &from[i] : escaped, shown ? 1 : 4);
			used += shown ? 1 : 4;
		}
	}
	to[used] = 0;
	return used;
}

static bool plain_ends_line(const char *at, size_t n)
{
	return *at == '\n' || *at == '\t' || (*at == '\r' && n > 1 && at[1] == '\n');
}

void plain_put(const char *at, size_t n, FILE *to)
{
	for (size_t bytes; n; at += bytes, n -= bytes) {
		bool shown;
		bytes = plain_character(at, n, &shown);
		if (shown || plain_ends_line(at, n))
			fwrite(at, 1, bytes, to);
		else
			for (size_t i = 0; i < bytes; i++)
				fprintf(to, "\\x%02x", (unsigned char)at[i]);
	}
}

static void plain_put_number(uint32_t c, FILE *to)
{
	if (c < 0x10000)
		fprintf(to, "\\u%04x", c);
	else
		fprintf(to, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
			0xdc00 + ((c - 0x10000) & 0x3ff));
}

/* Bytes that are not UTF-8 are not JSON either; U+FFFD replaces them. */
void plain_put_json(const char *text, FILE *to)
{
	for (size_t n = strlen(text), bytes; n; text += bytes, n -= bytes) {
		bool shown;
		uint32_t number = 0xfffd;
		bytes = plain_character(text, n, &shown);
		if (shown || *text == '\n') {
			fwrite(text, 1, bytes, to);
			continue;
		}
		if (!utf8_decode(text, n, &number))
			number = 0xfffd;
		plain_put_number(number, to);
	}
}
