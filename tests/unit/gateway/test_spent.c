/* Spent nonces and the budget of a device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/budget.h"
#include "gateway/spent.h"
#include "protocol/crypto.h"

static void number(uint8_t nonce[CV_NONCE_BYTES], uint32_t n)
{
	memset(nonce, 0, CV_NONCE_BYTES);
	memcpy(nonce, &n, sizeof(n));
}

static void a_nonce_is_spent_once(void **state)
{
	struct spent *s = NULL;
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	assert_int_equal(spent_open(&s), CV_OK);
	number(nonce, 1);
	assert_int_equal(spent_add(s, nonce, 1000, 30000), CV_OK);
	assert_int_equal(spent_add(s, nonce, 1000, 30000), CV_ERR_NONCE_SPENT);
	assert_int_equal(spent_add(s, nonce, 31000, 30000), CV_ERR_NONCE_SPENT);
	number(nonce, 2);
	assert_int_equal(spent_add(s, nonce, 31000, 30000), CV_OK);
	spent_close(s);
}

static void is_forgotten_after_it_expired(void **state)
{
	struct spent *s = NULL;
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	assert_int_equal(spent_open(&s), CV_OK);
	for (uint32_t i = 0; i < 1000; i++) {
		number(nonce, i);
		assert_int_equal(spent_add(s, nonce, i, 100), CV_OK);
	}
	assert_true(spent_count(s) <= 102);
	number(nonce, 0);
	assert_int_equal(spent_add(s, nonce, 999, 100), CV_OK);
	number(nonce, 999);
	assert_int_equal(spent_add(s, nonce, 999, 100), CV_ERR_NONCE_SPENT);
	spent_close(s);
}

/* Full means busy, never "not spent"; and all of them are still known. */
static void a_full_memory_says_busy(void **state)
{
	struct spent *s = NULL;
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	assert_int_equal(spent_open(&s), CV_OK);
	for (uint32_t i = 0; i < SPENT_MAX; i++) {
		number(nonce, i);
		assert_int_equal(spent_add(s, nonce, 5, 10), CV_OK);
	}
	number(nonce, SPENT_MAX);
	assert_int_equal(spent_add(s, nonce, 15, 10), CV_ERR_BUSY);
	for (uint32_t i = 0; i < SPENT_MAX; i += 997) {
		number(nonce, i);
		assert_int_equal(spent_add(s, nonce, 15, 10), CV_ERR_NONCE_SPENT);
	}
	number(nonce, SPENT_MAX);
	assert_int_equal(spent_add(s, nonce, 16, 10), CV_OK);
	assert_int_equal(spent_count(s), 1);
	spent_close(s);
}

static const struct keeper_limits limits = { 3, 60, 2, 1, 1000 };

static void only_releases_that_nothing_confirmed_are_found(void **state)
{
	struct budget *b = NULL;
	struct budget_entry *e;
	size_t cursor = 0;

	(void)state;
	assert_int_equal(budget_open(&b), CV_OK);
	e = budget_entry(b, "d1", 100, &limits);
	e->released = true;
	e->released_ms = 100;
	(void)budget_entry(b, "d2", 100, &limits);
	assert_null(budget_next_unconfirmed(b, &cursor, 100));
	cursor = 0;
	e = budget_next_unconfirmed(b, &cursor, 101);
	assert_non_null(e);
	assert_string_equal(e->device, "d1");
	assert_null(budget_next_unconfirmed(b, &cursor, 101));
	e->released = false;
	cursor = 0;
	assert_null(budget_next_unconfirmed(b, &cursor, 101));
	budget_close(b);
}

static void a_budget_runs_out_and_fills_again(void **state)
{
	struct budget *b = NULL;
	struct budget_entry *e;

	(void)state;
	assert_int_equal(budget_open(&b), CV_OK);
	e = budget_entry(b, "d1", 1000, &limits);
	for (int i = 0; i < 3; i++)
		assert_true(budget_take(e, 1000, &limits));
	assert_false(budget_take(e, 1000, &limits));
	assert_false(budget_take(e, 1999, &limits));
	assert_true(budget_take(e, 2000, &limits));
	assert_false(budget_take(e, 2000, &limits));
	/* Another device has its own. */
	assert_true(budget_take(budget_entry(b, "d2", 2000, &limits), 2000, &limits));
	e = budget_entry(b, "d1", 900000, &limits);
	for (int i = 0; i < 3; i++)
		assert_true(budget_take(e, 900000, &limits));
	assert_false(budget_take(e, 900000, &limits));
	budget_close(b);
}

