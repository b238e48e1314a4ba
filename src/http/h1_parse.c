#include "http/h1_parse.h"

#include "base/bug.h"
#include "http/authority.h"
#include "http/semantics.h"
#include "http/scan.h"
#include "base/limits.h"

/* msg->minor while the line has a version that is not supported. */
#define MINOR_UNKNOWN UINT8_MAX

#define INLINE inline __attribute__((always_inline))

enum took {
	TOOK_NOTHING, /* the line is unfinished */
	TOOK_IT,      /* the line, or the requested part of it */
	TOOK_ALL,     /* the empty line at the end */
	TOOK_BAD,
};

/*
 * The line that is being read. Each step goes from left to right and reads no further than the byte
 * that decides. So an unfinished line fails exactly where the whole line would.
 */
struct line {
	const char *begin, *at;
	const char *last; /* the CR must come before this place */
	const char *end;  /* behind the last byte that has come */
	size_t max;	  /* bytes without CR LF */
	enum err too_long, too_short;
};

static void open_parser(struct h1_parser *p, struct msg *m, enum msg_kind kind, size_t head_max,
			uint16_t fields_max)
{
	must(m->kind == kind && m->text_n == 0 && m->field_n == 0);
	*p = (struct h1_parser){ .msg = m,
				 .head_max = head_max,
				 .fields_max = fields_max,
				 .first = kind != MSG_TRAILERS };
}

void h1_parse_request(struct h1_parser *p, struct msg *m)
{
	open_parser(p, m, MSG_REQUEST, REQUEST_HEAD_BYTES, FIELDS_MAX);
}

void h1_parse_response(struct h1_parser *p, struct msg *m, enum method method, bool upgrade_asked,
		       const struct h1_limits *limits)
{
	static const struct h1_limits usual = { RESPONSE_HEAD_BYTES, RESPONSE_FIELDS };
	limits = limits ? limits : &usual;
	must(limits->head_bytes <= RESPONSE_HEAD_BYTES_MAX &&
	     limits->fields <= RESPONSE_FIELDS_MAX);
	open_parser(p, m, MSG_RESPONSE, limits->head_bytes, limits->fields);
	p->method = (uint8_t)method;
	p->upgrade_asked = upgrade_asked;
}

void h1_parse_trailers(struct h1_parser *p, struct msg *m)
{
	open_parser(p, m, MSG_TRAILERS, TRAILERS_BYTES, FIELDS_MAX);
}

static enum took parser_bad(struct h1_parser *p, enum err err)
{
	p->err = err;
	return TOOK_BAD;
}

static INLINE void line_begin(struct line *l, size_t max, enum err too_long, enum err too_short)
{
	l->begin = l->at;
	l->max = max;
	l->last = (size_t)(l->end - l->at) > max ? l->at + max + 1 : l->end;
	l->too_long = too_long;
	l->too_short = too_short;
}

static INLINE bool line_at(const struct line *l, char c)
{
	return l->at < l->last && *l->at == c;
}

static INLINE size_t line_left(const struct line *l, size_t max)
{
	size_t left = (size_t)(l->last - l->at);
	return left < max ? left : max;
}

/*
 * The next byte is not the expected one. Fails with `err`, unless the bytes are used up or the line
 * ends here. `l` is passed by value: a line whose address is not taken can stay in registers.
 */
static enum took line_stopped(struct h1_parser *p, struct line l, enum err err)
{
	if (l.at == l.last)
		return (size_t)(l.last - l.begin) > l.max ? parser_bad(p, l.too_long)
							  : TOOK_NOTHING;
	if (*l.at == '\n')
		return parser_bad(p, ERR_BARE_LF);
	if (*l.at != '\r')
		return parser_bad(p, err);
	if (l.at + 1 == l.end)
		return TOOK_NOTHING;
	return parser_bad(p, l.at[1] == '\n' ? l.too_short : ERR_BARE_CR);
}

/* Takes CR LF; anything else fails with `err`. */
static INLINE enum took line_finish(struct h1_parser *p, struct line *l, enum err err)
{
	if (!line_at(l, '\r'))
		return line_stopped(p, *l, err);
	if (l->at + 1 == l->end)
		return TOOK_NOTHING;
	if (l->at[1] != '\n')
		return parser_bad(p, ERR_BARE_CR);
	l->at += 2;
	return TOOK_IT;
}

/*
 * Appends bytes to the text while they belong to the class. The text grows when its room is used
 * up.
 */
