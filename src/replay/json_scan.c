#include "replay/json_scan.h"

#include <string.h>

#include "base/bug.h"
#include "http/scan.h"

static_assert(JSON_DEPTH_MAX % 64 == 0, "a bit for each");

void json_open(struct json_scan *j, enum json_values values)
{
	/* All but the bytes that are held. */
	memset(j, 0, offsetof(struct json_scan, held));
	j->values = (uint8_t)values;
}

void json_put(struct json_scan *j, struct span piece, bool last)
{
	must(!j->left.n && !j->last);
	j->left = piece.n ? piece : SPAN("");
	j->last = last;
}

size_t json_take_back(struct json_scan *j)
{
	size_t n = j->left.n;
	j->left.n = 0;
	return n;
}

enum json_fault json_fault(const struct json_scan *j)
{
	return (enum json_fault)j->fault;
}

static enum json_token json_blame(struct json_scan *j, enum json_fault fault)
{
	j->fault = (uint8_t)fault;
	return TOKEN_BAD;
}

/* --- brackets --- */

/* Whether the innermost open bracket is an object's. */
static bool json_in_object(const struct json_scan *j)
{
	unsigned top = j->depth - 1;
	return j->depth && j->objects[top / 64] >> top % 64 & 1;
}

static void json_end_value(struct json_scan *j)
{
	bool another = !j->depth && j->values == JSON_MANY_VALUES;
	j->expects = another ? JSON_EXPECTS_VALUE : JSON_EXPECTS_COMMA;
}

static bool json_expects_value(const struct json_scan *j)
{
	return j->expects == JSON_EXPECTS_VALUE || j->expects == JSON_EXPECTS_FIRST_VALUE;
}

static enum json_token json_open_bracket(struct json_scan *j, bool object)
{
	if (!json_expects_value(j))
		return json_blame(j, JSON_SYNTAX);
	if (j->depth == JSON_DEPTH_MAX)
		return json_blame(j, JSON_DEEP);
	uint64_t bit = 1ull << j->depth % 64, *word = &j->objects[j->depth / 64];
	*word = object ? *word | bit : *word & ~bit;
	j->depth++;
	j->expects = object ? JSON_EXPECTS_FIRST_KEY : JSON_EXPECTS_FIRST_VALUE;
	return object ? TOKEN_OBJECT : TOKEN_ARRAY;
}

static enum json_token json_close_bracket(struct json_scan *j, bool object)
{
	bool empty = j->expects == (object ? JSON_EXPECTS_FIRST_KEY : JSON_EXPECTS_FIRST_VALUE);
	if (!j->depth || json_in_object(j) != object ||
	    (!empty && j->expects != JSON_EXPECTS_COMMA))
		return json_blame(j, JSON_SYNTAX);
	j->depth--;
	json_end_value(j);
	return object ? TOKEN_OBJECT_END : TOKEN_ARRAY_END;
}

/* TOKEN_MORE: there is no token in it. */
static enum json_token json_pass_colon(struct json_scan *j)
{
	if (j->expects != JSON_EXPECTS_COLON)
		return json_blame(j, JSON_SYNTAX);
	j->expects = JSON_EXPECTS_VALUE;
	return TOKEN_MORE;
}

static enum json_token json_pass_comma(struct json_scan *j)
{
	if (j->expects != JSON_EXPECTS_COMMA || !j->depth)
		return json_blame(j, JSON_SYNTAX);
	j->expects = json_in_object(j) ? JSON_EXPECTS_KEY : JSON_EXPECTS_VALUE;
	return TOKEN_MORE;
}

/* --- texts --- */

/* What of a text stands in a piece that it does not end in. */
static void json_hold(struct json_scan *j, const char *at, size_t n)
{
	size_t room = j->held_n < sizeof j->held ? sizeof j->held - j->held_n : 0;
	memcpy(j->held + (sizeof j->held - room), at, n < room ? n : room);
	j->held_n += n;
}

/* The text is over: its rest is at `at`. */
static void json_end_text(struct json_scan *j, const char *at, size_t n)
{
	if (j->held_n)
		json_hold(j, at, n);
	j->text = j->held_n ? (struct span){ j->held, j->held_n } : (struct span){ at, n };
	j->text_cut = j->text.n > JSON_TEXT_BYTES;
	if (j->text_cut)
		j->text.n = JSON_TEXT_BYTES;
	j->held_n = 0;
	j->inside = JSON_INSIDE_NOTHING;
}

/* Bytes at the front that have no meaning in a string but themselves. */
static size_t json_plain(const char *at, size_t n)
{
	size_t i = 0;
#ifdef __SSSE3__
	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const void *)(at + i));
		unsigned end = (unsigned)_mm_movemask_epi8(scan_plain_ends(v));
		if (end)
			return i + (unsigned)__builtin_ctz(end);
	}
#endif
	return i + scan_count(at + i, n - i, SCAN_PLAIN);
}

