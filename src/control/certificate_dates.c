#include "control/certificate_dates.h"

#include <stdlib.h>
#include <time.h>

#include "base/bug.h"
#include "base/limits.h"
#include "base/log.h"

#define DAY_S (24 * 3600)
#define WORDS_BYTES 512

/* --- collecting --- */

/* `to` is NULL where compiling the plan's contexts reports a broken file. */

static void certificate_dates_add(struct certificate_dates *v, const char *use,
				  const struct key_file_value *f, struct diagnostics *to)
{
	char error[TLS_ERROR_BYTES];
	if (!f->path)
		return;
	struct certificate_dates_one one = { .use = use, .file = f->path, .at = f->at };
	if (!tls_dates_read(f->text, &one.dates, error)) {
		if (to)
			diagnose(to, f->at, "%s: %s: %s", use, f->path, error);
		return;
	}
	v->list = realloc(v->list, (v->n + 1) * sizeof *v->list);
	must(v->list);
	v->list[v->n++] = one;
}

void certificate_dates_open(struct certificate_dates *v, const struct config *c,
			    struct diagnostics *to)
{
	const struct config_kafka *k = &c->capture.kafka;
	*v = (struct certificate_dates){ NULL, 0 };
	if (c->tls.head.at != NOWHERE)
		for (const struct config_certificate *t = &c->tls.certificate; t; t = t->next)
			certificate_dates_add(v, "listener", &t->certificate, NULL);
	if (c->admin.tls.head.at != NOWHERE)
		for (const struct config_certificate *t = &c->admin.tls.certificate; t; t = t->next)
			certificate_dates_add(v, "admin", &t->certificate, NULL);
	for (int arm = 0; arm < ARMS; arm++)
		certificate_dates_add(v, arm_name((enum arm)arm), &c->clusters[arm].ca, NULL);
	if (c->capture.head.at == NOWHERE || k->head.at == NOWHERE ||
	    k->security.tls.head.at == NOWHERE)
		return;
	certificate_dates_add(v, "kafka", &k->security.tls.ca, to);
	certificate_dates_add(v, "kafka", &k->security.tls.certificate, to);
}

void certificate_dates_close(struct certificate_dates *v)
{
	free(v->list);
	*v = (struct certificate_dates){ NULL, 0 };
}

/* --- words --- */

enum certificate_dates_state certificate_dates_state(const struct certificate_dates_one *o,
						     int64_t now_s)
{
	if (o->dates.until_s < now_s)
		return CERTIFICATE_DATES_EXPIRED;
	if (o->dates.from_s > now_s)
		return CERTIFICATE_DATES_NOT_YET;
	return o->dates.until_s - now_s < CERTIFICATE_EXPIRES_DAYS * DAY_S
		       ? CERTIFICATE_DATES_EXPIRES
		       : CERTIFICATE_DATES_GOOD;
}

static void day_text(int64_t s, char to[32])
{
	time_t t = (time_t)s;
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(to, 32, "%Y-%m-%d", &tm);
}

static void print_words(const struct certificate_dates_one *o, int64_t now_s, char to[WORDS_BYTES])
{
	char until[32], from[32], which[TLS_SUBJECT_BYTES + 32];
	const struct tls_dates *d = &o->dates;
	day_text(d->until_s, until);
	day_text(d->from_s, from);
	/* A file with only one certificate needs no number. */
	if (d->n > 1)
		snprintf(which, sizeof which, "certificate %u, %s", d->part, d->subject);
	else
		snprintf(which, sizeof which, "%s", d->subject);
	switch (certificate_dates_state(o, now_s)) {
	case CERTIFICATE_DATES_EXPIRED:
		snprintf(to, WORDS_BYTES, "%s: %s (%s) expired on %s", o->use, o->file, which,
			 until);
		break;
	case CERTIFICATE_DATES_EXPIRES:
		snprintf(to, WORDS_BYTES, "%s: %s (%s) expires on %s, in %lld days", o->use,
			 o->file, which, until, (long long)(d->until_s - now_s) / DAY_S);
		break;
	case CERTIFICATE_DATES_NOT_YET:
		snprintf(to, WORDS_BYTES, "%s: %s has a certificate that is valid from %s only",
			 o->use, o->file, from);
		break;
	case CERTIFICATE_DATES_GOOD:
		to[0] = 0;
		break;
	}
}

void certificate_dates_warning(const struct certificate_dates *v, int64_t now_s,
			       struct diagnostics *to)
{
	for (size_t i = 0; i < v->n; i++) {
		char words[WORDS_BYTES];
		print_words(&v->list[i], now_s, words);
		if (words[0])
			warn_at(to, v->list[i].at, "%s", words);
	}
}

void certificate_dates_say(const struct certificate_dates *v, int64_t now_s)
{
	for (size_t i = 0; i < v->n; i++) {
		char words[WORDS_BYTES];
		print_words(&v->list[i], now_s, words);
		if (words[0])
			log_line(LOG_WARN, "%s", words);
	}
}

/* --- status and metrics --- */

json_t *certificate_dates_json(const struct certificate_dates *v, int64_t now_s)
{
	static const char *const states[] = { "good", "expires", "expired", "not_yet_valid" };
	json_t *list = json_array();
	for (size_t i = 0; i < v->n; i++) {
		const struct certificate_dates_one *o = &v->list[i];
		char words[WORDS_BYTES], until[32];
		day_text(o->dates.until_s, until);
		print_words(o, now_s, words);
		json_t *j = json_pack("{s:s,s:s*,s:s*,s:I,s:s,s:s,s:s*}", "use", o->use, "file",
				      o->file, "subject", o->dates.subject, "not_after",
				      (json_int_t)o->dates.until_s, "until", until, "state",
				      states[certificate_dates_state(o, now_s)], "message", words);
		if (j)
			json_array_append_new(list, j);
	}
	return list;
}

/* Escapes the value of a label as Prometheus' text format requires. */
static void print_escaped(const char *text, FILE *to)
{
	for (; *text; text++)
		if (*text == '\n')
			fputs("\\n", to);
		else if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else
			putc(*text, to);
}

/* One line for each file and use: several sections may name the same file. */
static bool is_first(const struct certificate_dates *v, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(v->list[k].use, v->list[i].use) &&
		    !strcmp(v->list[k].file, v->list[i].file))
			return false;
	return true;
}

void certificate_dates_metrics(const struct certificate_dates *v, FILE *to)
{
	if (!v->n)
		return;
	fputs("# HELP crossfade_certificate_not_after_seconds When the first certificate of a file "
	      "expires, since 1970.\n"
	      "# TYPE crossfade_certificate_not_after_seconds gauge\n",
	      to);
	for (size_t i = 0; i < v->n; i++) {
		if (!is_first(v, i))
			continue;
		fprintf(to, "crossfade_certificate_not_after_seconds{use=\"%s\",file=\"",
			v->list[i].use);
		print_escaped(v->list[i].file, to);
		fprintf(to, "\"} %lld\n", (long long)v->list[i].dates.until_s);
	}
}