static INLINE size_t line_copy(struct msg *m, struct line *l,
			       size_t (*scan)(char *, const char *, size_t))
{
	const char *from = l->at;
	for (;;) {
		size_t n = line_left(l, m->text_room - m->text_n - SCAN_SLACK);
		size_t copied = scan(m->text + m->text_n, l->at, n);
		m->text_n += (uint32_t)copied;
		l->at += copied;
		if (copied < n || l->at == l->last)
			return (size_t)(l->at - from);
		msg_reserve(m, 1);
	}
}

/* Appends a few bytes; SCAN_SLACK behind the text has room for them. */
static inline void text_put(struct msg *m, const char *bytes, size_t n)
{
	memcpy(m->text + m->text_n, bytes, n);
	m->text_n += (uint32_t)n;
}

/*
 * HTTP/ DIGIT "." DIGIT. A version other than 1.x is refused at the end of the line. A later minor
 * version is read as the latest one known here: RFC 9110, 2.5.
 */
static INLINE enum took take_version(struct h1_parser *p, struct line *l, enum err not_http,
				     enum err syntax)
{
	static const char form[] = "HTTP/0.0";
	size_t i = line_left(l, 8) == 8 && memcmp(l->at, "HTTP/1.1", 8) == 0 ? 8 : 0;
	l->at += i;
	for (; i < 8; i++, l->at++) {
		if (l->at == l->last)
			return line_stopped(p, *l, ERR_NONE);
		bool fits = form[i] == '0' ? *l->at >= '0' && *l->at <= '9' : *l->at == form[i];
		if (!fits)
			return line_stopped(p, *l, i < 5 ? not_http : syntax);
	}
	p->msg->minor = l->at[-3] == '1' ? l->at[-1] > '0' : MINOR_UNKNOWN;
	return TOOK_IT;
}

static size_t scheme_n(struct span target)
{
	if (target.n >= 7 && span_is_nocase((struct span){ target.at, 7 }, SPAN("http://")))
		return 7;
	if (target.n >= 8 && span_is_nocase((struct span){ target.at, 8 }, SPAN("https://")))
		return 8;
	return 0;
}

/* http://AUTHORITY/PATH becomes /PATH: RFC 9112, 3.2.2 and 3.2.4. */
static enum err rewrite_absolute(struct h1_parser *p, struct span target)
{
	struct msg *m = p->msg;
	size_t scheme = scheme_n(target), at = scheme;
	while (at < target.n && target.at[at] != '/' && target.at[at] != '?')
		at++;
	struct span authority = { target.at + scheme, at - scheme };
	if (!scheme || !authority_valid(authority))
		return ERR_TARGET;
	char *kept = arena_take(m->arena, authority.n);
	memcpy(kept, authority.at, authority.n);
	p->authority = (struct span){ kept, authority.n };
	p->scheme_port = scheme == 7 ? 80 : 443;

	char *to = m->text + m->method_n + 1;
	size_t n = target.n - at;
	bool has_path = n > 0 && target.at[at] == '/';
	memmove(to + !has_path, target.at + at, n);
	if (!has_path)
		*to = n == 0 && m->method == METHOD_OPTIONS ? '*' : '/';
	m->target_n = (uint16_t)(n + !has_path);
	m->text_n = m->method_n + 1u + m->target_n;
	return ERR_NONE;
}

static enum err check_target(struct h1_parser *p)
{
	struct msg *m = p->msg;
	struct span target = msg_target(m);
	if (m->method == METHOD_CONNECT)
		return ERR_METHOD_CONNECT;
	if (target.at[0] == '/')
		return ERR_NONE;
	if (span_is(target, SPAN("*")))
		return m->method == METHOD_OPTIONS ? ERR_NONE : ERR_TARGET;
	return rewrite_absolute(p, target);
}

static INLINE enum took take_method(struct h1_parser *p, struct line *l)
{
	struct msg *m = p->msg;
	size_t n = scan_token(m->text, l->at, line_left(l, METHOD_BYTES + 1));
	l->at += n;
	if (n > METHOD_BYTES)
		return parser_bad(p, ERR_METHOD);
	if (n == 0 || !line_at(l, ' '))
		return line_stopped(p, *l, ERR_METHOD);
	l->at++;
	m->text_n = (uint32_t)n;
	m->method_n = (uint16_t)n;
	m->method = (uint8_t)method_find(msg_method(m));
	return TOOK_IT;
}