static bool json_is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool json_take_escape(struct json_scan *j, unsigned char c)
{
	if (j->escape > 1) {
		unsigned char letter = c | 0x20;
		j->escape = j->escape == 2 ? 0 : j->escape - 1;
		return json_is_digit(c) || (letter >= 'a' && letter <= 'f');
	}
	j->escape = c == 'u' ? 5 : 0;
	return c && strchr("\"\\/bfnrtu", c);
}

/* RFC 3629, 4: how many bytes follow, and what the first of these may be. */
static bool json_begin_character(struct json_scan *j, unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return false;
	j->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	j->utf8_low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	j->utf8_high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}

static bool json_take_character(struct json_scan *j, unsigned char c)
{
	if (!j->utf8_left)
		return json_begin_character(j, c);
	bool good = c >= j->utf8_low && c <= j->utf8_high;
	j->utf8_left--;
	j->utf8_low = 0x80;
	j->utf8_high = 0xbf;
	return good;
}

/* A byte of a string that does not end it. */
static enum json_fault json_take_byte(struct json_scan *j, unsigned char c)
{
	if (j->utf8_left || c >= 0x80)
		return json_take_character(j, c) && !j->escape ? JSON_FINE : JSON_UTF8;
	if (c < ' ')
		return JSON_SYNTAX;
	if (j->escape)
		return json_take_escape(j, c) ? JSON_FINE : JSON_SYNTAX;
	if (c == '\\') {
		j->escape = 1;
		j->text_coded = true;
	}
	return JSON_FINE;
}

static enum json_token json_end_string(struct json_scan *j, const char *at, size_t n)
{
	json_end_text(j, at, n);
	if (j->is_key)
		j->expects = JSON_EXPECTS_COLON;
	else
		json_end_value(j);
	return j->is_key ? TOKEN_KEY : TOKEN_STRING;
}

static enum json_token json_go_on_string(struct json_scan *j)
{
	const char *from = j->left.at, *at = from, *end = from + j->left.n;
	while (at < end) {
		if (!j->escape && !j->utf8_left)
			at += json_plain(at, (size_t)(end - at));
		if (at == end)
			break;
		unsigned char c = (unsigned char)*at++;
		if (c == '"' && !j->escape && !j->utf8_left) {
			j->left = (struct span){ at, (size_t)(end - at) };
			return json_end_string(j, from, (size_t)(at - 1 - from));
		}
		enum json_fault fault = json_take_byte(j, c);
		if (fault)
			return json_blame(j, fault);
	}
	json_hold(j, from, (size_t)(end - from));
	j->left.n = 0;
	return j->last ? json_blame(j, JSON_CUT) : TOKEN_MORE;
}

static enum json_token json_begin_string(struct json_scan *j)
{
	j->is_key = j->expects == JSON_EXPECTS_KEY || j->expects == JSON_EXPECTS_FIRST_KEY;
	if (!j->is_key && !json_expects_value(j))
		return json_blame(j, JSON_SYNTAX);
	j->inside = JSON_INSIDE_STRING;
	return TOKEN_MORE;
}

/* --- numbers and words --- */

static size_t json_digits(const char *at, size_t n)
{
	size_t i = 0;
	while (i < n && json_is_digit((unsigned char)at[i]))
		i++;
	return i;
}

/* RFC 8259, 6. */
static bool json_is_number(struct span s)
{
	size_t i = s.n && s.at[0] == '-', digits = json_digits(s.at + i, s.n - i);
	if (!digits || (digits > 1 && s.at[i] == '0'))
		return false;
	i += digits;
	if (i < s.n && s.at[i] == '.') {
		digits = json_digits(s.at + i + 1, s.n - i - 1);
		if (!digits)
			return false;
		i += 1 + digits;
	}
	if (i == s.n)
		return true;
	if ((s.at[i] | 0x20) != 'e')
		return false;
	i++;
	i += i < s.n && (s.at[i] == '+' || s.at[i] == '-');
	digits = json_digits(s.at + i, s.n - i);
	return digits && i + digits == s.n;
}

static enum json_token json_word(struct json_scan *j)
{
	if (j->text_cut)
		return json_blame(j, JSON_SYNTAX);
	json_end_value(j);
	if (span_is(j->text, SPAN("true")))
		return TOKEN_TRUE;
	if (span_is(j->text, SPAN("false")))
		return TOKEN_FALSE;
	if (span_is(j->text, SPAN("null")))
		return TOKEN_NULL;
	return json_is_number(j->text) ? TOKEN_NUMBER : json_blame(j, JSON_SYNTAX);
}

static bool json_is_of_word(unsigned char c)
{
	return json_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
	       c == '+' || c == '.';
}

static enum json_token json_go_on_word(struct json_scan *j)
{
	size_t n = 0;
	while (n < j->left.n && json_is_of_word((unsigned char)j->left.at[n]))
		n++;
	const char *at = j->left.at;
	bool over = n < j->left.n || j->last;
	j->left.at += n;
	j->left.n -= n;
	if (over) {
		json_end_text(j, at, n);
		return json_word(j);
	}
	json_hold(j, at, n);
	return TOKEN_MORE;
}

