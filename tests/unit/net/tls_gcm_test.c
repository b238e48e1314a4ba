/* What tls_gcm.h promises: the same bytes as OpenSSL's own ciphers, for what TLS asks of them. */

#include "unit/cmocka_all.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "net/tls_gcm.h"

enum { LONGEST = 16384 + 256, TAG = 16 };

static const char *const names[] = { "AES-128-GCM", "AES-256-GCM" };

struct both {
	OSSL_LIB_CTX *library;
	struct tls_gcm gcm;
	EVP_CIPHER *ours, *theirs;
	EVP_CIPHER_CTX *our, *their;
	uint8_t key[32], iv[12], aad[13];
	uint8_t text[LONGEST], a[LONGEST + 64], b[LONGEST + 64];
};

static void fill(uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)rand();
}

static struct both *both_open(const char *name)
{
	struct both *w = calloc(1, sizeof *w);
	w->library = OSSL_LIB_CTX_new();
	tls_gcm_load(&w->gcm, w->library);
	w->ours = EVP_CIPHER_fetch(w->library, name, TLS_GCM_PREFERRED);
	w->theirs = EVP_CIPHER_fetch(NULL, name, NULL);
	assert_non_null(w->ours);
	assert_non_null(w->theirs);
	w->our = EVP_CIPHER_CTX_new();
	w->their = EVP_CIPHER_CTX_new();
	fill(w->key, sizeof w->key);
	fill(w->iv, sizeof w->iv);
	fill(w->aad, sizeof w->aad);
	fill(w->text, sizeof w->text);
	return w;
}

static void both_close(struct both *w)
{
	EVP_CIPHER_CTX_free(w->our);
	EVP_CIPHER_CTX_free(w->their);
	EVP_CIPHER_free(w->ours);
	EVP_CIPHER_free(w->theirs);
	tls_gcm_unload(&w->gcm);
	OSSL_LIB_CTX_free(w->library);
	free(w);
}

/* As libssl does for a record of TLS 1.3, in its place. */
static bool pass_1_3(EVP_CIPHER_CTX *c, const struct both *w, bool seals, uint8_t *at, int n)
{
	int passed = 0, rest = 0;
	return EVP_CipherInit_ex(c, NULL, NULL, NULL, w->iv, seals) == 1 &&
	       (seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, at + n) == 1) &&
	       EVP_CipherUpdate(c, NULL, &passed, w->aad, 5) == 1 &&
	       EVP_CipherUpdate(c, at, &passed, at, n) == 1 &&
	       EVP_CipherFinal_ex(c, at + passed, &rest) == 1 && passed + rest == n &&
	       (!seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, at + n) == 1);
}

static void begin_1_3(EVP_CIPHER_CTX *c, const EVP_CIPHER *cipher, const struct both *w, bool seals)
{
	assert_int_equal(EVP_CipherInit_ex(c, cipher, NULL, NULL, NULL, seals), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL), 1);
	assert_int_equal(EVP_CipherInit_ex(c, NULL, NULL, w->key, NULL, -1), 1);
}

static const int lengths[] = { 0, 1, 15, 16, 17, 63, 64, 255, 256, 257, 1400, 4096, 16384, 16640 };
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static void records_of_1_3_are_the_same(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct both *w = both_open(names[k]);
		for (unsigned i = 0; i < LENGTHS; i++) {
			int n = lengths[i];
			memcpy(w->a, w->text, LONGEST);
			memcpy(w->b, w->text, LONGEST);
			begin_1_3(w->our, w->ours, w, true);
			begin_1_3(w->their, w->theirs, w, true);
			assert_true(pass_1_3(w->our, w, true, w->a, n));
			assert_true(pass_1_3(w->their, w, true, w->b, n));
			assert_memory_equal(w->a, w->b, (size_t)n + TAG);
			begin_1_3(w->our, w->ours, w, false);
			assert_true(pass_1_3(w->our, w, false, w->a, n));
			assert_memory_equal(w->a, w->text, (size_t)n);
		}
		both_close(w);
	}
}

static void a_flipped_bit_is_no_record(void **state)
{
	(void)state;
	struct both *w = both_open(names[0]);
	uint8_t zeros[100] = { 0 };
	for (int bit = 0; bit < (100 + TAG) * 8; bit += 7) {
		memcpy(w->a, w->text, 100);
		begin_1_3(w->our, w->ours, w, true);
		assert_true(pass_1_3(w->our, w, true, w->a, 100));
		w->a[bit / 8] ^= (uint8_t)(1 << bit % 8);
		begin_1_3(w->our, w->ours, w, false);
		assert_false(pass_1_3(w->our, w, false, w->a, 100));
		assert_memory_equal(w->a, zeros, 100); /* nothing of it is left to be read */
	}
	w->aad[0] ^= 1;
	assert_false(pass_1_3(w->our, w, false, w->a, 100));
	both_close(w);
}

