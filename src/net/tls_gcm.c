#include "net/tls_gcm.h"

#ifdef WITH_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/limits.h"

#define NAME "crossfade"

enum {
	KEY_BYTES_MAX = 32,
	IV_BYTES = 12,
	TAG_BYTES = 16,
	FIXED_IV_BYTES = 4,
	EXPLICIT_IV_BYTES = 8,
	AAD_BYTES = 16
};

/* What differs between the two key sizes. */
struct size {
	size_t key_bytes;
	void (*expand)(const IMB_MGR *mb, const void *key, struct gcm_key_data *to);
	void (*seal)(const IMB_MGR *mb, const struct gcm_key_data *key, struct gcm_context_data *c,
		     uint8_t *to, const uint8_t *from, uint64_t n, const uint8_t *iv,
		     const uint8_t *aad, uint64_t aad_n, uint8_t *tag);
	void (*open)(const IMB_MGR *mb, const struct gcm_key_data *key, struct gcm_context_data *c,
		     uint8_t *to, const uint8_t *from, uint64_t n, const uint8_t *iv,
		     const uint8_t *aad, uint64_t aad_n, uint8_t *tag);
};

struct provider;

struct cipher {
	struct provider *provider; /* borrowed */
	const struct size *size;
	uint8_t key[KEY_BYTES_MAX];
	uint16_t place; /* index of the place where its key was expanded last */
	uint8_t iv[IV_BYTES], tag[TAG_BYTES], aad[AAD_BYTES];
	uint8_t aad_n;
	bool seals, has_key;
	bool is_1_2; /* the next bytes are a whole record of TLS 1.2: IV, text and tag */
};

/*
 * An expanded key is 1 KiB of tables. Expanding takes 0.1 us, as long as loading the tables into a
 * cold cache. So only the keys of the busiest sessions are kept expanded; an idle session has none.
 */
struct expanded {
	_Alignas(64) struct gcm_key_data
		key;		 /* more alignment than its type needs: AVX-512 reads it */
	const struct cipher *of; /* NULL: the place is free */
};

struct provider {
	struct expanded expanded[TLS_KEYS_EXPANDED];
	unsigned next; /* the place that was taken the longest time ago */
	IMB_MGR *mb;   /* owned */
};

/* --- two sizes --- */

#define SIZE(bits)                                                                                 \
	static void expand_##bits(const IMB_MGR *mb, const void *key, struct gcm_key_data *to)     \
	{                                                                                          \
		IMB_AES##bits##_GCM_PRE(mb, key, to);                                              \
	}                                                                                          \
	static void seal_##bits(const IMB_MGR *mb, const struct gcm_key_data *key,                 \
				struct gcm_context_data *c, uint8_t *to, const uint8_t *from,      \
				uint64_t n, const uint8_t *iv, const uint8_t *aad, uint64_t aad_n, \
				uint8_t *tag)                                                      \
	{                                                                                          \
		IMB_AES##bits##_GCM_ENC(mb, key, c, to, from, n, iv, aad, aad_n, tag, TAG_BYTES);  \
	}                                                                                          \
	static void open_##bits(const IMB_MGR *mb, const struct gcm_key_data *key,                 \
				struct gcm_context_data *c, uint8_t *to, const uint8_t *from,      \
				uint64_t n, const uint8_t *iv, const uint8_t *aad, uint64_t aad_n, \
				uint8_t *tag)                                                      \
	{                                                                                          \
		IMB_AES##bits##_GCM_DEC(mb, key, c, to, from, n, iv, aad, aad_n, tag, TAG_BYTES);  \
	}                                                                                          \
	static const struct size size_##bits = { bits / 8, expand_##bits, seal_##bits, open_##bits }

SIZE(128);
SIZE(256);

static const struct gcm_key_data *gcm_expanded_key(struct cipher *c)
{
	struct provider *p = c->provider;
	struct expanded *x = &p->expanded[c->place];
	if (x->of == c)
		return &x->key;
	c->place = (uint16_t)p->next;
	p->next = (p->next + 1) % TLS_KEYS_EXPANDED;
	x = &p->expanded[c->place];
	x->of = c;
	c->size->expand(p->mb, c->key, &x->key);
	return &x->key;
}

static void forget_expanded(const struct cipher *c)
{
	struct expanded *x = &c->provider->expanded[c->place];
	if (x->of == c)
		OPENSSL_cleanse(x, sizeof *x);
}

/* --- open and close a cipher --- */

