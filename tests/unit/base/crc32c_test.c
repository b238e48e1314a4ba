#include "unit/cmocka_all.h"

#include "base/crc32c.h"

/* RFC 3720, appendix B.4. */
static void the_sums_are_the_standards(void **state)
{
	(void)state;
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];
	for (int i = 0; i < 32; i++) {
		ones[i] = 0xff;
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
	assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
	assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
	assert_int_equal(crc32c(0, down, 32), 0x113fdb5c);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

static void a_sum_may_be_made_in_parts(void **state)
{
	(void)state;
	uint8_t bytes[1000]; /* short runs and long ones */
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37);
	uint32_t whole = crc32c(0, bytes, sizeof bytes);
	for (size_t cut = 0; cut <= sizeof bytes; cut++)
		assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut),
				 whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sums_are_the_standards),
		cmocka_unit_test(a_sum_may_be_made_in_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
