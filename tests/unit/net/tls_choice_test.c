#include "unit/cmocka_all.h"

#include "net/tls_choice.h"
#include "unit/net/kit.h"

#define MOST 8

/* Certificates in the order of a configuration, and which of them a name is given. */
struct shelf {
	struct tls_library *library;
	struct tls_certificate *list[MOST];
	size_t n;
	struct tls_choice *choice;
};

static void shelf_open(struct shelf *s, const struct identity_terms *terms, size_t n)
{
	*s = (struct shelf){ .library = tls_library_open(), .n = n };
	for (size_t i = 0; i < n; i++) {
		struct identity who;
		char error[TLS_ERROR_BYTES];
		make_identity_as(&who, &terms[i]);
		s->list[i] = tls_certificate_open(s->library, who.certificate, who.key, error);
		assert_non_null(s->list[i]);
	}
	s->choice = tls_choice_open(s->list, n);
}

static void shelf_close(struct shelf *s)
{
	tls_choice_close(s->choice);
	for (size_t i = 0; i < s->n; i++)
		tls_certificate_drop(s->list[i]);
	tls_library_close(s->library);
}

#define SHELF(...)                                                                                 \
	(const struct identity_terms[]){ __VA_ARGS__ },                                            \
		sizeof((struct identity_terms[]){ __VA_ARGS__ }) / sizeof(struct identity_terms)

/* As digits: "20" is the third certificate, and then the first. */
static void assert_found(struct shelf *s, const char *name, const char *expected)
{
	struct tls_certificate *found[MOST];
	char got[MOST + 1] = "";
	size_t n = tls_choice_find(s->choice, name, found, MOST);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < s->n; k++)
			if (found[i] == s->list[k])
				got[i] = (char)('0' + k);
	assert_string_equal(got, expected);
}

/* --- claims --- */

static void a_name_is_found_whatever_its_case(void **state)
{
	(void)state;
	struct shelf s;
	shelf_open(&s, SHELF({ .names = "DNS:a.test" }, { .names = "DNS:B.Test,DNS:c.test" }));
	assert_found(&s, "a.test", "0");
	assert_found(&s, "A.TEST", "0");
	assert_found(&s, "b.test", "1");
	assert_found(&s, "c.test.", "1");
	assert_found(&s, "d.test", "");
	assert_found(&s, "test", "");
	assert_found(&s, "", "");
	assert_found(&s, ".", "");
	shelf_close(&s);
}

static void a_wildcard_stands_for_one_label(void **state)
{
	(void)state;
	struct shelf s;
	shelf_open(&s, SHELF({ .names = "DNS:*.a.test" }, { .names = "DNS:*.test" }));
	assert_found(&s, "x.a.test", "0");
	assert_found(&s, "x.y.a.test", "");
	assert_found(&s, "a.test", "1");
	assert_found(&s, ".a.test", "");
	assert_found(&s, "test", "");
	assert_found(&s, "*.a.test", "0");
	shelf_close(&s);
}

static void a_common_name_counts_only_alone(void **state)
{
	(void)state;
	struct shelf s;
	shelf_open(&s, SHELF({ .names = "DNS:a.test", .common = "b.test" }, { .common = "c.test" },
			     { .names = "IP:127.0.0.1", .common = "d.test" }));
	assert_found(&s, "a.test", "0");
	assert_found(&s, "b.test", "");
	assert_found(&s, "c.test", "1");
	assert_found(&s, "d.test", "2");
	assert_found(&s, "127.0.0.1", "");
	shelf_close(&s);
}

static void the_longest_name_there_is_has_room(void **state)
{
	(void)state;
	char name[258];
	struct shelf s;
	shelf_open(&s, SHELF({ .names = "DNS:a.test" }));
	memset(name, 'x', sizeof name);
	name[255] = 0;
	assert_found(&s, name, "");
	name[255] = 'x';
	name[256] = 0;
	assert_found(&s, name, "");
	shelf_close(&s);
}

