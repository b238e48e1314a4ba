#include "http/scan.h"

#define QUOTE (SCAN_TARGET | SCAN_VALUE)
#define VISIBLE (QUOTE | SCAN_PLAIN)
#define TOKEN (SCAN_TOKEN | VISIBLE)
#define HOST (SCAN_HOST | TOKEN)

const uint8_t scan_classes[256] = {
	['\t'] = SCAN_VALUE,
	[' '] = SCAN_VALUE | SCAN_PLAIN,
	['!'] = HOST,
	['"'] = QUOTE,
	['#'] = SCAN_TOKEN | SCAN_VALUE | SCAN_PLAIN,
	['$'] = HOST,
	['%'] = TOKEN,
	['&'] = HOST,
	['\''] = HOST,
	['('] = SCAN_HOST | VISIBLE,
	[')'] = SCAN_HOST | VISIBLE,
	['*'] = HOST,
	['+'] = HOST,
	[','] = SCAN_HOST | VISIBLE,
	['-'] = HOST,
	['.'] = HOST,
	['/'] = VISIBLE,
	['0' ... '9'] = HOST,
	[':'] = VISIBLE,
	[';'] = SCAN_HOST | VISIBLE,
	['<'] = VISIBLE,
	['='] = SCAN_HOST | VISIBLE,
	['>'] = VISIBLE,
	['?'] = VISIBLE,
	['@'] = VISIBLE,
	['A' ... 'Z'] = HOST,
	['['] = VISIBLE,
	['\\'] = QUOTE,
	[']'] = VISIBLE,
	['^'] = TOKEN,
	['_'] = HOST,
	['`'] = TOKEN,
	['a' ... 'z'] = HOST,
	['{'] = VISIBLE,
	['|'] = TOKEN,
	['}'] = VISIBLE,
	['~'] = HOST,
	[0x80 ... 0xff] = SCAN_VALUE,
};