static void *cipher_new(void *provider, const struct size *size)
{
	struct cipher *c = calloc(1, sizeof *c);
	must(c);
	c->provider = provider;
	c->size = size;
	return c;
}

static void *new_128(void *provider)
{
	return cipher_new(provider, &size_128);
}

static void *new_256(void *provider)
{
	return cipher_new(provider, &size_256);
}

static void cipher_free(void *cipher)
{
	struct cipher *c = cipher;
	forget_expanded(c);
	OPENSSL_cleanse(c, sizeof *c);
	free(c);
}

/* --- settings --- */

static int set_params(void *cipher, const OSSL_PARAM params[]);

static int gcm_begin(struct cipher *c, bool seals, const unsigned char *key, size_t key_n,
		     const unsigned char *iv, size_t iv_n, const OSSL_PARAM params[])
{
	c->seals = seals;
	c->aad_n = 0;
	if ((key && key_n != c->size->key_bytes) || (iv && iv_n != IV_BYTES))
		return 0;
	if (key) {
		forget_expanded(c);
		memcpy(c->key, key, key_n);
		c->has_key = true;
	}
	if (iv)
		memcpy(c->iv, iv, IV_BYTES);
	return set_params(c, params);
}

static int begin_sealing(void *c, const unsigned char *key, size_t key_n, const unsigned char *iv,
			 size_t iv_n, const OSSL_PARAM params[])
{
	return gcm_begin(c, true, key, key_n, iv, iv_n, params);
}

static int begin_opening(void *c, const unsigned char *key, size_t key_n, const unsigned char *iv,
			 size_t iv_n, const OSSL_PARAM params[])
{
	return gcm_begin(c, false, key, key_n, iv, iv_n, params);
}

/* The record number of TLS 1.2 is set here, from 0 on: RFC 5288, 3. */
static bool set_fixed_iv(struct cipher *c, const OSSL_PARAM *p)
{
	if (p->data_size != FIXED_IV_BYTES)
		return false;
	memset(c->iv, 0, IV_BYTES);
	memcpy(c->iv, p->data, FIXED_IV_BYTES);
	return true;
}

/*
 * The AAD comes with the length of the record. The length of the plaintext is what is
 * authenticated: RFC 5246, 6.2.3.3.
 */
static bool set_aad_1_2(struct cipher *c, const OSSL_PARAM *p)
{
	size_t around = EXPLICIT_IV_BYTES + (c->seals ? 0 : TAG_BYTES);
	if (p->data_size != EVP_AEAD_TLS1_AAD_LEN)
		return false;
	memcpy(c->aad, p->data, EVP_AEAD_TLS1_AAD_LEN);
	c->aad_n = EVP_AEAD_TLS1_AAD_LEN;
	uint8_t *length = c->aad + EVP_AEAD_TLS1_AAD_LEN - 2;
	size_t n = (size_t)length[0] << 8 | length[1];
	if (n < around)
		return false;
	length[0] = (uint8_t)((n - around) >> 8);
	length[1] = (uint8_t)(n - around);
	return c->is_1_2 = true;
}

static bool set_tag(struct cipher *c, const OSSL_PARAM *p)
{
	if (p->data_size != TAG_BYTES || (p->data && c->seals))
		return false;
	if (p->data)
		memcpy(c->tag, p->data, TAG_BYTES);
	return true;
}

static bool is_size(const OSSL_PARAM *p, size_t expected)
{
	size_t n;
	return OSSL_PARAM_get_size_t(p, &n) && n == expected;
}

static bool set_one(struct cipher *c, const OSSL_PARAM *p)
{
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TAG))
		return set_tag(c, p);
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD))
		return set_aad_1_2(c, p);
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_IVLEN))
		return is_size(p, IV_BYTES);
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_KEYLEN))
		return is_size(p, c->size->key_bytes);
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED))
		return set_fixed_iv(c, p);
	return true;
}

static int set_params(void *cipher, const OSSL_PARAM params[])
{
	for (const OSSL_PARAM *p = params; p && p->key; p++)
		if (!set_one(cipher, p))
			return 0;
	return 1;
}

static const OSSL_PARAM *gcm_settable(void *cipher, void *provider)
{
	static const OSSL_PARAM known[] = {
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
		OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
		OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, NULL, 0),
		OSSL_PARAM_END,
	};
	(void)cipher, (void)provider;
	return known;
}

/*
 * OpenSSL asks for one parameter at a time with each record: a search for each known parameter
 * would be measurable.
 */
