#include "net/tls_reason.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "io/addr.h"

/* --- texts --- */

/*
 * The text contains words of other parties. They must not end a line, or a string of ours in
 * quotes.
 */
static void reason_make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			*text = '?';
}

__attribute__((format(printf, 2, 3))) static void reason_say(char said[TLS_SAID_BYTES],
							     const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vsnprintf(said, TLS_SAID_BYTES, format, list);
	va_end(list);
	reason_make_plain(said);
}

/* --- what files hold --- */

static const struct {
	int library, reason;
	const char *words;
} phrases[] = {
	{ ERR_LIB_PEM, PEM_R_NO_START_LINE, "it has no PEM block of that kind (-----BEGIN ...)" },
	{ ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED,
	  "it has no key of a known kind, or it has a passphrase: only keys "
	  "without one can be read" },
	{ ERR_LIB_PEM, PEM_R_BAD_END_LINE,
	  "its PEM block has no end line (-----END ...), or a wrong one" },
	{ ERR_LIB_PEM, PEM_R_BAD_BASE64_DECODE, "its PEM block is damaged: it is not base64" },
	{ ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ,
	  "it has a passphrase: only keys without one can be read" },
	{ ERR_LIB_PEM, PEM_R_BAD_DECRYPT,
	  "it has a passphrase: only keys without one can be read" },
	{ ERR_LIB_EVP, EVP_R_BAD_DECRYPT,
	  "it has a passphrase: only keys without one can be read" },
	{ ERR_LIB_PROV, 100 /* PROV_R_BAD_DECRYPT */,
	  "it has a passphrase: only keys without one can be read" },
	{ ERR_LIB_CRYPTO, ERR_R_INTERRUPTED_OR_CANCELLED,
	  "it has a passphrase: only keys without one can be read" },
	{ ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH, "the key does not belong to this certificate" },
	{ ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH,
	  "the key and the certificate are of different kinds" },
	{ ERR_LIB_SSL, SSL_R_EE_KEY_TOO_SMALL,
	  "its key is too small: RSA with 2048 bits is the least" },
	{ ERR_LIB_SSL, SSL_R_CA_KEY_TOO_SMALL,
	  "the key of one of its issuers is too small: RSA with 2048 bits is the least" },
	{ ERR_LIB_SSL, SSL_R_CA_MD_TOO_WEAK,
	  "it is signed with a digest that is too weak, such as SHA-1" },
	{ ERR_LIB_SSL, SSL_R_UNKNOWN_CERTIFICATE_TYPE,
	  "its key is of a kind that TLS does not know" },
};

static bool is_asn1(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_ASN1;
}

static const char *phrase_of(unsigned long code)
{
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (ERR_GET_LIB(code) == phrases[i].library &&
		    ERR_GET_REASON(code) == phrases[i].reason)
			return phrases[i].words;
	return is_asn1(code) ? "its PEM block is damaged: the content is cut off or of another kind"
			     : NULL;
}

/* The oldest known error is the cause; later ones come from its callers. */
void tls_say_why(const char *what, char error[TLS_ERROR_BYTES])
{
	unsigned long first = ERR_peek_error(), code;
	const char *words = NULL, *own = first ? ERR_reason_error_string(first) : NULL;
	while (!words && (code = ERR_get_error()))
		words = phrase_of(code);
	ERR_clear_error();
	if (words)
		snprintf(error, TLS_ERROR_BYTES, "%s: %s", what, words);
	else
		snprintf(error, TLS_ERROR_BYTES, "%s: OpenSSL says: %s", what,
			 own ? own : "not readable");
}

/* --- certificates of nodes --- */

static const struct {
	int code;
	enum err why;
} verdicts[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, ERR_BACK_EXPIRED },
	{ X509_V_ERR_CERT_NOT_YET_VALID, ERR_BACK_NOT_YET },
	{ X509_V_ERR_HOSTNAME_MISMATCH, ERR_BACK_NAME },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, ERR_BACK_NAME },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, ERR_BACK_ISSUER },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, ERR_BACK_ISSUER },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, ERR_BACK_ISSUER },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, ERR_BACK_ISSUER },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, ERR_BACK_ISSUER },
	{ X509_V_ERR_CERT_UNTRUSTED, ERR_BACK_ISSUER },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, ERR_BACK_WEAK },
	{ X509_V_ERR_CA_KEY_TOO_SMALL, ERR_BACK_WEAK },
	{ X509_V_ERR_CA_MD_TOO_WEAK, ERR_BACK_WEAK },
};

