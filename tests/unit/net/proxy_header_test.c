#include "unit/cmocka_all.h"

#include "base/limits.h"
#include "net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FROM_V4 "\xc0\x00\x02\x01" /* 192.0.2.1 */
#define TO_V4 "\xc6\x33\x64\x01"   /* 198.51.100.1 */
#define PORTS "\xdc\x04\x01\xbb"   /* 56324 443 */
#define FROM_V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define TO_V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define UNIX_PATHS UNIX_PATH UNIX_PATH
#define UNIX_PATH TWELVE TWELVE TWELVE TWELVE TWELVE TWELVE TWELVE TWELVE TWELVE
#define TWELVE "/abcdefghijk"

struct row {
	struct span text;
	enum proxy_header_progress progress;
	enum err err;
	enum proxy_header_kind kind;
	const char *source;
};

#define GOOD(text, kind, source)                                                                   \
	{                                                                                          \
		SPAN(text), PROXY_HEADER_DONE, ERR_NONE, PROXY_HEADER_##kind, source               \
	}
#define BAD(text, err)                                                                             \
	{                                                                                          \
		SPAN(text), PROXY_HEADER_BAD, ERR_PROXY_HEADER_##err, PROXY_HEADER_LOCAL, NULL     \
	}

static const struct row rows[] = {
	GOOD("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", ADDRESS, "192.0.2.1:56324"),
	GOOD("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ADDRESS,
	     "255.255.255.255:65535"),
	GOOD("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", ADDRESS, "0.0.0.0:0"),
	GOOD("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", ADDRESS, "[2001:db8::1]:1"),
	GOOD("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", ADDRESS, "192.0.2.1:1"),
	GOOD("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", ADDRESS, "[2001:db8::1]:1"),
	GOOD("PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n", ADDRESS, "192.0.2.1:1"),
	GOOD("PROXY TCP6 2001:db8::1 198.51.100.1 1 2\r\n", ADDRESS, "[2001:db8::1]:1"),
	GOOD("PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n", ADDRESS, "192.0.2.1:1"),
	GOOD("PROXY UNKNOWN\r\n", UNKNOWN, NULL),
	GOOD("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x11\0\x0c" FROM_V4 TO_V4 PORTS, ADDRESS, "192.0.2.1:56324"),
	GOOD(SIGNATURE "\x21\x11\0\x10" FROM_V4 TO_V4 PORTS "\x04\0\x01x", ADDRESS,
	     "192.0.2.1:56324"),
	GOOD(SIGNATURE "\x21\x21\0\x24" FROM_V6 TO_V6 PORTS, ADDRESS, "[2001:db8::1]:56324"),
	GOOD(SIGNATURE "\x21\x00\0\0", UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x00\0\x04"
		       "abcd",
	     UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x31\0\xd8" UNIX_PATHS, UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x12\0\x0c" FROM_V4 TO_V4 PORTS, UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x22\0\x24" FROM_V6 TO_V6 PORTS, UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x32\0\xd8" UNIX_PATHS, UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x10\0\x0c" FROM_V4 TO_V4 PORTS, UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x20\0\0", UNKNOWN, NULL),
	GOOD(SIGNATURE "\x21\x01\0\0", UNKNOWN, NULL),
	GOOD(SIGNATURE "\x20\x00\0\0", LOCAL, NULL),
	GOOD(SIGNATURE "\x20\x11\0\x0c" FROM_V4 TO_V4 PORTS, LOCAL, NULL),
	GOOD(SIGNATURE "\x20\xee\0\x02"
		       "ab",
	     LOCAL, NULL),

	BAD("GET / HTTP/1.1\r\n", MISSING),
	BAD("\x16\x03\x01\x02", MISSING),
	BAD("proxy TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", MISSING),
	BAD(" PROXY", MISSING),
	BAD("\r\n\r\nGET", MISSING),
	BAD(SIGNATURE "\x11\x11\0\x0c" FROM_V4 TO_V4 PORTS, SYNTAX),
	BAD(SIGNATURE "\x22\x11\0\x0c" FROM_V4 TO_V4 PORTS, SYNTAX),
	BAD(SIGNATURE "\x21\x41\0\x0c" FROM_V4 TO_V4 PORTS, SYNTAX),
	BAD(SIGNATURE "\x21\x13\0\x0c" FROM_V4 TO_V4 PORTS, SYNTAX),
	BAD(SIGNATURE "\x21\x03\0\0", SYNTAX),
	BAD(SIGNATURE "\x21\x12\0\x0b" FROM_V4 TO_V4 PORTS, SYNTAX),
	BAD(SIGNATURE "\x21\x22\0\x23" FROM_V6 TO_V6 PORTS, SYNTAX),
	BAD(SIGNATURE "\x21\x32\0\xd7" UNIX_PATHS, SYNTAX),
	BAD(SIGNATURE "\x21\x11\0\x0b" FROM_V4 TO_V4 PORTS, SYNTAX),
	BAD(SIGNATURE "\x21\x21\0\x23" FROM_V6 TO_V6 PORTS, SYNTAX),
	BAD(SIGNATURE "\x21\x31\0\xd7" UNIX_PATHS, SYNTAX),
	BAD(SIGNATURE "\x21\x11\xff\xff", SIZE),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\rx", SYNTAX),
	BAD("PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", SYNTAX),
	BAD("PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 56324  443\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 x\r\n", SYNTAX),
	BAD("PROXY TCP4\t192.0.2.1 198.51.100.1 56324 443\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1\r\n", SYNTAX),
	BAD("PROXY TCP4\r\n", SYNTAX),
	BAD("PROXY \r\n", SYNTAX),
	BAD("PROXY TCP5 192.0.2.1 198.51.100.1 56324 443\r\n", SYNTAX),
	BAD("PROXY tcp4 192.0.2.1 198.51.100.1 56324 443\r\n", SYNTAX),
	BAD("PROXY UNKNOWNED\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 056 443\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1 198.51.100.1 1 443x\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.01 198.51.100.1 1 443\r\n", SYNTAX),
	BAD("PROXY TCP6 2001:db8::1 198.51.100.256 1 2\r\n", SYNTAX),
	BAD("PROXY TCP6 2001:db8::1 somewhere 1 2\r\n", SYNTAX),
	BAD("PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n", SYNTAX),
	BAD("PROXY TCP4 192.0.2.1\0 198.51.100.1 1 2\r\n", SYNTAX),
};