static bool tell_one(const struct cipher *c, OSSL_PARAM *p)
{
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_IVLEN))
		return OSSL_PARAM_set_size_t(p, IV_BYTES);
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TAG))
		return c->seals && OSSL_PARAM_set_octet_string(p, c->tag, TAG_BYTES);
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_KEYLEN))
		return OSSL_PARAM_set_size_t(p, c->size->key_bytes);
	if (!strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TAGLEN) ||
	    !strcmp(p->key, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD))
		return OSSL_PARAM_set_size_t(p, TAG_BYTES);
	return true;
}

static int tell_of_session(void *cipher, OSSL_PARAM params[])
{
	for (OSSL_PARAM *p = params; p->key; p++)
		if (!tell_one(cipher, p))
			return 0;
	return 1;
}

static const OSSL_PARAM *told_of_session(void *cipher, void *provider)
{
	static const OSSL_PARAM known[] = {
		OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
		OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
		OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
		OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, NULL),
		OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, NULL),
		OSSL_PARAM_END,
	};
	(void)cipher, (void)provider;
	return known;
}

static bool tell_size(OSSL_PARAM params[], const char *name, size_t n)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);
	return !p || OSSL_PARAM_set_size_t(p, n);
}

static int tell_of_cipher(OSSL_PARAM params[], size_t key_bytes)
{
	OSSL_PARAM *mode = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_MODE);
	OSSL_PARAM *aead = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_AEAD);
	OSSL_PARAM *iv = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_CUSTOM_IV);
	return (!mode || OSSL_PARAM_set_uint(mode, EVP_CIPH_GCM_MODE)) &&
	       (!aead || OSSL_PARAM_set_int(aead, 1)) && (!iv || OSSL_PARAM_set_int(iv, 1)) &&
	       tell_size(params, OSSL_CIPHER_PARAM_KEYLEN, key_bytes) &&
	       tell_size(params, OSSL_CIPHER_PARAM_IVLEN, IV_BYTES) &&
	       tell_size(params, OSSL_CIPHER_PARAM_BLOCK_SIZE, 1);
}

static int tell_of_128(OSSL_PARAM params[])
{
	return tell_of_cipher(params, 16);
}

static int tell_of_256(OSSL_PARAM params[])
{
	return tell_of_cipher(params, 32);
}

/* --- bytes --- */

static void gcm_seal(struct cipher *c, uint8_t *to, const uint8_t *from, size_t n, uint8_t *tag)
{
	struct gcm_context_data scratch;
	c->size->seal(c->provider->mb, gcm_expanded_key(c), &scratch, to, from, n, c->iv, c->aad,
		      c->aad_n, tag);
}

/* If the tag is wrong, the plaintext is wiped. */
static bool gcm_decrypt(struct cipher *c, uint8_t *to, const uint8_t *from, size_t n,
			const uint8_t *tag)
{
	struct gcm_context_data scratch;
	uint8_t computed[TAG_BYTES];
	c->size->open(c->provider->mb, gcm_expanded_key(c), &scratch, to, from, n, c->iv, c->aad,
		      c->aad_n, computed);
	if (!CRYPTO_memcmp(computed, tag, TAG_BYTES))
		return true;
	OPENSSL_cleanse(to, n);
	return false;
}

static void count_up(uint8_t number[EXPLICIT_IV_BYTES])
{
	for (int i = EXPLICIT_IV_BYTES - 1; i >= 0 && !++number[i]; i--)
		;
}

/* A record of TLS 1.2, encrypted in place: explicit IV, text, tag. */
static bool pass_1_2(struct cipher *c, uint8_t *at, size_t *passed, const uint8_t *from, size_t n)
{
	c->is_1_2 = false;
	if (!at || at != from || n < EXPLICIT_IV_BYTES + TAG_BYTES)
		return false;
	uint8_t *number = c->iv + FIXED_IV_BYTES, *text = at + EXPLICIT_IV_BYTES;
	size_t text_n = n - EXPLICIT_IV_BYTES - TAG_BYTES;
	*passed = c->seals ? n : text_n;
	if (!c->seals) {
		memcpy(number, at, EXPLICIT_IV_BYTES);
		return gcm_decrypt(c, text, text, text_n, text + text_n);
	}
	memcpy(at, number, EXPLICIT_IV_BYTES);
	gcm_seal(c, text, text, text_n, text + text_n);
	count_up(number);
	return true;
}

