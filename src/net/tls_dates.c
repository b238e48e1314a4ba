#include "net/tls_dates.h"

#include <openssl/err.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "net/tls_pem.h"
#include "net/tls_private.h"
#include "net/tls_reason.h"

/* --- parts --- */

/* Lines that begin or end a certificate, or that look as if they should. */
struct markers {
	unsigned begins, ends;
};

/* OpenSSL skips white space at the beginning of a line, but not a byte order mark. */
static const char *skip_margin(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || strchr("\xef\xbb\xbf", *at)))
		at++;
	return at;
}

static bool has_word(const char *line, size_t n, const char *word)
{
	return memmem(line, n, word, strlen(word)) != NULL;
}

static void add_markers(struct markers *m, const char *at, const char *end)
{
	for (const char *next; at < end; at = next) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((eol ? eol : end) - at);
		next = eol ? eol + 1 : end;
		const char *first = skip_margin(at, at + n);
		if (first == at + n || *first != '-' || !has_word(at, n, "CERTIFICATE"))
			continue;
		m->begins += has_word(at, n, "BEGIN");
		m->ends += has_word(at, n, "END");
	}
}

/* True when the bytes that were just read hold one certificate and no other was skipped. */
static bool is_one(const char *from, const char *to)
{
	struct markers m = { 0, 0 };
	add_markers(&m, from, to);
	return m.begins == 1 && m.ends == 1;
}

static bool is_none(const char *from)
{
	struct markers m = { 0, 0 };
	add_markers(&m, from, from + strlen(from));
	return !m.begins && !m.ends;
}

/* --- dates --- */

static int64_t dates_seconds(const ASN1_TIME *t)
{
	struct tm tm;
	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void read_subject(const X509 *x, char to[TLS_SUBJECT_BYTES])
{
	BIO *out = BIO_new(BIO_s_mem());
	must(out);
	X509_NAME_print_ex(out, X509_get_subject_name(x), 0, XN_FLAG_RFC2253);
	int n = BIO_read(out, to, TLS_SUBJECT_BYTES - 1);
	to[n > 0 ? n : 0] = 0;
	BIO_free(out);
}

static void dates_add(const X509 *x, struct tls_dates *to)
{
	int64_t until_s = dates_seconds(X509_get0_notAfter(x));
	int64_t from_s = dates_seconds(X509_get0_notBefore(x));
	if (++to->n == 1 || until_s < to->until_s) {
		to->part = to->n;
		to->until_s = until_s;
		read_subject(x, to->subject);
	}
	if (to->n == 1 || from_s > to->from_s)
		to->from_s = from_s;
}

/* --- the whole --- */

static bool dates_broken(unsigned part, char error[TLS_ERROR_BYTES])
{
	char what[64];
	snprintf(what, sizeof what, "certificate %u of the file is broken", part);
	tls_say_why(what, error);
	return false;
}

static bool dates_read_all(BIO *in, const char *pem, struct tls_dates *to,
			   char error[TLS_ERROR_BYTES])
{
	const char *end = pem + strlen(pem), *at = pem;
	for (X509 *x; (x = tls_pem_certificate(in, NULL));) {
		const char *next = end - BIO_pending(in);
		bool good = is_one(at, next);
		if (good)
			dates_add(x, to);
		X509_free(x);
		at = next;
		if (!good)
			return dates_broken(to->n + 1, error);
	}
	if (!tls_pem_is_over() || !is_none(at))
		return dates_broken(to->n + 1, error);
	return true;
}

bool tls_dates_read(const char *pem, struct tls_dates *to, char error[TLS_ERROR_BYTES])
{
	*to = (struct tls_dates){ 0 };
	BIO *in = tls_pem_open(pem);
	bool good = dates_read_all(in, pem, to, error);
	BIO_free(in);
	ERR_clear_error();
	if (good && !to->n)
		snprintf(error, TLS_ERROR_BYTES, "there is no certificate in the file");
	return good && to->n;
}
