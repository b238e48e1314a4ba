#include "capture/redact.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

#define WORD "hmac-sha256:"

static void redactor_hash(struct redactor *r, struct span value)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n;
	must(HMAC(EVP_sha256(), r->key, sizeof r->key, (const uint8_t *)value.at, value.n, sum,
		  &n));
	memcpy(r->text, WORD, sizeof WORD - 1);
	for (unsigned i = 0; i < 16; i++) {
		r->text[sizeof WORD - 1 + 2 * i] = "0123456789abcdef"[sum[i] >> 4];
		r->text[sizeof WORD + 2 * i] = "0123456789abcdef"[sum[i] & 15];
	}
}

static void redactor_remember(struct redactor *r, struct span value)
{
	if (value.n > r->last_room) {
		free(r->last);
		r->last = malloc(r->last_room = value.n);
		must(r->last);
	}
	if (value.n)
		memcpy(r->last, value.at, value.n);
	r->last_n = value.n;
}

void redact(struct redactor *r, struct span value, char to[REDACTED_BYTES])
{
	bool same = value.n == r->last_n && value.n && !memcmp(value.at, r->last, value.n);
	if (!same) {
		redactor_hash(r, value);
		redactor_remember(r, value);
	}
	memcpy(to, r->text, sizeof r->text);
}

void redactor_open(struct redactor *r, const uint8_t key[REDACT_KEY_BYTES])
{
	*r = (struct redactor){ 0 };
	memcpy(r->key, key, sizeof r->key);
}

void redactor_close(struct redactor *r)
{
	free(r->last);
	r->last = NULL;
}
