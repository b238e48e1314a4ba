#include "http/msg.h"

#include <string.h>

#include "base/bug.h"
#include "base/fmt.h"
#include "base/limits.h"

/* A browser's request has 15 to 20 fields. */
#define FIELDS_FIRST 24
#define TEXT_FIRST 512

void msg_open(struct msg *m, struct arena *arena, enum msg_kind kind)
{
	*m = (struct msg){ .arena = arena, .kind = kind };
}

void msg_clear(struct msg *m)
{
	struct msg was = *m;
	msg_open(m, was.arena, (enum msg_kind)was.kind);
	m->text = was.text;
	m->text_room = was.text_room;
	m->fields = was.fields;
	m->field_room = was.field_room;
}

static void grow_fields(struct msg *m)
{
	size_t room = m->field_room ? 2 * (size_t)m->field_room : FIELDS_FIRST;
	m->fields = arena_grow(m->arena, m->fields, m->field_room * sizeof *m->fields,
			       room * sizeof *m->fields);
	m->field_room = (uint16_t)room;
}

void msg_grow(struct msg *m, size_t bytes)
{
	/*
	 * The fields grow first, so that the text is the arena's newest piece and can grow in
	 * place.
	 */
	if (m->field_n == m->field_room)
		grow_fields(m);
	size_t need = m->text_n + bytes + SCAN_SLACK;
	if (need <= m->text_room)
		return;
	size_t room = m->text_room ? 2 * (size_t)m->text_room : TEXT_FIRST;
	if (room < need)
		room = need;
	m->text = arena_grow(m->arena, m->text, m->text_room, room);
	m->text_room = (uint32_t)room;
}

struct field *msg_find(const struct msg *m, enum name name)
{
	must(name > NAME_OTHER && name < NAMES);
	if (!m->index[name])
		return NULL;
	for (size_t i = m->index[name] - 1u; i < m->field_n; i++)
		if (m->fields[i].name == name && !m->fields[i].dropped)
			return &m->fields[i];
	return NULL;
}

struct span msg_value(const struct msg *m, enum name name)
{
	const struct field *f = msg_find(m, name);
	return f ? field_value(m, f) : (struct span){ NULL, 0 };
}

void msg_drop(struct msg *m, enum name name)
{
	must(name > NAME_OTHER && name < NAMES);
	if (!m->index[name])
		return;
	for (size_t i = m->index[name] - 1u; i < m->field_n; i++)
		if (m->fields[i].name == name)
			m->fields[i].dropped = true;
	m->index[name] = 0;
}

void msg_drop_named(struct msg *m, struct span name)
{
	for (size_t i = 0; i < m->field_n; i++)
		if (span_is_nocase(field_name(m, &m->fields[i]), name))
			m->fields[i].dropped = true;
}

