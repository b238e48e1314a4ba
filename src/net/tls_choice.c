#include "net/tls_choice.h"

#include <ctype.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "base/limits.h"

/* One name of one certificate. */
struct choice_name {
	const char *name; /* the certificate's; of a wildcard, the part after "*." */
	bool wildcard;
	size_t rank; /* index in tls_choice.ranked */
};

struct tls_choice {
	struct tls_certificate *first;
	struct tls_certificate **ranked; /* held; the best is first */
	size_t n;
	struct choice_name *names; /* sorted by by_name() */
	size_t name_n;
};

/* --- order --- */

static int kind_rank(int kind)
{
	return kind == EVP_PKEY_EC ? 0 : 1;
}

static int compare_int64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_worth(const void *left, const void *right)
{
	const struct tls_certificate *a = *(struct tls_certificate *const *)left;
	const struct tls_certificate *b = *(struct tls_certificate *const *)right;
	int order = compare_int64(kind_rank(a->kind), kind_rank(b->kind));
	if (!order)
		order = compare_int64(a->weak, b->weak);
	if (!order)
		order = compare_int64(b->bits, a->bits);
	if (!order)
		order = compare_int64(b->until_s, a->until_s);
	return order;
}

static int by_name(const void *left, const void *right)
{
	const struct choice_name *a = left, *b = right;
	int order = strcmp(a->name, b->name);
	if (!order)
		order = compare_int64(a->wildcard, b->wildcard);
	return order ? order : compare_int64((int64_t)a->rank, (int64_t)b->rank);
}

static void choice_add_names(struct tls_choice *c, size_t rank)
{
	const struct tls_certificate *from = c->ranked[rank];
	for (size_t i = 0; i < from->name_n; i++) {
		bool wildcard = !strncmp(from->names[i], "*.", 2);
		c->names[c->name_n++] =
			(struct choice_name){ from->names[i] + (wildcard ? 2 : 0), wildcard, rank };
	}
}

struct tls_choice *tls_choice_open(struct tls_certificate *const *list, size_t n)
{
	struct tls_choice *c = calloc(1, sizeof *c);
	must(c && n > 0);
	size_t name_n = 0;
	c->first = list[0];
	c->n = n;
	c->ranked = calloc(n, sizeof(struct tls_certificate *));
	must(c->ranked);
	for (size_t i = 0; i < n; i++) {
		c->ranked[i] = tls_certificate_hold(list[i]);
		name_n += list[i]->name_n;
	}
	qsort(c->ranked, n, sizeof(struct tls_certificate *), by_worth);
	c->names = calloc(name_n + 1, sizeof *c->names);
	must(c->names);
	for (size_t i = 0; i < n; i++)
		choice_add_names(c, i);
	qsort(c->names, name_n, sizeof *c->names, by_name);
	return c;
}

void tls_choice_close(struct tls_choice *c)
{
	for (size_t i = 0; i < c->n; i++)
		tls_certificate_drop(c->ranked[i]);
	free(c->ranked);
	free(c->names);
	free(c);
}

/* --- finding --- */

/* The entries of one exact name, or of one wildcard. *n is their number. */
static const struct choice_name *choice_find(const struct tls_choice *c, const char *name,
					     bool wildcard, size_t *n)
{
	const struct choice_name key = { name, wildcard, 0 };
	size_t low = 0, high = c->name_n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (by_name(&c->names[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	size_t end = low;
	while (end < c->name_n && c->names[end].wildcard == wildcard &&
	       !strcmp(c->names[end].name, name))
		end++;
	*n = end - low;
	return &c->names[low];
}

/* A wildcard stands for exactly one label: RFC 6125, 6.4.3. */
static const char *name_parent(const char *name)
{
	const char *dot = strchr(name, '.');
	return dot && dot != name ? dot + 1 : "";
}

/* Names in SNI have no final dot and no case: RFC 6066, 3. */
static bool name_normalize(const char *from, char to[256])
{
	size_t n = strlen(from);
	if (!n || n > 255)
		return false;
	for (size_t i = 0; i <= n; i++)
		to[i] = (char)tolower((unsigned char)from[i]);
	if (to[n - 1] == '.')
		to[n - 1] = 0;
	return true;
}

size_t tls_choice_find(const struct tls_choice *c, const char *name, struct tls_certificate **found,
		       size_t most)
{
	char own[256];
	size_t exact_n, wild_n, n = 0, last = SIZE_MAX;
	if (!name_normalize(name, own))
		return 0;
	const struct choice_name *exact = choice_find(c, own, false, &exact_n);
	const struct choice_name *wild = choice_find(c, name_parent(own), true, &wild_n);
	while (n < most && (exact_n || wild_n)) {
		bool from_exact = !wild_n || (exact_n && exact->rank <= wild->rank);
		size_t rank = from_exact ? exact->rank : wild->rank;
		exact += from_exact;
		exact_n -= from_exact;
		wild += !from_exact;
		wild_n -= !from_exact;
		/* A certificate may have both the exact name and the wildcard. */
		if (rank != last)
			found[n++] = c->ranked[rank];
		last = rank;
	}
	return n;
}

/* --- choosing --- */

/* The number of key kinds that are offered to a client; OpenSSL picks the one that it can use. */
#define KINDS 2

static bool is_valid_now(const struct tls_certificate *c)
{
	int64_t now_s = (int64_t)time(NULL);
	return c->from_s <= now_s && now_s <= c->until_s;
}

/* The best certificate of a kind that the client can verify; NULL: none. */
static struct tls_certificate *choice_best(SSL *ssl, struct tls_certificate *const *found, size_t n,
					   int kind, bool valid)
{
	for (size_t i = 0; i < n; i++) {
		struct tls_certificate *c = found[i];
		if (kind_rank(c->kind) == kind && is_valid_now(c) == valid &&
		    SSL_check_chain(ssl, c->leaf, c->key, c->chain) & CERT_PKEY_VALID)
			return c;
	}
	return NULL;
}

/* OpenSSL's contract: 1 continues, 0 ends the handshake. */
static int certificate_wanted(SSL *ssl, void *choice)
{
	struct tls_certificate *found[CERTIFICATES_OF_NAME_MAX], *chosen[KINDS];
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t n = name ? tls_choice_find(choice, name, found, CERTIFICATES_OF_NAME_MAX) : 0;
	bool any = false;
	for (int valid = 1; valid >= 0 && !any; valid--)
		for (int kind = 0; kind < KINDS; kind++) {
			chosen[kind] = n ? choice_best(ssl, found, n, kind, valid) : NULL;
			any |= chosen[kind] != NULL;
		}
	ERR_clear_error();
	if (!any)
		return 1;
	SSL_certs_clear(ssl);
	for (int kind = 0; kind < KINDS; kind++)
		if (chosen[kind] && SSL_use_cert_and_key(ssl, chosen[kind]->leaf, chosen[kind]->key,
							 chosen[kind]->chain, 1) != 1)
			return 0;
	return 1;
}

void tls_choice_use(struct tls_choice *c, SSL_CTX *context)
{
	must(SSL_CTX_use_cert_and_key(context, c->first->leaf, c->first->key, c->first->chain, 1) ==
	     1);
	if (c->n > 1)
		SSL_CTX_set_cert_cb(context, certificate_wanted, c);
}
