#include "http/h1_blame.h"

#include <stdio.h>
#include <string.h>

#include "http/scan.h"

/* The most that is shown of each part of a line. */
#define SHOWN_BYTES 80

/* --- text --- */

struct out {
	char *at;
	size_t left; /* without the terminating NUL */
};

static void put_byte(struct out *o, unsigned char byte)
{
	char code[5];
	bool plain = scan_classes[byte] & SCAN_PLAIN && byte != '\'';
	int n = plain ? 1 : snprintf(code, sizeof code, "\\x%02X", byte);
	if ((size_t)n > o->left)
		return;
	memcpy(o->at, plain ? (char *)&byte : code, (size_t)n);
	o->at += n;
	o->left -= (size_t)n;
	*o->at = 0;
}

static void blame_put(struct out *o, struct span s)
{
	size_t n = s.n < SHOWN_BYTES ? s.n : SHOWN_BYTES;
	for (size_t i = 0; i < n; i++)
		put_byte(o, (unsigned char)s.at[i]);
	for (int i = 0; n < s.n && i < 3; i++)
		put_byte(o, '.');
}

static void put_hidden(struct out *o, struct span s)
{
	if (s.n)
		blame_put(o, SPAN("***"));
}

static struct span text_from(struct span s, size_t n)
{
	return n < s.n ? (struct span){ s.at + n, s.n - n } : (struct span){ s.at + s.n, 0 };
}

static struct span text_until(struct span s, char c)
{
	const char *at = s.n ? memchr(s.at, c, s.n) : NULL;
	return (struct span){ s.at, at ? (size_t)(at - s.at) : s.n };
}

/* The line as far as it has come, without its CR LF. */
static struct span line_of(struct span rest)
{
	struct span line = text_until(rest, '\n');
	bool ended = line.n < rest.n;
	if (ended && line.n && line.at[line.n - 1] == '\r')
		line.n--;
	else if (ended)
		line.n++;
	return line;
}

/* --- a request's first line --- */

/*
 * A space inside a target looks like the target's end. Only a later " HTTP/" shows that it is not.
 */
static bool is_space_inside(struct span behind)
{
	const char *last = behind.n ? memrchr(behind.at, ' ', behind.n) : NULL;
	return last && !memcmp(last, " HTTP/",
			       (size_t)(behind.at + behind.n - last) < 6
				       ? (size_t)(behind.at + behind.n - last)
				       : 6);
}

static void advise_target(struct h1_blame *b, struct span target)
{
	size_t n = scan_count(target.at, target.n, SCAN_TARGET);
	unsigned char byte = n < target.n ? (unsigned char)target.at[n] : 0;
	if (n == target.n || (byte == ' ' && !is_space_inside(text_from(target, n + 1))))
		return;
	if (byte == '#')
		snprintf(b->advice, sizeof b->advice,
			 "Byte %zu of the target is '#': do not send a fragment; in a name write "
			 "%%23.",
			 n + 1);
	else
		snprintf(b->advice, sizeof b->advice,
			 "Byte %zu of the target is 0x%02X: percent-encode it as %%%02X.", n + 1,
			 byte, byte);
}

static void blame_put_target(struct out *o, struct span target)
{
	struct span path = text_until(target, '?');
	const char *slashes =
		path.n > 1 && *path.at != '/' ? memmem(path.at, path.n, "//", 2) : NULL;
	struct span authority = slashes ? text_from(path, (size_t)(slashes + 2 - path.at)) : path;
	struct span user = text_until(authority, '@');
	if (slashes && user.n < authority.n) {
		blame_put(o, (struct span){ path.at, (size_t)(authority.at - path.at) });
		put_hidden(o, user);
		path = text_from(authority, user.n);
	}
	blame_put(o, path);
	if (path.at + path.n < target.at + target.n)
		blame_put(o, SPAN("?***"));
}