/* TLS 1.3 makes two calls: first with the bytes that are only authenticated, then with the text. */
static bool pass_1_3(struct cipher *c, uint8_t *to, size_t *passed, const uint8_t *from, size_t n)
{
	*passed = n;
	if (!to) {
		if (c->aad_n || n > AAD_BYTES)
			return false;
		memcpy(c->aad, from, n);
		c->aad_n = (uint8_t)n;
		return true;
	}
	if (!c->seals)
		return gcm_decrypt(c, to, from, n, c->tag);
	gcm_seal(c, to, from, n, c->tag);
	return true;
}

static int gcm_update(void *cipher, unsigned char *to, size_t *passed, size_t room,
		      const unsigned char *from, size_t n)
{
	struct cipher *c = cipher;
	*passed = 0;
	if (!c->has_key || (to && room < n))
		return 0;
	return c->is_1_2 ? pass_1_2(c, to, passed, from, n) : pass_1_3(c, to, passed, from, n);
}

/* gcm_update() has already done everything. */
static int gcm_finish(void *cipher, unsigned char *to, size_t *passed, size_t room)
{
	(void)cipher, (void)to, (void)room;
	*passed = 0;
	return 1;
}

/* --- the provider --- */

typedef void (*function)(void);

#define CIPHER(bits)                                                                               \
	static const OSSL_DISPATCH cipher_##bits[] = {                                             \
		{ OSSL_FUNC_CIPHER_NEWCTX, (function)new_##bits },                                 \
		{ OSSL_FUNC_CIPHER_FREECTX, (function)cipher_free },                               \
		{ OSSL_FUNC_CIPHER_ENCRYPT_INIT, (function)begin_sealing },                        \
		{ OSSL_FUNC_CIPHER_DECRYPT_INIT, (function)begin_opening },                        \
		{ OSSL_FUNC_CIPHER_UPDATE, (function)gcm_update },                                 \
		{ OSSL_FUNC_CIPHER_FINAL, (function)gcm_finish },                                  \
		{ OSSL_FUNC_CIPHER_GET_PARAMS, (function)tell_of_##bits },                         \
		{ OSSL_FUNC_CIPHER_GET_CTX_PARAMS, (function)tell_of_session },                    \
		{ OSSL_FUNC_CIPHER_SET_CTX_PARAMS, (function)set_params },                         \
		{ OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, (function)told_of_session },               \
		{ OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, (function)gcm_settable },                  \
		{ 0, NULL },                                                                       \
	}

CIPHER(128);
CIPHER(256);

static const OSSL_ALGORITHM ciphers[] = {
	{ "AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", "provider=" NAME, cipher_128, NULL },
	{ "AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", "provider=" NAME, cipher_256, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *gcm_query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_CIPHER ? ciphers : NULL;
}

static void gcm_teardown(void *provider)
{
	struct provider *p = provider;
	free_mb_mgr(p->mb);
	OPENSSL_cleanse(p->expanded, sizeof p->expanded);
	free(p);
}

static int provider_open(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *from,
			 const OSSL_DISPATCH **functions, void **provider)
{
	static const OSSL_DISPATCH known[] = {
		{ OSSL_FUNC_PROVIDER_TEARDOWN, (function)gcm_teardown },
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)gcm_query },
		{ 0, NULL },
	};
	(void)core, (void)from;
	IMB_ARCH best;
	struct provider *p = aligned_alloc(_Alignof(struct provider), sizeof *p);
	must(p);
	memset(p, 0, sizeof *p);
	p->mb = alloc_mb_mgr(0);
	must(p->mb);
	init_mb_mgr_auto(p->mb, &best);
	*functions = known;
	*provider = p;
	if (best != IMB_ARCH_NONE && best != IMB_ARCH_NOAESNI)
		return 1;
	gcm_teardown(p);
	return 0;
}

void tls_gcm_load(struct tls_gcm *g, OSSL_LIB_CTX *library)
{
	must(OSSL_PROVIDER_add_builtin(library, NAME, provider_open));
	g->usual = OSSL_PROVIDER_load(library, "default");
	must(g->usual);
	g->own = OSSL_PROVIDER_load(library, NAME);
}

void tls_gcm_unload(struct tls_gcm *g)
{
	if (g->own)
		OSSL_PROVIDER_unload(g->own);
	OSSL_PROVIDER_unload(g->usual);
}

#else

void tls_gcm_load(struct tls_gcm *g, OSSL_LIB_CTX *library)
{
	(void)g, (void)library;
}

void tls_gcm_unload(struct tls_gcm *g)
{
	(void)g;
}

#endif
