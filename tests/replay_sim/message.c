#include "replay_sim/message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bug.h"

struct span message_field(const struct message *m, const char *name)
{
	size_t n = strlen(name);
	const char *at = m->bytes.at, *end = at + m->head_n;
	for (const char *line = memchr(at, '\n', m->head_n); line && ++line < end;
	     line = memchr(line, '\n', (size_t)(end - line))) {
		const char *eol = memchr(line, '\r', (size_t)(end - line));
		if (!eol || (size_t)(eol - line) <= n || line[n] != ':' ||
		    strncasecmp(line, name, n) != 0)
			continue;
		const char *value = line + n + 1;
		while (value < eol && *value == ' ')
			value++;
		return (struct span){ value, (size_t)(eol - value) };
	}
	return (struct span){ 0 };
}

struct span message_word(const struct message *m, unsigned i)
{
	const char *at = m->bytes.at, *end = memchr(at, '\r', m->head_n);
	for (; end && i; i--) {
		at = memchr(at, ' ', (size_t)(end - at));
		if (!at)
			return (struct span){ 0 };
		at++;
	}
	const char *to = memchr(at, ' ', (size_t)(end - at));
	return (struct span){ at, (size_t)((to ? to : end) - at) };
}

/* Decodes the chunks that are there. True: the last one was among them. */
static bool message_take_chunks(struct message *m)
{
	const char *at = m->bytes.at + m->head_n, *end = m->bytes.at + m->bytes.n;
	m->body.n = 0;
	for (;;) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (!eol)
			return false;
		size_t n = strtoul(at, NULL, 16);
		at = eol + 2;
		if ((size_t)(end - at) < n + 2)
			return false;
		text_add(&m->body, at, n);
		at += n + 2;
		if (n)
			continue;
		m->whole_n = (size_t)(at - m->bytes.at);
		return true;
	}
}

static bool message_is_whole(struct message *m)
{
	const char *end = m->bytes.n ? memmem(m->bytes.at, m->bytes.n, "\r\n\r\n", 4) : NULL;
	if (!end)
		return false;
	m->head_n = (size_t)(end - m->bytes.at) + 4;
	if (message_field(m, "transfer-encoding").at)
		return message_take_chunks(m);
	struct span length = message_field(m, "content-length");
	size_t n = length.at ? strtoul(length.at, NULL, 10) : 0;
	m->whole_n = m->head_n + n;
	if (m->bytes.n < m->whole_n)
		return false;
	m->body.n = 0;
	text_add(&m->body, m->bytes.at + m->head_n, n);
	return true;
}

bool message_hear(struct message *m, const uint8_t *bytes, size_t n)
{
	text_add(&m->bytes, bytes, n);
	return message_is_whole(m);
}

bool message_next(struct message *m)
{
	must(m->whole_n <= m->bytes.n);
	memmove(m->bytes.at, m->bytes.at + m->whole_n, m->bytes.n - m->whole_n);
	m->bytes.n -= m->whole_n;
	m->whole_n = m->head_n = 0;
	return message_is_whole(m);
}

void message_close(struct message *m)
{
	text_drop(&m->bytes);
	text_drop(&m->body);
}