static char with_hyphen(char c)
{
	return c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool name_is_alike(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (with_hyphen(a.at[i]) != with_hyphen(b.at[i]))
			return false;
	return true;
}

void msg_drop_alike(struct msg *m, struct span name)
{
	for (size_t i = 0; i < m->field_n; i++)
		if (name_is_alike(field_name(m, &m->fields[i]), name))
			m->fields[i].dropped = true;
}

/* Tests eight bytes at a time. The last ones may belong to the text behind the name. */
static bool may_be_disguised(struct span name)
{
	static_assert(SCAN_SLACK >= 8, "a name may be read beyond its end");
	const uint64_t ones = 0x0101010101010101u;
	for (size_t i = 0; i < name.n; i += 8) {
		uint64_t v;
		memcpy(&v, name.at + i, 8);
		v ^= ones * '_';
		if ((v - ones) & ~v & ones << 7)
			return true;
	}
	return false;
}

static bool is_disguised(struct span name)
{
	char text[FIELD_NAME_BYTES];
	if (!may_be_disguised(name) || !memchr(name.at, '_', name.n))
		return false;
	must(name.n <= sizeof text);
	for (size_t i = 0; i < name.n; i++)
		text[i] = with_hyphen(name.at[i]);
	return name_find((struct span){ text, name.n }) != NAME_OTHER;
}

void msg_drop_disguised(struct msg *m)
{
	for (size_t i = 0; i < m->field_n; i++)
		if (m->fields[i].name == NAME_OTHER && is_disguised(field_name(m, &m->fields[i])))
			m->fields[i].dropped = true;
}

static void msg_put(struct msg *m, struct span s)
{
	msg_reserve(m, s.n);
	if (s.n)
		memcpy(m->text + m->text_n, s.at, s.n);
	m->text_n += (uint32_t)s.n;
}

void msg_set_request(struct msg *m, struct span method, struct span target)
{
	must(m->kind == MSG_REQUEST && m->text_n == 0);
	must(method.n > 0 && method.n <= METHOD_BYTES);
	must(scan_count(method.at, method.n, SCAN_TOKEN) == method.n);
	must(target.n > 0 && target.n <= REQUEST_LINE_BYTES);
	must(scan_count(target.at, target.n, SCAN_TARGET) == target.n);
	msg_put(m, method);
	msg_put(m, SPAN(" "));
	msg_put(m, target);
	msg_put(m, SPAN(" HTTP/1.1\r\n"));
	m->method = method_find(method);
	m->minor = 1;
	m->method_n = (uint16_t)method.n;
	m->target_n = (uint16_t)target.n;
	m->first_n = (uint16_t)m->text_n;
}

void msg_set_status(struct msg *m, unsigned status, struct span reason)
{
	must(m->kind == MSG_RESPONSE && m->text_n == 0);
	must(status >= 100 && status <= 599 && reason.n <= REQUEST_LINE_BYTES);
	must(scan_count(reason.at, reason.n, SCAN_VALUE) == reason.n);
	char digits[FMT_DECIMAL_BYTES];
	msg_put(m, SPAN("HTTP/1.1 "));
	msg_put(m, (struct span){ digits, fmt_decimal(digits, status) });
	msg_put(m, SPAN(" "));
	msg_put(m, reason);
	msg_put(m, SPAN("\r\n"));
	m->minor = 1;
	m->status = (uint16_t)status;
	m->first_n = (uint16_t)m->text_n;
}

/* Checked while it is copied: an invalid field can only be our own mistake. */
static void msg_put_name(struct msg *m, struct span name)
{
	must(name.n > 0);
	must(scan_token(m->text + m->text_n, name.at, name.n) == name.n);
	m->text_n += (uint32_t)name.n;
}

static void msg_put_value(struct msg *m, struct span value)
{
	must(!value.n || scan_value(m->text + m->text_n, value.at, value.n) == value.n);
	m->text_n += (uint32_t)value.n;
}

static bool msg_is_full(const struct msg *m)
{
	return m->field_n >=
	       (m->kind == MSG_RESPONSE ? RESPONSE_FIELDS_MAX : FIELDS_MAX) + FIELDS_ADDED_MAX;
}

static bool msg_append(struct msg *m, enum name id, struct span name, struct span value)
{
	if (name.n > FIELD_NAME_BYTES || name.n + 2 + value.n > FIELD_LINE_BYTES || msg_is_full(m))
		return false;
	msg_reserve(m, name.n + value.n + 4);
	struct field *f = msg_next(m);
	*f = (struct field){ .at = m->text_n,
			     .value_n = (uint16_t)value.n,
			     .name_n = (uint8_t)name.n,
			     .name = (uint8_t)id };
	msg_push(m, f);
	msg_put_name(m, name);
	msg_put(m, SPAN(": "));
	msg_put_value(m, value);
	msg_put(m, SPAN("\r\n"));
	return true;
}

bool msg_add_line(struct msg *m, enum name name, struct span line)
{
	size_t name_n = name_text(name).n;
	if (msg_is_full(m))
		return false;
	msg_reserve(m, line.n);
	struct field *f = msg_next(m);
	*f = (struct field){ .at = m->text_n,
			     .value_n = (uint16_t)(line.n - name_n - 4),
			     .name_n = (uint8_t)name_n,
			     .name = (uint8_t)name };
	msg_push(m, f);
	memcpy(m->text + m->text_n, line.at, line.n);
	m->text_n += (uint32_t)line.n;
	return true;
}

bool msg_add(struct msg *m, enum name name, struct span value)
{
	return msg_append(m, name, name_text(name), value);
}

bool msg_add_named(struct msg *m, struct span name, struct span value)
{
	return msg_append(m, name_find(name), name, value);
}

bool msg_set(struct msg *m, enum name name, struct span value)
{
	msg_drop(m, name);
	return msg_append(m, name, name_text(name), value);
}

void msg_set_length(struct msg *m, uint64_t length)
{
	char digits[FMT_DECIMAL_BYTES];
	size_t n = fmt_decimal(digits, length);
	m->body = BODY_LENGTH;
	m->length = length;
	must(msg_set(m, NAME_CONTENT_LENGTH, (struct span){ digits, n }));
}

enum method method_find(struct span method)
{
#define METHOD(name)                                                                               \
	if (span_is(method, SPAN(#name)))                                                          \
	return METHOD_##name
	METHOD(GET);
	METHOD(POST);
	METHOD(HEAD);
	METHOD(PUT);
	METHOD(DELETE);
	METHOD(PATCH);
	METHOD(OPTIONS);
	METHOD(TRACE);
	METHOD(CONNECT);
#undef METHOD
	return METHOD_OTHER;
}
