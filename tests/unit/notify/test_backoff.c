#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "notify/backoff.h"

static void doubles_up_to_its_cap(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(1, 5000, 60000, 0), 5000);
	assert_int_equal(backoff_ms(2, 5000, 60000, 0), 10000);
	assert_int_equal(backoff_ms(4, 5000, 60000, 0), 40000);
	assert_int_equal(backoff_ms(5, 5000, 60000, 0), 60000);
	assert_int_equal(backoff_ms(UINT32_MAX, UINT32_MAX, UINT32_MAX, 0), UINT32_MAX);
	assert_int_equal(backoff_ms(0, 5000, 60000, 0), 5000);
}

static void jitter_keeps_at_least_half(void **state)
{
	(void)state;
	for (uint32_t failures = 1; failures < 40; failures++) {
		uint64_t longest = backoff_ms(failures, 1000, 3600000, 0);
		uint64_t shortest = backoff_ms(failures, 1000, 3600000, UINT32_MAX);
		uint64_t middle = backoff_ms(failures, 1000, 3600000, UINT32_MAX / 2);

		assert_true(shortest >= longest / 2 && shortest <= longest / 2 + 1);
		assert_true(middle > shortest && middle < longest);
	}
	assert_true(backoff_ms(1, 1, 1, UINT32_MAX) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_its_cap),
		cmocka_unit_test(jitter_keeps_at_least_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
