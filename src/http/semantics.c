#include "http/semantics.h"

#include "base/bug.h"
#include "http/authority.h"
#include "http/scan.h"
#include "base/limits.h"

/*
 * Leading zeros in a number are legal, but some software reads such a number as octal, so they are
 * removed. The field is the newest one: its value and CR LF are the last bytes of the text.
 */
static void drop_zeros(struct msg *m, struct field *f)
{
	struct span value = field_value(m, f);
	uint16_t n = 0;
	while (n + 1u < value.n && value.at[n] == '0')
		n++;
	char *at = m->text + (value.at - m->text);
	must(at + value.n + 2 == m->text + m->text_n);
	memmove(at, at + n, value.n + 2 - n);
	f->value_n -= n;
	m->text_n -= n;
}

static enum err sense_length(struct h1_parser *p, struct field *f)
{
	struct span value = field_value(p->msg, f);
	/* "5, 5" is two lengths. RFC 9110, 8.6 allows to refuse it, which is the safe choice. */
	if (p->lengths || memchr(value.at, ',', value.n))
		return ERR_LENGTH_DOUBLED;
	p->lengths = 1;
	unsigned long long length;
	if (!span_to_u64(value, INT64_MAX, &length))
		return ERR_LENGTH_SYNTAX;
	p->msg->length = length;
	if (value.at[0] == '0' && value.n > 1)
		drop_zeros(p->msg, f);
	return ERR_NONE;
}

static enum err sense_coding(struct h1_parser *p, struct span value)
{
	if (p->codings)
		return ERR_CODING_SYNTAX;
	p->codings = 1;
	if (span_is_nocase(value, SPAN("chunked")))
		return ERR_NONE;
	/* The field is refused in any case; the rest only finds out which error to report. */
	bool chunked = false, other = false;
	struct span member;
	while (span_next_member(&value, &member)) {
		if (chunked)
			return ERR_CODING_SYNTAX;
		chunked = span_is_nocase(member, SPAN("chunked"));
		other |= !chunked;
	}
	return other ? ERR_CODING_UNKNOWN : ERR_CODING_SYNTAX;
}

static enum err sense_trailer(struct field *f)
{
	enum how how = name_how(f->name);
	f->dropped = how == HOW_HEAD;
	return how == HOW_KEEP || how == HOW_HEAD ? ERR_NONE : ERR_TRAILER;
}

enum err semantics_field(struct h1_parser *p, struct field *f)
{
	struct msg *m = p->msg;
	f->name = (uint8_t)name_find(field_name(m, f));
	if (f->name == NAME_OTHER)
		return ERR_NONE;
	if (m->kind == MSG_TRAILERS)
		return sense_trailer(f);
	f->dropped = name_how(f->name) == HOW_HOP;
	switch (f->name) {
	case NAME_HOST:
		return m->kind == MSG_REQUEST && m->index[NAME_HOST] ? ERR_HOST_DOUBLED : ERR_NONE;
	case NAME_CONTENT_LENGTH:
		return sense_length(p, f);
	case NAME_TRANSFER_ENCODING:
		f->dropped = true;
		return sense_coding(p, field_value(m, f));
	default:
		return ERR_NONE;
	}
}

/* The next field of that name, dropped or not, after `f` (NULL: the first one). */
static struct field *next_field(struct msg *m, enum name name, struct field *f)
{
	if (!f) {
		if (!m->index[name])
			return NULL;
		f = &m->fields[m->index[name] - 1];
		must(f->name == name);
		return f;
	}
	while (++f < m->fields + m->field_n)
		if (f->name == name)
			return f;
	return NULL;
}

/*
 * If the target has an authority, that authority counts (RFC 9112, 3.2.2). A Host that names the
 * same authority stays as the client has written it, because the client may have signed it. A Host
 * that names another one is refused: a proxy or server that uses Host and one that uses the target
 * would understand the request differently.
 */