/* As wires ask it: by what has come, and at most so many bytes of that. */
static enum proxy_header_progress read_first(struct span text, size_t n, struct proxy_header *p)
{
	struct span first = { text.at, n < PROXY_HEADER_LOOK_BYTES ? n : PROXY_HEADER_LOOK_BYTES };
	enum proxy_header_progress progress = proxy_header_read(first, p);
	return progress == PROXY_HEADER_DONE && n < p->bytes ? PROXY_HEADER_MORE : progress;
}

/* Cut anywhere before its end a header is neither good nor, unless it shows already, bad. */
static void a_header_is_the_same_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		enum proxy_header_progress progress = PROXY_HEADER_MORE;
		struct proxy_header p;
		size_t n = 0;
		while (progress == PROXY_HEADER_MORE && n < row->text.n)
			progress = read_first(row->text, ++n, &p);
		if (progress != row->progress || p.err != row->err)
			fail_msg("row %zu: progress %d, %s", i, progress, err_word(p.err));
		if (progress == PROXY_HEADER_BAD)
			continue;
		assert_int_equal(n, row->text.n);
		assert_int_equal(p.bytes, row->text.n);
		assert_int_equal(p.kind, row->kind);
		char text[ADDR_TEXT_BYTES];
		addr_text(&p.source, text);
		assert_string_equal(text, row->source ? row->source : "-");
	}
}

static void what_comes_behind_a_header_is_not_its(void **state)
{
	(void)state;
	struct proxy_header p;
	struct span text = SPAN("PROXY UNKNOWN\r\nPROXY TCP4\r\n");
	assert_int_equal(read_first(text, text.n, &p), PROXY_HEADER_DONE);
	assert_int_equal(p.bytes, 15);
	struct span bytes = SPAN(SIGNATURE "\x21\x11\0\x0c" FROM_V4 TO_V4 PORTS "\x16\x03\x01");
	assert_int_equal(read_first(bytes, bytes.n, &p), PROXY_HEADER_DONE);
	assert_int_equal(p.bytes, 28);
}

/* Nothing at all is no wrong beginning. */
static void nothing_is_waited_for(void **state)
{
	(void)state;
	struct proxy_header p;
	assert_int_equal(proxy_header_read((struct span){ NULL, 0 }, &p), PROXY_HEADER_MORE);
}

static void a_line_has_107_bytes_at_most(void **state)
{
	(void)state;
	for (size_t n = PROXY_HEADER_LOOK_BYTES; n <= PROXY_HEADER_LOOK_BYTES + 1; n++) {
		char text[PROXY_HEADER_LOOK_BYTES + 2];
		struct proxy_header p;
		memset(text, 'x', sizeof text);
		memcpy(text, "PROXY UNKNOWN ", 14);
		memcpy(text + n - 2, "\r\n", 2);
		bool fits = n == PROXY_HEADER_LOOK_BYTES;
		assert_int_equal(read_first((struct span){ text, n }, n, &p),
				 fits ? PROXY_HEADER_DONE : PROXY_HEADER_BAD);
		assert_int_equal(p.err, fits ? ERR_NONE : ERR_PROXY_HEADER_SIZE);
		/* And it is not waited for beyond that. */
		memset(text + 14, 'x', sizeof text - 14);
		assert_int_equal(read_first((struct span){ text, PROXY_HEADER_LOOK_BYTES - 1 },
					    PROXY_HEADER_LOOK_BYTES - 1, &p),
				 PROXY_HEADER_MORE);
		assert_int_equal(read_first((struct span){ text, PROXY_HEADER_LOOK_BYTES },
					    PROXY_HEADER_LOOK_BYTES, &p),
				 PROXY_HEADER_BAD);
	}
}

static void a_header_of_version_2_has_4_kib_at_most(void **state)
{
	(void)state;
	for (size_t more = 0; more < 2; more++) {
		char text[PROXY_HEADER_BYTES_MAX + 1] = SIGNATURE "\x21\x11";
		struct proxy_header p;
		size_t n = PROXY_HEADER_BYTES_MAX + more - 16;
		text[14] = (char)(n >> 8);
		text[15] = (char)n;
		assert_int_equal(read_first((struct span){ text, sizeof text },
					    PROXY_HEADER_BYTES_MAX - 1, &p),
				 more ? PROXY_HEADER_BAD : PROXY_HEADER_MORE);
		assert_int_equal(read_first((struct span){ text, sizeof text },
					    PROXY_HEADER_BYTES_MAX + more, &p),
				 more ? PROXY_HEADER_BAD : PROXY_HEADER_DONE);
		assert_int_equal(p.err, more ? ERR_PROXY_HEADER_SIZE : ERR_NONE);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_the_same_in_pieces),
		cmocka_unit_test(what_comes_behind_a_header_is_not_its),
		cmocka_unit_test(nothing_is_waited_for),
		cmocka_unit_test(a_line_has_107_bytes_at_most),
		cmocka_unit_test(a_header_of_version_2_has_4_kib_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
