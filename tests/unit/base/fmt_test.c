#include "unit/cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fmt.h"

/* As printf() has them: at each border of a length, and beside it. */
static void numbers_are_as_printf_has_them(void **state)
{
	(void)state;
	uint64_t decimal = 1, hex = 1;
	for (int i = 0; i < 64; i++) {
		uint64_t numbers[] = { decimal - 1, decimal, decimal + 1, hex - 1, hex, hex + 1 };
		for (unsigned k = 0; k < 6; k++) {
			char expected[32], to[FMT_DECIMAL_BYTES];
			snprintf(expected, sizeof expected, "%" PRIu64, numbers[k]);
			assert_int_equal(fmt_decimal(to, numbers[k]), strlen(expected));
			assert_memory_equal(to, expected, strlen(expected));
			snprintf(expected, sizeof expected, "%" PRIx64, numbers[k]);
			assert_int_equal(fmt_hex(to, numbers[k]), strlen(expected));
			assert_memory_equal(to, expected, strlen(expected));
			snprintf(expected, sizeof expected, "%016" PRIx64, numbers[k]);
			assert_ptr_equal(fmt_hex_wide(to, numbers[k], FMT_HEX_BYTES),
					 to + FMT_HEX_BYTES);
			assert_memory_equal(to, expected, FMT_HEX_BYTES);
			assert_ptr_equal(fmt_hex_wide(to, numbers[k], 8), to + 8);
			assert_memory_equal(to, expected + 8, 8);
		}
		decimal *= i < 19 ? 10 : 1;
		hex *= 2;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(numbers_are_as_printf_has_them) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
