#include "unit/http/kit.h"

#include "http/secret.h"

static const struct span names[] = { SPAN_INIT("access_token"), SPAN_INIT("sig"),
				     SPAN_INIT("X-Own") };
static const struct secret_names secrets = { names, ARRAY_N(names) };

/* With each secret value replaced by a star. */
static void assert_shown(const char *query, const char *expected)
{
	char shown[512];
	size_t n = 0;
	struct span rest = span_of(query), value;
	while (secret_next(&secrets, rest, &value)) {
		size_t before = (size_t)(value.at - rest.at);
		memcpy(shown + n, rest.at, before);
		n += before;
		shown[n++] = '*';
		rest.n -= before + value.n;
		rest.at = value.at + value.n;
	}
	memcpy(shown + n, rest.at, rest.n);
	shown[n + rest.n] = 0;
	assert_string_equal(shown, expected);
}

static void a_parameter_is_known_however_it_is_written(void **state)
{
	(void)state;
	static const struct {
		const char *query, *shown;
	} rows[] = {
		{ "access_token=s", "access_token=*" },
		{ "a=1&ACCESS_TOKEN=s&b=2&sig=s", "a=1&ACCESS_TOKEN=*&b=2&sig=*" },
		{ "access_token=&b", "access_token=*&b" },
		{ "access-token=s&access.token=s", "access-token=*&access.token=*" },
		{ "accessToken=s&accesstoken=s&AccessToken=s&xOwn=s",
		  "accessToken=*&accesstoken=*&AccessToken=*&xOwn=*" },
		{ "x_own=s", "x_own=*" },
		{ "access%5ftoken=s", "access%5ftoken=*" },
		{ "access%255Ftoken=s", "access%255Ftoken=*" },
		{ "access%25255ftoken=s", "access%25255ftoken=*" },
		{ "access_token[]=s&access_token%5B0%5D=s",
		  "access_token[]=*&access_token%5B0%5D=*" },
		{ "user[access_token]=s&a[b][sig]=s", "user[access_token]=*&a[b][sig]=*" },
		{ "+access_token=s&%20sig=s&sig%00=s", "+access_token=*&%20sig=*&sig%00=*" },
		{ "sig%3Ds&a=b", "sig%3D*&a=b" },
		/* What divides may be another byte, or coded; what belongs to the value is not
		   told. */
		{ "a;sig=s;s&b=2", "a;sig=*&b=2" },
		{ "a=1%26sig=s%26s&b=2", "a=1%26sig=*&b=2" },
		{ "a=1%2526sig%253ds&b=2", "a=1%2526sig%253d*&b=2" },
		{ "a=1%3Bsig=s", "a=1%3Bsig=*" },
		{ "to=https%3A%2F%2Fa%2F%3Faccess_token%3Ds%26c",
		  "to=https%3A%2F%2Fa%2F%3Faccess_token%3D*" },
		{ "to=https://a/?sig=s", "to=https://a/?sig=*" },
		{ "to=/a%23access_token=s", "to=/a%23access_token=*" },
		{ "a=sig=s", "a=sig=*" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		assert_shown(rows[i].query, rows[i].shown);
}

static void what_is_no_secret_is_shown(void **state)
{
	(void)state;
	static const char *const queries[] = {
		"",
		"=",
		"&",
		"%",
		"%2",
		"%zz=1",
		"%25=1",
		"sig",
		"sig&a=b",
		"access_token",
		"signal=1",
		"asig=1",
		"accesstok=1",
		"accesstokens=1",
		"access_token_not=1",
		"q=sig:1",
		"sig[",
		"sig]&a=1",
		"a[sig",
		"refresh=true&timeout=1s",
	};
	char long_name[2 * FIELD_NAME_BYTES];
	for (size_t i = 0; i < ARRAY_N(queries); i++)
		assert_shown(queries[i], queries[i]);
	memset(long_name, 'a', sizeof long_name);
	memcpy(long_name + sizeof long_name - 3, "=b", 3);
	assert_shown(long_name, long_name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parameter_is_known_however_it_is_written),
		cmocka_unit_test(what_is_no_secret_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