static enum err sense_host(struct h1_parser *p)
{
	struct msg *m = p->msg;
	const struct field *f = msg_find(m, NAME_HOST);
	if (!f && m->minor > 0)
		return ERR_HOST_MISSING;
	struct span host = f ? field_value(m, f) : (struct span){ NULL, 0 };
	if (!host.n && m->minor == 0) {
		must(msg_set(m, NAME_HOST, p->authority));
		return ERR_NONE;
	}
	/* Without an authority, no target that needs one is complete: RFC 9112, 3.2 and 3.3. */
	if (!host.n && !p->authority.n)
		return span_is(msg_target(m), SPAN("*")) ? ERR_NONE : ERR_HOST_EMPTY;
	if (host.n > 0 && !authority_valid(host))
		return ERR_HOST_SYNTAX;
	if (p->authority.n > 0 && !authority_same(host, p->authority, p->scheme_port))
		return ERR_TARGET_HOST;
	return ERR_NONE;
}

/* RFC 9112, 6.3, except its first case: responses that never have a body. */
static enum err sense_framing(struct h1_parser *p)
{
	struct msg *m = p->msg;
	if (p->lengths && p->codings)
		return ERR_LENGTH_WITH_CODING;
	if (p->codings && m->minor == 0)
		return ERR_CODING_VERSION;
	if (p->codings)
		m->body = BODY_UNKNOWN;
	else if (p->lengths)
		m->body = BODY_LENGTH;
	else
		m->body = m->kind == MSG_RESPONSE ? BODY_UNKNOWN : BODY_NONE;
	return ERR_NONE;
}

static void drop_option(struct msg *m, struct span option)
{
	if (scan_count(option.at, option.n, SCAN_TOKEN) != option.n)
		return;
	enum name name = name_find(option);
	if (name == NAME_OTHER)
		msg_drop_named(m, option);
	else if (name_how(name) == HOW_KEEP)
		msg_drop(m, name);
}

/* RFC 9110, 7.6.1. */
static enum err sense_connection(struct h1_parser *p, bool *upgrade)
{
	struct msg *m = p->msg;
	bool keep = false;
	unsigned others = 0;
	struct field *f = NULL;
	while ((f = next_field(m, NAME_CONNECTION, f))) {
		struct span rest = field_value(m, f), option;
		while (span_next_member(&rest, &option)) {
			if (span_is_nocase(option, SPAN("keep-alive")))
				keep = true;
			else if (span_is_nocase(option, SPAN("close")))
				m->close = true;
			else if (span_is_nocase(option, SPAN("upgrade")))
				*upgrade = true;
			else if (++others > CONNECTION_OPTIONS_MAX)
				return ERR_HEAD_SIZE;
			else
				drop_option(m, option);
		}
	}
	if (m->minor == 0 && !keep)
		m->close = true;
	return ERR_NONE;
}

/* RFC 9110, 10.1.1. */
static enum err sense_expect(struct msg *m)
{
	if (m->minor == 0) {
		msg_drop(m, NAME_EXPECT);
		return ERR_NONE;
	}
	struct field *f = NULL;
	while ((f = next_field(m, NAME_EXPECT, f))) {
		struct span rest = field_value(m, f), member;
		while (span_next_member(&rest, &member)) {
			if (!span_is_nocase(member, SPAN("100-continue")))
				return ERR_EXPECTATION;
			m->expects = true;
		}
	}
	return ERR_NONE;
}

/* The only Upgrade field; NULL when there are several or none. */
static struct field *single_upgrade(struct msg *m)
{
	struct field *f = next_field(m, NAME_UPGRADE, NULL);
	return f && !next_field(m, NAME_UPGRADE, f) ? f : NULL;
}

/* HTTP/2 and TLS are no tunnels: they would change only the client's connection to us. */
static bool is_tunnel_protocol(struct span protocols)
{
	unsigned n = 0;
	struct span member;
	while (span_next_member(&protocols, &member)) {
		const char *slash = memchr(member.at, '/', member.n);
		if (slash)
			member.n = (size_t)(slash - member.at);
		if (span_is_nocase(member, SPAN("h2c")) || span_is_nocase(member, SPAN("h2")) ||
		    span_is_nocase(member, SPAN("http")) || span_is_nocase(member, SPAN("tls")))
			return false;
		n++;
	}
	return n > 0;
}