static enum json_token json_begin_word(struct json_scan *j, unsigned char c)
{
	if (!json_expects_value(j) || !json_is_of_word(c))
		return json_blame(j, JSON_SYNTAX);
	j->inside = JSON_INSIDE_WORD;
	return TOKEN_MORE;
}

/* --- one after the other --- */

static void json_pass_blanks(struct json_scan *j)
{
	const char *at = j->left.at, *end = at + j->left.n;
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	j->left = (struct span){ at, (size_t)(end - at) };
}

/* `left` has a byte, which is no blank. TOKEN_MORE: there is no token in it alone. */
static enum json_token json_take(struct json_scan *j)
{
	unsigned char c = (unsigned char)*j->left.at;
	j->text_cut = j->text_coded = false;
	if (!strchr("{}[]:,\"", c) || !c)
		return json_begin_word(j, c);
	j->left.at++;
	j->left.n--;
	switch (c) {
	case '{':
	case '[':
		return json_open_bracket(j, c == '{');
	case '}':
	case ']':
		return json_close_bracket(j, c == '}');
	case ':':
		return json_pass_colon(j);
	case ',':
		return json_pass_comma(j);
	default:
		return json_begin_string(j);
	}
}

static enum json_token json_go_on(struct json_scan *j)
{
	if (j->inside == JSON_INSIDE_STRING)
		return json_go_on_string(j);
	if (j->inside == JSON_INSIDE_WORD)
		return json_go_on_word(j);
	return json_take(j);
}

/* Nothing is left of what was put. */
static enum json_token json_run_out(struct json_scan *j)
{
	if (!j->last)
		return TOKEN_MORE;
	bool whole =
		!j->depth && (j->expects == JSON_EXPECTS_COMMA || (j->values == JSON_MANY_VALUES));
	return whole && !j->inside ? TOKEN_END : json_blame(j, JSON_CUT);
}

enum json_token json_next(struct json_scan *j)
{
	while (!j->fault) {
		if (!j->inside)
			json_pass_blanks(j);
		if (!j->left.n && !(j->inside == JSON_INSIDE_WORD && j->last))
			return json_run_out(j);
		enum json_token token = json_go_on(j);
		if (token != TOKEN_MORE)
			return token;
	}
	return TOKEN_BAD;
}

/* --- what texts say --- */

bool json_is_scalar(enum json_token token)
{
	return token == TOKEN_STRING || token == TOKEN_NUMBER || token == TOKEN_TRUE ||
	       token == TOKEN_FALSE;
}

static unsigned json_hex(const char *at)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)at[i];
		value = value << 4 |
			(json_is_digit(c) ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u);
	}
	return value;
}

/* What the code behind a "\u" says, with that of a second one where they are a pair. */
static bool json_code_point(const char *at, const char *end, unsigned *point, size_t *used)
{
	*used = 4;
	if (end - at < 4)
		return false;
	*point = json_hex(at);
	if (*point < 0xd800 || *point > 0xdfff)
		return true;
	if (*point > 0xdbff || end - at < 10 || at[4] != '\\' || at[5] != 'u')
		return false;
	unsigned low = json_hex(at + 6);
	*used = 10;
	*point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
	return low >= 0xdc00 && low <= 0xdfff;
}

static size_t json_put_utf8(char to[4], unsigned point)
{
	if (point < 0x80) {
		to[0] = (char)point;
		return 1;
	}
	size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i; i--, point >>= 6)
		to[i] = (char)(0x80 | (point & 0x3f));
	to[0] = (char)(0xf00 >> n | point);
	return n;
}

/* One character behind a '\\'; false: it is half a pair. */
static bool json_read_code(const char **at, const char *end, char to[4], size_t *n)
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
	char c = *(*at)++;
	const char *letter = strchr(letters, c);
	*n = 1;
	to[0] = letter && c ? meant[letter - letters] : c;
	if (c != 'u')
		return true;
	unsigned point;
	size_t used;
	if (!json_code_point(*at, end, &point, &used))
		return false;
	*at += used;
	*n = json_put_utf8(to, point);
	return true;
}

enum json_decoded json_decode(struct span coded, char *to, size_t room, size_t *n)
{
	const char *at = coded.at, *end = at + coded.n;
	*n = 0;
	while (at < end) {
		char one[4] = { *at };
		size_t one_n = 1;
		if (*at++ == '\\' && (at == end || !json_read_code(&at, end, one, &one_n)))
			return JSON_NO_TEXT;
		if (one_n > room - *n)
			return JSON_TOO_LONG;
		memcpy(to + *n, one, one_n);
		*n += one_n;
	}
	return JSON_DECODED;
}

bool json_is(const struct json_scan *j, struct span word)
{
	char plain[JSON_WORD_BYTES];
	size_t n;
	must(word.n <= sizeof plain);
	if (!j->text_coded)
		return span_is(j->text, word);
	return json_decode(j->text, plain, sizeof plain, &n) == JSON_DECODED &&
	       span_is((struct span){ plain, n }, word);
}
