#include "control/changes.h"

#include <stdarg.h>
#include <string.h>

#include "base/limits.h"

/* A text being written: kinds are separated by ';', the names of one kind by ','. */
struct teller {
	char *text;
	size_t used;
	const char *kind; /* written before the first of its names */
	unsigned named, more;
};

__attribute__((format(printf, 2, 3))) static void teller_say(struct teller *t, const char *format,
							     ...)
{
	va_list args;
	va_start(args, format);
	size_t room = CHANGES_TEXT_BYTES - t->used;
	int n = vsnprintf(t->text + t->used, room, format, args);
	va_end(args);
	t->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static void teller_begin(struct teller *t, const char *kind)
{
	t->kind = kind;
	t->named = t->more = 0;
}

static void teller_name(struct teller *t, char sign, const char *first, const char *second)
{
	if (t->named == CHANGES_NAMED) {
		t->more++;
		return;
	}
	if (t->named++)
		teller_say(t, ", ");
	else
		teller_say(t, "%s%s: ", t->used ? "; " : "", t->kind);
	teller_say(t, "%c%s%s%s", sign, first, *first ? " " : "", second);
}

static void teller_end(struct teller *t)
{
	if (t->more)
		teller_say(t, " and %u more", t->more);
}

/* --- listeners --- */

static bool has_address(const struct config *c, int kind, const struct config_address *a)
{
	for (const struct config_address *b = c->listeners.kinds[kind].addresses; b; b = b->next)
		if (addr_is(&a->addr, &b->addr))
			return true;
	return false;
}

static void name_listeners(struct teller *t, char sign, const struct config *of,
			   const struct config *missing_in)
{
	for (int k = 0; k < LISTENER_KINDS; k++)
		for (const struct config_address *a = of->listeners.kinds[k].addresses; a;
		     a = a->next)
			if (!has_address(missing_in, k, a))
				teller_name(t, sign, listener_name((enum config_listener_kind)k),
					    a->text);
}

/* --- nodes --- */

static bool has_node(const struct config *c, int arm, const struct config_node *n)
{
	for (const struct config_node *m = c->clusters[arm].nodes; m; m = m->next)
		if (m->port == n->port && m->tls == n->tls && !strcasecmp(m->host, n->host))
			return true;
	return false;
}

static void name_nodes(struct teller *t, char sign, const struct config *of,
		       const struct config *missing_in)
{
	for (int arm = 0; arm < ARMS; arm++)
		for (const struct config_node *n = of->clusters[arm].nodes; n; n = n->next)
			if (!has_node(missing_in, arm, n))
				teller_name(t, sign, arm_name((enum arm)arm), n->name);
}

/* --- certificates --- */

static bool same_file(const struct key_file_value *a, const struct key_file_value *b)
{
	if (!a->text || !b->text)
		return a->text == b->text;
	return !strcmp(a->text, b->text);
}

static const struct config_certificate *find_certificate(const struct config *c, const char *path)
{
	const struct config_certificate *m = &c->tls.certificate;
	while (m && (!m->certificate.path || strcmp(m->certificate.path, path) != 0))
		m = m->next;
	return m;
}

static void name_certificates(struct teller *t, char sign, const struct config *of,
			      const struct config *missing_in)
{
	for (const struct config_certificate *m = &of->tls.certificate; m; m = m->next)
		if (m->certificate.path && !find_certificate(missing_in, m->certificate.path))
			teller_name(t, sign, "", m->certificate.path);
}

static void name_replaced(struct teller *t, const struct config *before, const struct config *after)
{
	for (const struct config_certificate *m = &after->tls.certificate; m; m = m->next) {
		const struct config_certificate *old =
			m->certificate.path ? find_certificate(before, m->certificate.path) : NULL;
		if (old && !(same_file(&m->certificate, &old->certificate) &&
			     same_file(&m->key, &old->key)))
			teller_name(t, '~', "", m->certificate.path);
	}
}

/* --- the rest --- */

static bool same_authorities(const struct config *a, const struct config *b)
{
	for (int arm = 0; arm < ARMS; arm++)
		if (!same_file(&a->clusters[arm].ca, &b->clusters[arm].ca))
			return false;
	return true;
}

void changes_tell(const struct config *before, const struct config *after,
		  char text[CHANGES_TEXT_BYTES])
{
	struct teller t = { .text = text };
	text[0] = 0;
	teller_begin(&t, "listeners");
	name_listeners(&t, '+', after, before);
	name_listeners(&t, '-', before, after);
	teller_end(&t);
	teller_begin(&t, "nodes");
	name_nodes(&t, '+', after, before);
	name_nodes(&t, '-', before, after);
	teller_end(&t);
	teller_begin(&t, "certificates");
	name_certificates(&t, '+', after, before);
	name_certificates(&t, '-', before, after);
	name_replaced(&t, before, after);
	teller_end(&t);
	if (!same_authorities(before, after))
		teller_say(&t, "%sca", t.used ? "; " : "");
	bool same_text = span_is(before->diagnostics.text, after->diagnostics.text);
	if (!t.used)
		teller_say(&t, "%s", same_text ? "nothing" : "settings");
}