static void small_steps_lose_nothing(void **state)
{
	struct budget *b = NULL;
	struct budget_entry *e;
	int taken = 0;

	(void)state;
	assert_int_equal(budget_open(&b), CV_OK);
	e = budget_entry(b, "d1", 0, &limits);
	for (uint64_t now = 0; now < 60000; now += 7)
		taken += budget_take(e, now, &limits);
	assert_in_range(taken, 60, 63);
	budget_close(b);
}

static void repeated_refusals_become_one_record(void **state)
{
	struct budget *b = NULL;
	struct budget_entry *e;
	uint64_t repeats = 99;
	size_t cursor = 0;

	(void)state;
	assert_int_equal(budget_open(&b), CV_OK);
	e = budget_entry(b, "d1", 1000, &limits);
	assert_true(budget_audit_refusal(e, REASON_MALFORMED, 1000, &limits, &repeats));
	assert_int_equal(repeats, 0);
	for (int i = 0; i < 5; i++)
		assert_false(budget_audit_refusal(e, REASON_MALFORMED, 1001, &limits, &repeats));
	assert_null(budget_next_folded(b, &cursor, 1001, false));
	assert_true(budget_audit_refusal(e, REASON_EVIDENCE_NONCE, 1002, &limits, &repeats));
	assert_int_equal(repeats, 5);
	/* The budget of records is used up: other reasons are counted as well. */
	assert_false(budget_audit_refusal(e, REASON_BOOT_KEY, 1003, &limits, &repeats));
	cursor = 0;
	assert_ptr_equal(budget_next_folded(b, &cursor, 1002 + BUDGET_FOLD_MS, false), e);
	assert_int_equal(e->fold_count, 1);
	cursor = 0;
	assert_ptr_equal(budget_next_folded(b, &cursor, 1003, true), e);
	budget_close(b);
}

static void many_devices_share_a_fixed_table(void **state)
{
	struct budget *b = NULL;
	char id[CV_ID_BUF];

	(void)state;
	assert_int_equal(budget_open(&b), CV_OK);
	for (unsigned i = 0; i < 3 * BUDGET_ENTRIES; i++) {
		struct budget_entry *e;

		snprintf(id, sizeof(id), "device-%u", i);
		e = budget_entry(b, id, i, &limits);
		assert_string_equal(e->device, id);
		assert_true(budget_take(e, i, &limits));
	}
	budget_close(b);
}

static void a_new_boot_is_told_once_a_minute(void **state)
{
	const uint8_t one[CV_BOOT_ID_BYTES] = {1}, two[CV_BOOT_ID_BYTES] = {2};
	struct budget *b = NULL;
	struct budget_entry *e;

	(void)state;
	assert_int_equal(budget_open(&b), CV_OK);
	e = budget_entry(b, "d1", 1000, &limits);
	assert_false(budget_new_boot(e, one, one, 1000));
	assert_true(budget_new_boot(e, two, one, 1000));
	assert_false(budget_new_boot(e, one, one, 2000));
	assert_false(budget_new_boot(e, one, one, 1000 + BUDGET_BOOT_LOCKED_MS));
	assert_true(budget_new_boot(e, two, one, 1000 + BUDGET_BOOT_LOCKED_MS));
	budget_close(b);
}

static int set_up(void **state)
{
	(void)state;
	return crypto_init() == CV_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_is_spent_once),
		cmocka_unit_test(is_forgotten_after_it_expired),
		cmocka_unit_test(a_full_memory_says_busy),
		cmocka_unit_test(only_releases_that_nothing_confirmed_are_found),
		cmocka_unit_test(a_budget_runs_out_and_fills_again),
		cmocka_unit_test(small_steps_lose_nothing),
		cmocka_unit_test(repeated_refusals_become_one_record),
		cmocka_unit_test(many_devices_share_a_fixed_table),
		cmocka_unit_test(a_new_boot_is_told_once_a_minute),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