static size_t scan_lenient(char *to, const char *from, size_t n)
{
	size_t i = 0;
	for (; i < n && (from[i] & 0x80 || scan_classes[(unsigned char)from[i]] & SCAN_TARGET); i++)
		to[i] = from[i];
	return i;
}

/* Rarely used. It must not slow down the usual path, so it gets the line by value. */
static __attribute__((noinline, cold)) size_t copy_lenient(struct msg *m, struct line l)
{
	return line_copy(m, &l, scan_lenient);
}

static INLINE enum took take_target(struct h1_parser *p, struct line *l)
{
	struct msg *m = p->msg;
	text_put(m, " ", 1);
	size_t n = line_copy(m, l, scan_target);
	if (!line_at(l, ' ') && p->lenient) {
		size_t more = copy_lenient(m, *l);
		l->at += more;
		n += more;
	}
	if (n == 0 || !line_at(l, ' '))
		return line_stopped(p, *l, n ? ERR_TARGET : ERR_REQUEST_LINE);
	l->at++;
	m->target_n = (uint16_t)n;
	return TOOK_IT;
}

static INLINE enum took take_request_line(struct h1_parser *p, struct line *l)
{
	struct msg *m = p->msg;
	line_begin(l, REQUEST_LINE_BYTES, ERR_TARGET_SIZE, ERR_REQUEST_LINE);
	if (p->blanks < BLANK_LINES_MAX && line_at(l, '\r')) {
		enum took took = line_finish(p, l, ERR_NONE);
		p->blanks += took == TOOK_IT;
		return took;
	}
	enum took took = take_method(p, l);
	if (took == TOOK_IT)
		took = take_target(p, l);
	if (took == TOOK_IT)
		took = take_version(p, l, ERR_REQUEST_LINE, ERR_VERSION_SYNTAX);
	if (took == TOOK_IT)
		took = line_finish(p, l, ERR_VERSION_SYNTAX);
	if (took != TOOK_IT)
		return took;
	/*
	 * The version is checked first: the connection preface of HTTP/2 has a target that HTTP/1
	 * does not allow.
	 */
	enum err err = m->minor == MINOR_UNKNOWN ? ERR_VERSION : check_target(p);
	if (err)
		return parser_bad(p, err);
	text_put(m, " HTTP/1.1\r\n", 11);
	m->first_n = (uint16_t)m->text_n;
	p->first = false;
	return TOOK_IT;
}

/* SP and three digits. */
static enum took parser_take_status(struct h1_parser *p, struct line *l)
{
	struct msg *m = p->msg;
	if (!line_at(l, ' '))
		return line_stopped(p, *l, ERR_STATUS_LINE);
	l->at++;
	unsigned status = 0;
	for (int i = 0; i < 3; i++, l->at++) {
		if (l->at == l->last || *l->at < '0' || *l->at > '9')
			return line_stopped(p, *l, ERR_STATUS_LINE);
		status = 10 * status + (unsigned)(*l->at - '0');
		text_put(m, l->at, 1);
	}
	m->status = (uint16_t)status;
	return TOOK_IT;
}

/* The reason, which may be missing with the space before it: RFC 9112, 4. */
static enum took take_reason(struct h1_parser *p, struct line *l)
{
	struct msg *m = p->msg;
	text_put(m, " ", 1);
	if (line_at(l, ' ')) {
		l->at++;
		line_copy(m, l, scan_value);
	}
	return line_finish(p, l, ERR_STATUS_LINE);
}

static enum took take_status_line(struct h1_parser *p, struct line *l)
{
	struct msg *m = p->msg;
	line_begin(l, REQUEST_LINE_BYTES, ERR_STATUS_LINE, ERR_STATUS_LINE);
	text_put(m, "HTTP/1.1 ", 9);
	enum took took = take_version(p, l, ERR_STATUS_LINE, ERR_STATUS_LINE);
	if (took == TOOK_IT)
		took = parser_take_status(p, l);
	if (took == TOOK_IT)
		took = take_reason(p, l);
	if (took != TOOK_IT)
		return took;
	if (m->minor == MINOR_UNKNOWN)
		return parser_bad(p, ERR_VERSION);
	if (m->status < 100)
		return parser_bad(p, ERR_STATUS_LINE);
	text_put(m, "\r\n", 2);
	m->first_n = (uint16_t)m->text_n;
	p->first = false;
	return TOOK_IT;
}

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