static enum err verdict_of(long code)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
		if (verdicts[i].code == code)
			return verdicts[i].why;
	return ERR_BACK_VERIFY;
}

/* The common name, or else the whole name. */
static const char *name_text(const X509_NAME *name, char *text, int bytes)
{
	if (X509_NAME_get_text_by_NID(name, NID_commonName, text, bytes) <= 0)
		X509_NAME_oneline(name, text, bytes);
	return *text ? text : "nobody";
}

static const char *date_text(const ASN1_TIME *t, char *text, size_t bytes)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(t, &tm) != 1 || !strftime(text, bytes, "%Y-%m-%d %H:%M UTC", &tm))
		snprintf(text, bytes, "a day that cannot be read");
	return text;
}

static void reason_put_name(const GENERAL_NAME *name, char *to, size_t bytes)
{
	char text[ADDR_TEXT_BYTES] = "";
	const ASN1_STRING *s = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
	const unsigned char *at = ASN1_STRING_get0_data(s);
	int n = ASN1_STRING_length(s);
	size_t there = strlen(to);
	const char *comma = there ? ", " : "";
	if (name->type == GEN_DNS) {
		snprintf(to + there, bytes - there, "%s%.*s", comma, n, (const char *)at);
		return;
	}
	if (n == 4)
		snprintf(text, sizeof text, "%u.%u.%u.%u", at[0], at[1], at[2], at[3]);
	else
		snprintf(text, sizeof text, "an IPv6 address");
	snprintf(to + there, bytes - there, "%s%s", comma, text);
}

static const char *names_text(const X509 *leaf, char *text, size_t bytes)
{
	GENERAL_NAMES *list = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	*text = 0;
	for (int i = 0; list && i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
		if (name->type == GEN_DNS || name->type == GEN_IPADD)
			reason_put_name(name, text, bytes);
	}
	GENERAL_NAMES_free(list);
	return *text ? text : "no name or address (its subjectAltName has none)";
}

static void say_name(char said[TLS_SAID_BYTES], const X509 *leaf, X509_VERIFY_PARAM *asked)
{
	char names[120];
	char *address = X509_VERIFY_PARAM_get1_ip_asc(asked);
	const char *name = address ? address : X509_VERIFY_PARAM_get0_host(asked, 0);
	reason_say(said, "it is for %s, not for %s", names_text(leaf, names, sizeof names),
		   name ? name : "that node");
	OPENSSL_free(address);
}

static void say_issuer(char said[TLS_SAID_BYTES], const X509 *x, bool own_ca)
{
	char issuer[120] = "";
	const char *who = own_ca ? "`ca`" : "the system's trust store (there is no `ca`)";
	if (!X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(x)))
		reason_say(said, "it is self-signed by '%s', and not in %s",
			   name_text(X509_get_issuer_name(x), issuer, sizeof issuer), who);
	else
		reason_say(said, "its issuer '%s' is not in %s",
			   name_text(X509_get_issuer_name(x), issuer, sizeof issuer), who);
}

static void say_date(char said[TLS_SAID_BYTES], const X509 *x, int depth, bool expired)
{
	char date[40], subject[120] = "";
	const ASN1_TIME *t = expired ? X509_get0_notAfter(x) : X509_get0_notBefore(x);
	const char *verb = expired ? "expired on" : "is valid from";
	date_text(t, date, sizeof date);
	if (depth)
		reason_say(said, "that of its issuer '%s' %s %s",
			   name_text(X509_get_subject_name(x), subject, sizeof subject), verb,
			   date);
	else
		reason_say(said, "it %s %s", verb, date);
}

static void say_weak(char said[TLS_SAID_BYTES], const X509 *x, int code)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	const char *whose =
		code == X509_V_ERR_CA_KEY_TOO_SMALL ? "the key of its issuer" : "its key";
	if (code == X509_V_ERR_CA_MD_TOO_WEAK)
		reason_say(said, "its signature's digest is too weak, as SHA-1 is");
	else
		reason_say(said, "%s is of %d bits: RSA with 2048 is the least", whose,
			   key ? EVP_PKEY_get_bits(key) : 0);
}