/*
 * An Upgrade that we cannot pass on is dropped, and the request goes on as an ordinary one: RFC
 * 9110, 7.8. Some clients send a length of 0 with it, which means no body.
 */
static void sense_upgrade(struct msg *m)
{
	struct field *f = single_upgrade(m);
	bool empty = m->body == BODY_NONE || (m->body == BODY_LENGTH && !m->length);
	if (!f || m->minor == 0 || m->method != METHOD_GET || !empty ||
	    !is_tunnel_protocol(field_value(m, f)))
		return;
	f->dropped = false;
	m->tunnel = true;
	m->body = BODY_NONE;
	msg_drop(m, NAME_CONTENT_LENGTH);
}

static enum err sense_request(struct h1_parser *p)
{
	struct msg *m = p->msg;
	bool upgrade = false;
	enum err err = sense_host(p);
	if (!err)
		err = sense_framing(p);
	if (!err)
		err = sense_connection(p, &upgrade);
	if (!err && m->index[NAME_EXPECT])
		err = sense_expect(m);
	if (!err && upgrade)
		sense_upgrade(m);
	return err;
}

/*
 * RFC 9112, 6.3, first case, and RFC 9110, 8.6: which responses may state a length without a body.
 */
static void sense_bodiless(struct h1_parser *p)
{
	struct msg *m = p->msg;
	bool may_say = m->status >= 200 && m->status != 204;
	m->body = BODY_NONE;
	/*
	 * Such a sender is confused and may really send that body. Some senders send the last chunk
	 * although they send no other chunk. So no byte behind the head is trusted.
	 */
	if (p->codings || (m->length > 0 && !may_say))
		m->close = true;
	if (!may_say)
		msg_drop(m, NAME_CONTENT_LENGTH);
	p->tail = !p->lengths || m->length > 0;
	m->length = 0;
}

static enum err sense_switch(struct h1_parser *p)
{
	struct field *f = single_upgrade(p->msg);
	if (!p->upgrade_asked || !f)
		return ERR_BACK_UPGRADE;
	f->dropped = false;
	p->msg->tunnel = true;
	return ERR_NONE;
}

/*
 * RFC 2068, 19.7.1, as servers write it: "timeout=5, max=100". A value that is not a number is
 * ignored.
 */
static void sense_keep_alive(struct h1_parser *p)
{
	struct field *f = next_field(p->msg, NAME_KEEP_ALIVE, NULL);
	struct span rest = f ? field_value(p->msg, f) : (struct span){ NULL, 0 }, member;
	while (span_next_member(&rest, &member)) {
		const struct span name = SPAN("timeout=");
		unsigned long long s;
		if (member.n <= name.n || !span_is_nocase((struct span){ member.at, name.n }, name))
			continue;
		struct span value = { member.at + name.n, member.n - name.n };
		p->keeps = span_to_u64(value, UINT64_MAX >> 1, &s);
		p->keeps_s = p->keeps && s < UINT16_MAX ? (uint16_t)s : UINT16_MAX;
		return;
	}
}

static enum err sense_response(struct h1_parser *p)
{
	struct msg *m = p->msg;
	bool upgrade = false;
	enum err err = sense_framing(p);
	if (!err)
		err = sense_connection(p, &upgrade);
	if (!err && m->status == 101)
		err = sense_switch(p);
	if (err)
		return err;
	if (m->status < 200 || m->status == 204 || m->status == 304 || p->method == METHOD_HEAD)
		sense_bodiless(p);
	if (m->body == BODY_UNKNOWN && !p->codings)
		m->close = true;
	if (m->index[NAME_KEEP_ALIVE])
		sense_keep_alive(p);
	return ERR_NONE;
}

enum err semantics_head(struct h1_parser *p)
{
	switch (p->msg->kind) {
	case MSG_REQUEST:
		return sense_request(p);
	case MSG_RESPONSE:
		return sense_response(p);
	default:
		return ERR_NONE;
	}
}