/* The order of AWS ALB: ECDSA, SHA, the larger key, the longer validity. */
static void the_best_comes_first(void **state)
{
	(void)state;
	struct shelf s;
	shelf_open(&s, SHELF({ .names = "DNS:a", .rsa_bits = 2048, .digest = EVP_md5() },
			     { .names = "DNS:a", .rsa_bits = 1024 },
			     { .names = "DNS:a", .rsa_bits = 2048 },
			     { .names = "DNS:a", .curve = "P-256" },
			     { .names = "DNS:a", .curve = "P-384" },
			     { .names = "DNS:a", .curve = "P-384", .until_s = 7200 }));
	assert_found(&s, "a", "543210");
	shelf_close(&s);
}

static void exact_names_and_wildcards_count_alike(void **state)
{
	(void)state;
	struct shelf s;
	shelf_open(&s,
		   SHELF({ .names = "DNS:b.a.test", .rsa_bits = 2048 }, { .names = "DNS:*.a.test" },
			 { .names = "DNS:b.a.test,DNS:*.a.test", .curve = "P-384" }));
	assert_found(&s, "b.a.test", "210");
	assert_found(&s, "c.a.test", "21");
	shelf_close(&s);
}

static void no_more_are_found_than_there_is_room_for(void **state)
{
	(void)state;
	struct shelf s;
	struct tls_certificate *found[2];
	shelf_open(&s, SHELF({ .names = "DNS:a" }, { .names = "DNS:a", .until_s = 60 },
			     { .names = "DNS:a", .until_s = 50 }));
	assert_int_equal(tls_choice_find(s.choice, "a", found, 2), 2);
	assert_ptr_equal(found[0], s.list[0]);
	assert_ptr_equal(found[1], s.list[1]);
	shelf_close(&s);
}

/* In another library, and as good: it serves. */
static void a_copy_is_the_same(void **state)
{
	(void)state;
	static const struct identity_terms terms[] = {
		{ .names = "DNS:a" },
		{ .names = "DNS:a", .curve = "P-384" },
		{ .names = "DNS:a", .rsa_bits = 2048 },
	};
	struct shelf s;
	shelf_open(&s, terms, sizeof terms / sizeof terms[0]);
	struct tls_library *other = tls_library_open();
	for (size_t i = 0; i < s.n; i++) {
		struct tls_certificate *copy = tls_certificate_copy(other, s.list[i]);
		assert_non_null(copy);
		assert_int_equal(X509_cmp(copy->leaf, s.list[i]->leaf), 0);
		assert_int_equal(EVP_PKEY_eq(copy->key, s.list[i]->key), 1);
		assert_int_equal(X509_check_private_key(copy->leaf, copy->key), 1);
		assert_string_equal(copy->names[0], "a");
		assert_int_equal(copy->bits, s.list[i]->bits);
		tls_certificate_drop(copy);
	}
	tls_library_close(other);
	shelf_close(&s);
}

/* OpenSSL would say so to each client otherwise. */
static void what_cannot_be_used_is_said_at_the_beginning(void **state)
{
	(void)state;
	struct shelf s;
	char error[TLS_ERROR_BYTES];
	size_t wrong = 99;
	shelf_open(&s, SHELF({ .names = "DNS:a" }, { .names = "DNS:a", .rsa_bits = 512 }));
	struct tls_server_config config = { .certificates = s.list, .certificate_n = s.n };
	assert_null(tls_server_open(s.library, &config, error, &wrong));
	assert_int_equal(wrong, 1);
	assert_string_equal(error,
			    "certificate: its key is too small: RSA with 2048 bits is the least");
	shelf_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_whatever_its_case),
		cmocka_unit_test(a_wildcard_stands_for_one_label),
		cmocka_unit_test(a_common_name_counts_only_alone),
		cmocka_unit_test(the_longest_name_there_is_has_room),
		cmocka_unit_test(the_best_comes_first),
		cmocka_unit_test(exact_names_and_wildcards_count_alike),
		cmocka_unit_test(no_more_are_found_than_there_is_room_for),
		cmocka_unit_test(a_copy_is_the_same),
		cmocka_unit_test(what_cannot_be_used_is_said_at_the_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