/* OpenSSL drops a certificate that it rejects, so its details are recorded here. */
static int reason_verified(int good, X509_STORE_CTX *v)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(v, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const X509 *x = X509_STORE_CTX_get_current_cert(v);
	char *said = c->library->said;
	int code = X509_STORE_CTX_get_error(v), depth = X509_STORE_CTX_get_error_depth(v);
	if (good || !x)
		return good;
	switch (verdict_of(code)) {
	case ERR_BACK_EXPIRED:
	case ERR_BACK_NOT_YET:
		say_date(said, x, depth, code == X509_V_ERR_CERT_HAS_EXPIRED);
		break;
	case ERR_BACK_NAME:
		say_name(said, x, X509_STORE_CTX_get0_param(v));
		break;
	case ERR_BACK_ISSUER:
		say_issuer(said, x, c->own_ca);
		break;
	case ERR_BACK_WEAK:
		say_weak(said, x, code);
		break;
	default:
		reason_say(said, "OpenSSL says: %s", X509_verify_cert_error_string(code));
	}
	return good;
}

/*
 * There is no client certificate to show. The session's app data records that the node asked for
 * one.
 */
static int certificate_asked(SSL *ssl, X509 **x, EVP_PKEY **key)
{
	(void)x, (void)key;
	SSL_set_app_data(ssl, ssl);
	return 0;
}

void tls_reason_listen(SSL_CTX *c, bool verify)
{
	SSL_CTX_set_verify(c, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
			   verify ? reason_verified : NULL);
	SSL_CTX_set_client_cert_cb(c, certificate_asked);
}

/* --- bytes that are not TLS --- */

enum { RECORD_CHANGE_CIPHER = 20, RECORD_HANDSHAKE = 22 };

static bool is_http_text(struct span s)
{
	static const struct span begins[] = {
		SPAN("HTTP/"),	 SPAN("GET "),	   SPAN("POST "),  SPAN("PUT "),      SPAN("HEAD "),
		SPAN("DELETE "), SPAN("OPTIONS "), SPAN("PATCH "), SPAN("PRI * HTTP")
	};
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		size_t n = s.n < begins[i].n ? s.n : begins[i].n;
		if (n > 2 && !memcmp(s.at, begins[i].at, n))
			return true;
	}
	return false;
}

/* A ClientHello may have the form of SSL 2, whose first bit is set: OpenSSL understands it. */
bool tls_reason_begins(struct span first, const struct tls_context *c)
{
	unsigned char byte = (unsigned char)first.at[0];
	char *said = c->library->said;
	if ((byte >= RECORD_CHANGE_CIPHER && byte <= RECORD_HANDSHAKE) ||
	    (c->server && byte & 0x80))
		return true;
	if (is_http_text(first))
		reason_say(said, "its first bytes are HTTP");
	else
		reason_say(said, "its first bytes are '%.*s'", (int)first.n, first.at);
	return false;
}

/* --- sessions --- */

#define ALERT(number) (SSL_AD_REASON_OFFSET + SSL_AD_##number)