static void blame_request_line(struct h1_blame *b, struct out *o, struct span line, enum err why)
{
	struct span method = text_until(line, ' ');
	struct span target = text_from(line, method.n + 1);
	blame_put(o, method);
	if (method.n == line.n)
		return;
	blame_put(o, SPAN(" "));
	if (why == ERR_TARGET || (why == ERR_REQUEST_LINE && method.n))
		advise_target(b, target);
	blame_put_target(o, target);
}

/* --- a field --- */

/* The fields that the rules are about. Their values are no secrets. */
static bool blame_is_shown(struct span name)
{
	switch (name_find(name)) {
	case NAME_HOST:
	case NAME_CONTENT_LENGTH:
	case NAME_TRANSFER_ENCODING:
	case NAME_CONNECTION:
	case NAME_KEEP_ALIVE:
	case NAME_UPGRADE:
	case NAME_EXPECT:
	case NAME_TE:
	case NAME_TRAILER:
	case NAME_MAX_FORWARDS:
		return true;
	default:
		return false;
	}
}

static void advise_value(struct h1_blame *b, struct span value)
{
	size_t n = scan_count(value.at, value.n, SCAN_VALUE);
	if (n < value.n)
		snprintf(b->advice, sizeof b->advice, "The value contains byte 0x%02X.",
			 (unsigned char)value.at[n]);
}

/* A line without a field name may be the rest of a secret, so it is hidden. */
static void blame_field(struct h1_blame *b, struct out *o, struct span line, enum err why)
{
	size_t n = scan_count(line.at, line.n, SCAN_TOKEN);
	struct span name = { line.at, n }, value = text_from(line, n + 1);
	blame_put(o, name);
	if (n == line.n)
		return;
	put_byte(o, (unsigned char)line.at[n]);
	if (!n || line.at[n] != ':') {
		put_hidden(o, value);
		return;
	}
	if (why == ERR_FIELD_VALUE)
		advise_value(b, value);
	if (blame_is_shown(name))
		blame_put(o, value);
	else
		put_hidden(o, value);
}

/* Host is checked only after all fields have come. */
static void blame_host(struct out *o, const struct h1_parser *p)
{
	if (p->err != ERR_HOST_SYNTAX && p->err != ERR_TARGET_HOST)
		return;
	blame_put(o, SPAN("Host: "));
	blame_put(o, msg_value(p->msg, NAME_HOST));
}

/* --- the whole --- */

static struct out blame_begin(struct h1_blame *b)
{
	b->advice[0] = b->excerpt[0] = 0;
	return (struct out){ b->excerpt, sizeof b->excerpt - 1 };
}

void h1_blame_head(struct h1_blame *b, const struct h1_parser *p, struct span rest)
{
	struct out o = blame_begin(b);
	struct span line = line_of(rest);
	if (p->whole)
		blame_host(&o, p);
	else if (!p->first)
		blame_field(b, &o, line, p->err);
	else if (p->msg->kind == MSG_REQUEST)
		blame_request_line(b, &o, line, p->err);
	else
		blame_put(&o, line);
}

/* Nothing of a body is shown but the byte that does not fit into the chunk framing. */
void h1_blame_body(struct h1_blame *b, const struct h1_body *body)
{
	struct out o = blame_begin(b);
	if (body->parser && body->parser->err)
		blame_field(b, &o, line_of((struct span){ body->line, body->line_n }),
			    body->parser->err);
	else if (body->err != ERR_CHUNK_OVERHEAD)
		snprintf(b->advice, sizeof b->advice, "Found byte 0x%02X instead.", body->last);
}

void h1_blame_text(const struct h1_blame *b, enum err why, char to[H1_BLAME_TEXT_BYTES])
{
	bool advises = *b->advice, shows = *b->excerpt;
	snprintf(to, H1_BLAME_TEXT_BYTES, "%s%s%s%s%s%s", err_sentence(why), advises ? " " : "",
		 b->advice, shows ? " It is in '" : "", b->excerpt, shows ? "'." : "");
}