/* As libssl does for a record of TLS 1.2: number, text and tag in one. */
static int pass_1_2(EVP_CIPHER_CTX *c, struct both *w, bool seals, uint8_t *at, int text_n)
{
	int n = text_n + 8 + (seals ? 0 : TAG), passed = 0;
	w->aad[11] = (uint8_t)(n >> 8);
	w->aad[12] = (uint8_t)n;
	int pad = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_TLS1_AAD, 13, w->aad);
	assert_int_equal(pad, TAG);
	n += seals ? pad : 0;
	return EVP_CipherUpdate(c, at, &passed, at, n) == 1 ? passed : -1;
}

static void begin_1_2(EVP_CIPHER_CTX *c, const EVP_CIPHER *cipher, const struct both *w, bool seals)
{
	uint8_t fixed[4];
	memcpy(fixed, w->iv, sizeof fixed);
	assert_int_equal(EVP_CipherInit_ex(c, cipher, NULL, w->key, NULL, seals), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IV_FIXED, sizeof fixed, fixed),
			 1);
}

static void records_of_1_2_are_read_by_the_other(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct both *w = both_open(names[k]);
		for (unsigned i = 0; i < LENGTHS; i++) {
			int n = lengths[i];
			for (int ours = 0; ours < 2; ours++) {
				memcpy(w->a + 8, w->text, (size_t)n);
				begin_1_2(w->our, ours ? w->ours : w->theirs, w, true);
				begin_1_2(w->their, ours ? w->theirs : w->ours, w, false);
				assert_int_equal(pass_1_2(w->our, w, true, w->a, n), n + 8 + TAG);
				assert_int_equal(pass_1_2(w->their, w, false, w->a, n), n);
				assert_memory_equal(w->a + 8, w->text, (size_t)n);
			}
		}
		both_close(w);
	}
}

/* Keys that are used in turns, more than are kept expanded, and some of them for the last time. */
static void more_keys_than_are_at_hand(void **state)
{
	enum { KEYS = 2 * TLS_KEYS_EXPANDED + 1 };
	(void)state;
	struct both *w = both_open(names[0]);
	EVP_CIPHER_CTX *seals[KEYS], *opens[KEYS];
	for (int i = 0; i < KEYS; i++) {
		seals[i] = EVP_CIPHER_CTX_new();
		opens[i] = EVP_CIPHER_CTX_new();
		memcpy(w->key, &i, sizeof i);
		begin_1_3(seals[i], w->ours, w, true);
		begin_1_3(opens[i], w->theirs, w, false);
	}
	for (int turn = 0; turn < 4 * KEYS; turn++) {
		int i = rand() % KEYS;
		memcpy(w->a, w->text, 100);
		assert_true(pass_1_3(seals[i], w, true, w->a, 100));
		assert_true(pass_1_3(opens[i], w, false, w->a, 100));
		assert_memory_equal(w->a, w->text, 100);
	}
	for (int i = 0; i < KEYS; i++) {
		EVP_CIPHER_CTX_free(seals[i]);
		EVP_CIPHER_CTX_free(opens[i]);
	}
	both_close(w);
}

/* RFC 5288, 3: each record of a key has a number of its own. */
static void records_of_1_2_are_numbered(void **state)
{
	(void)state;
	struct both *w = both_open(names[0]);
	begin_1_2(w->our, w->ours, w, true);
	for (int number = 0; number < 300; number++) {
		const uint8_t expected[8] = { [6] = (uint8_t)(number >> 8), [7] = (uint8_t)number };
		assert_int_equal(pass_1_2(w->our, w, true, w->a, 10), 10 + 8 + TAG);
		assert_memory_equal(w->a, expected, 8);
	}
	both_close(w);
}

static void what_is_too_short_is_no_record(void **state)
{
	(void)state;
	struct both *w = both_open(names[0]);
	int passed;
	begin_1_2(w->our, w->ours, w, false);
	memset(w->aad, 0, sizeof w->aad);
	assert_true(EVP_CIPHER_CTX_ctrl(w->our, EVP_CTRL_AEAD_TLS1_AAD, 13, w->aad) <= 0);
	w->aad[12] = 8 + TAG;
	assert_int_equal(EVP_CIPHER_CTX_ctrl(w->our, EVP_CTRL_AEAD_TLS1_AAD, 13, w->aad), TAG);
	assert_int_not_equal(EVP_CipherUpdate(w->our, w->a, &passed, w->a, 8 + TAG - 1), 1);
	both_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_1_3_are_the_same),
		cmocka_unit_test(a_flipped_bit_is_no_record),
		cmocka_unit_test(records_of_1_2_are_read_by_the_other),
		cmocka_unit_test(more_keys_than_are_at_hand),
		cmocka_unit_test(records_of_1_2_are_numbered),
		cmocka_unit_test(what_is_too_short_is_no_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