static const struct {
	int reason;
	enum err node, client;
	const char *words; /* "": no details */
} rows[] = {
	{ SSL_R_WRONG_VERSION_NUMBER, ERR_BACK_NOT_TLS, ERR_TLS_NOT_SPOKEN,
	  "its first bytes are not a TLS record" },
	{ SSL_R_HTTP_REQUEST, ERR_BACK_NOT_TLS, ERR_TLS_NOT_SPOKEN, "its first bytes are HTTP" },
	{ SSL_R_HTTPS_PROXY_REQUEST, ERR_BACK_NOT_TLS, ERR_TLS_NOT_SPOKEN,
	  "its first bytes are HTTP" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, ERR_BACK_TLS_VERSION, ERR_TLS_VERSION, "" },
	{ SSL_R_VERSION_TOO_LOW, ERR_BACK_TLS_VERSION, ERR_TLS_VERSION, "" },
	{ SSL_R_UNKNOWN_PROTOCOL, ERR_BACK_TLS_VERSION, ERR_TLS_VERSION, "" },
	{ ALERT(PROTOCOL_VERSION), ERR_BACK_TLS_VERSION, ERR_TLS_VERSION, "" },
	{ SSL_R_NO_SHARED_CIPHER, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "no cipher suite is in common" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "no group for the key exchange is in common" },
	{ SSL_R_NO_SUITABLE_GROUPS, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "no group for the key exchange is in common" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "no signature algorithm is in common" },
	{ SSL_R_WRONG_SIGNATURE_TYPE, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "it signs by an algorithm that is not allowed" },
	{ SSL_R_DH_KEY_TOO_SMALL, ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "its Diffie-Hellman key is too small" },
	{ ALERT(HANDSHAKE_FAILURE), ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "it says so itself (alert handshake_failure)" },
	{ ALERT(INSUFFICIENT_SECURITY), ERR_BACK_TLS_CIPHER, ERR_TLS_CIPHER,
	  "it says so itself (alert insufficient_security)" },
	{ SSL_R_EE_KEY_TOO_SMALL, ERR_BACK_WEAK, ERR_TLS_HANDSHAKE, "its key is too small" },
	{ SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, ERR_BACK_TLS, ERR_TLS_HANDSHAKE,
	  "it does not support secure renegotiation (RFC 5746), like very old servers" },
	{ ALERT(UNRECOGNIZED_NAME), ERR_BACK_TLS, ERR_TLS_HANDSHAKE,
	  "it does not know the server name in the request (alert unrecognized_name)" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, ERR_BACK_TLS, ERR_TLS_HANDSHAKE,
	  "it asks for another protocol than HTTP/1.1 (ALPN)" },
	{ ALERT(NO_APPLICATION_PROTOCOL), ERR_BACK_TLS, ERR_TLS_HANDSHAKE,
	  "it does not accept HTTP/1.1 (alert no_application_protocol)" },
	{ ALERT(BAD_CERTIFICATE), ERR_BACK_TLS, ERR_TLS_DISTRUST, "alert bad_certificate" },
	{ ALERT(UNSUPPORTED_CERTIFICATE), ERR_BACK_TLS, ERR_TLS_DISTRUST,
	  "alert unsupported_certificate" },
	{ ALERT(CERTIFICATE_REVOKED), ERR_BACK_TLS, ERR_TLS_DISTRUST, "alert certificate_revoked" },
	{ ALERT(CERTIFICATE_EXPIRED), ERR_BACK_TLS, ERR_TLS_DISTRUST, "alert certificate_expired" },
	{ ALERT(CERTIFICATE_UNKNOWN), ERR_BACK_TLS, ERR_TLS_DISTRUST, "alert certificate_unknown" },
	{ ALERT(UNKNOWN_CA), ERR_BACK_TLS, ERR_TLS_DISTRUST,
	  "it does not know the issuer (alert unknown_ca)" },
	{ ALERT(ACCESS_DENIED), ERR_BACK_TLS, ERR_TLS_DISTRUST, "alert access_denied" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, ERR_BACK_TLS_CLIENT, ERR_TLS_HANDSHAKE,
	  "it says so itself (alert certificate_required)" },
};

static bool is_alert(int reason)
{
	return reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
}

/* A node that asked for a certificate and got none may send one of several alerts about it. */
static bool wants_certificate(const SSL *ssl, int reason)
{
	return SSL_get_app_data(ssl) && is_alert(reason);
}

static enum err reason_row_of(int reason, bool server, char said[TLS_SAID_BYTES])
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].reason == reason) {
			reason_say(said, "%s", rows[i].words);
			return server ? rows[i].client : rows[i].node;
		}
	return server ? ERR_TLS_HANDSHAKE : ERR_BACK_TLS;
}

enum err tls_reason_of_session(const SSL *ssl, const struct tls_context *c)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
	const char *own = code ? ERR_reason_error_string(code) : NULL;
	char *said = c->library->said;
	long verified = SSL_get_verify_result(ssl);
	ERR_clear_error();
	if (c->verify && verified != X509_V_OK)
		return verdict_of(verified);
	if (own)
		reason_say(said, "OpenSSL says: %s", own);
	if (wants_certificate(ssl, reason))
		return ERR_BACK_TLS_CLIENT;
	enum err why = reason_row_of(reason, c->server, said);
	if (why == ERR_BACK_TLS_VERSION && !c->legacy)
		reason_say(said, "it offers TLS 1.1 at most, which `tls: legacy` of its cluster "
				 "would allow");
	return why;
}

enum err tls_reason_of_record(const SSL *ssl, const struct tls_context *c)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
	return !c->server && wants_certificate(ssl, reason) ? tls_reason_of_session(ssl, c)
							    : ERR_TLS_RECORD;
}
