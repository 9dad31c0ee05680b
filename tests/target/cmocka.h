/*
 * As much of cmocka as the tests of protocol/ and shamir/ use, for a target without an operating
 * system: a failed assertion ends its test. tests/target/main.c runs the programs one after another.
 */
#ifndef CONCLAVE_TESTS_TARGET_CMOCKA_H
#define CONCLAVE_TESTS_TARGET_CMOCKA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef void (*target_test)(void **state);
typedef int (*target_fixture)(void **state);

struct CMUnitTest {
	const char *name;
	target_test run;
	target_fixture setup;
	target_fixture teardown;
};

#define cmocka_unit_test(f) {#f, f, NULL, NULL}
#define cmocka_unit_test_setup(f, s) {#f, f, s, NULL}
#define cmocka_unit_test_setup_teardown(f, s, t) {#f, f, s, t}
#define cmocka_run_group_tests(tests, setup, teardown) \
	target_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

int target_run(const struct CMUnitTest *tests, size_t count, target_fixture setup,
	target_fixture teardown);
/* Prints where, and ends the test. */
_Noreturn void target_fail(const char *file, int line, const char *what);

#define TARGET_ASSERT(c, what) \
	do { \
		if (!(c)) \
			target_fail(__FILE__, __LINE__, what); \
	} while (0)
#define assert_true(c) TARGET_ASSERT(c, #c)
#define assert_false(c) TARGET_ASSERT(!(c), "not " #c)
#define assert_null(p) TARGET_ASSERT((p) == NULL, #p " is NULL")
#define assert_non_null(p) TARGET_ASSERT((p) != NULL, #p " is not NULL")
#define assert_ptr_equal(a, b) TARGET_ASSERT((a) == (b), #a " == " #b)
#define assert_int_equal(a, b) \
	TARGET_ASSERT((uintmax_t)(intmax_t)(a) == (uintmax_t)(intmax_t)(b), #a " == " #b)
#define assert_int_not_equal(a, b) \
	TARGET_ASSERT((uintmax_t)(intmax_t)(a) != (uintmax_t)(intmax_t)(b), #a " != " #b)
#define assert_in_range(v, low, high) \
	TARGET_ASSERT((uintmax_t)(v) >= (uintmax_t)(low) && (uintmax_t)(v) <= (uintmax_t)(high), \
		#v " in range")
#define assert_memory_equal(a, b, n) TARGET_ASSERT(memcmp(a, b, n) == 0, #a " equals " #b)
#define assert_memory_not_equal(a, b, n) TARGET_ASSERT(memcmp(a, b, n) != 0, #a " differs from " #b)
#define assert_string_equal(a, b) TARGET_ASSERT(strcmp(a, b) == 0, #a " equals " #b)
#define assert_string_not_equal(a, b) TARGET_ASSERT(strcmp(a, b) != 0, #a " differs from " #b)
#define fail_msg(...) target_fail(__FILE__, __LINE__, #__VA_ARGS__)

#endif