/* The value's text, without white space around it. */
static INLINE enum took take_value(struct h1_parser *p, struct line *l, struct field *f)
{
	struct msg *m = p->msg;
	while (l->at < l->last && is_ows(*l->at))
		l->at++;
	size_t n = line_copy(m, l, scan_value);
	enum took took = line_finish(p, l, ERR_FIELD_VALUE);
	if (took != TOOK_IT)
		return took;
	/* Of the bytes up to the space, a value can hold only space and tab. */
	while (n > 0 && (unsigned char)m->text[m->text_n - 1] <= ' ')
		n--, m->text_n--;
	text_put(m, "\r\n", 2);
	if (f->name_n + 2 + n > FIELD_LINE_BYTES)
		return parser_bad(p, ERR_FIELD_SIZE);
	f->value_n = (uint16_t)n;
	return TOOK_IT;
}

/* There is no colon behind the `n` bytes of a name. */
static enum took name_stopped(struct h1_parser *p, struct line l, size_t n)
{
	bool space = line_at(&l, ' ') || line_at(&l, '\t');
	return line_stopped(p, l, n > 0 && space ? ERR_FIELD_SPACE : ERR_FIELD_NAME);
}

static INLINE enum took take_field(struct h1_parser *p, struct line *l)
{
	struct msg *m = p->msg;
	line_begin(l, FIELD_LINE_BYTES, ERR_FIELD_SIZE, ERR_FIELD_NAME);
	if (l->at == l->last)
		return TOOK_NOTHING;
	if (*l->at == '\r') {
		enum took took = line_finish(p, l, ERR_NONE);
		return took == TOOK_IT ? TOOK_ALL : took;
	}
	if (is_ows(*l->at))
		return parser_bad(p, ERR_FOLDED_FIELD);
	if (m->field_n == p->fields_max)
		return parser_bad(p, ERR_HEAD_SIZE);

	msg_reserve(m, FIELD_NAME_BYTES + 3);
	size_t n = scan_token(m->text + m->text_n, l->at, line_left(l, FIELD_NAME_BYTES + 1));
	l->at += n;
	if (n > FIELD_NAME_BYTES)
		return parser_bad(p, ERR_FIELD_SIZE);
	if (n == 0 || !line_at(l, ':'))
		return name_stopped(p, *l, n);
	l->at++;
	struct field *f = msg_next(m);
	*f = (struct field){ .at = m->text_n, .name_n = (uint8_t)n };
	m->text_n += (uint32_t)n;
	text_put(m, ": ", 2);

	enum took took = take_value(p, l, f);
	if (took != TOOK_IT)
		return took;
	enum err err = semantics_field(p, f);
	if (err)
		return parser_bad(p, err);
	msg_push(m, f);
	return TOOK_IT;
}

static INLINE enum took parser_take_line(struct h1_parser *p, struct line *l)
{
	if (!p->first)
		return take_field(p, l);
	return p->msg->kind == MSG_REQUEST ? take_request_line(p, l) : take_status_line(p, l);
}

/* Room for a usual head, for the longest name after it, and for the fields that we add. */
static void reserve_head(struct msg *m, size_t come)
{
	msg_reserve(m, (come < HEAD_GUESS_BYTES ? come : HEAD_GUESS_BYTES) + 2 * FIELD_NAME_BYTES);
}

enum h1_progress h1_parse(struct h1_parser *p, struct span bytes, size_t *used)
{
	must(p->err == ERR_NONE && p->head_n < p->head_max);
	*used = 0;
	if (bytes.n == 0)
		return H1_MORE;
	struct msg *m = p->msg;
	if (!m->text)
		reserve_head(m, bytes.n);
	must(m->text);
	size_t left = p->head_max - p->head_n;
	struct line l = { .at = bytes.at, .end = bytes.at + (bytes.n < left ? bytes.n : left) };
	enum took took;
	const char *taken = l.at;
	do {
		uint32_t text_n = m->text_n;
		took = parser_take_line(p, &l);
		if (took == TOOK_IT || took == TOOK_ALL)
			taken = l.at;
		else
			m->text_n = text_n;
	} while (took == TOOK_IT);

	*used = (size_t)(taken - bytes.at);
	p->head_n += *used;
	if (took == TOOK_NOTHING && p->head_n + (size_t)(l.end - taken) == p->head_max)
		took = parser_bad(p, ERR_HEAD_SIZE);
	if (took == TOOK_ALL && (p->err = semantics_head(p))) {
		p->whole = true;
		took = TOOK_BAD;
	}
	if (took == TOOK_BAD)
		return H1_BAD;
	return took == TOOK_ALL ? H1_DONE : H1_MORE;
}
