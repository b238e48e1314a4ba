#include "sample/text.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/fmt.h"
#include "base/least.h"

#define FIRST_BYTES 256

void sample_text_free(struct sample_text *t)
{
	free(t->at);
	*t = (struct sample_text){ 0 };
}

static char *text_reserve(struct sample_text *t, size_t bytes)
{
	if (t->n + bytes > t->room) {
		t->room = most(most(t->n + bytes, t->room * 2), FIRST_BYTES);
		t->at = realloc(t->at, t->room);
		must(t->at);
	}
	return t->at + t->n;
}

void sample_text_add(struct sample_text *t, struct span bytes)
{
	if (!bytes.n)
		return;
	memcpy(text_reserve(t, bytes.n), bytes.at, bytes.n);
	t->n += bytes.n;
}

static bool text_is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte != '"' && byte != '\\';
}

static void text_escape(struct sample_text *t, unsigned char byte)
{
	char code[6] = "\\u00";
	if (byte >= 0x20) {
		code[1] = (char)byte;
		sample_text_add(t, (struct span){ code, 2 });
		return;
	}
	fmt_hex_wide(code + 4, byte, 2);
	sample_text_add(t, (struct span){ code, sizeof code });
}

void sample_text_string(struct sample_text *t, struct span s)
{
	SAMPLE_ADD(t, "\"");
	for (size_t at = 0, from = 0; at <= s.n; at++) {
		if (at < s.n && text_is_plain((unsigned char)s.at[at]))
			continue;
		sample_text_add(t, (struct span){ s.at + from, at - from });
		if (at < s.n)
			text_escape(t, (unsigned char)s.at[at]);
		from = at + 1;
	}
	SAMPLE_ADD(t, "\"");
}

void sample_text_number(struct sample_text *t, uint64_t n)
{
	t->n += fmt_decimal(text_reserve(t, FMT_DECIMAL_BYTES), n);
}

void sample_text_name(struct sample_text *t, struct span name)
{
	if (t->n && !strchr("{[", t->at[t->n - 1]))
		SAMPLE_ADD(t, ",");
	sample_text_string(t, name);
	SAMPLE_ADD(t, ":");
}

void sample_text_member(struct sample_text *t, struct span name, struct span value)
{
	sample_text_name(t, name);
	sample_text_string(t, value);
}

void sample_text_count(struct sample_text *t, struct span name, uint64_t n)
{
	sample_text_name(t, name);
	sample_text_number(t, n);
}

static int text_take(const char *bytes, size_t n, void *to)
{
	sample_text_add(to, (struct span){ bytes, n });
	return 0;
}

void sample_text_json(struct sample_text *t, const json_t *j)
{
	int failed = json_dump_callback(j, text_take, t, JSON_COMPACT | JSON_ENCODE_ANY);
	must(!failed);
}
