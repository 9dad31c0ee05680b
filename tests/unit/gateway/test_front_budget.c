#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/front_budget.h"
#include "protocol/crypto.h"

#define NOW 1000000

static struct front_budget *budget(uint32_t burst, uint32_t per_minute)
{
	struct front_budget *b = malloc(sizeof(*b));

	assert_non_null(b);
	assert_int_equal(front_budget_init(b, burst, per_minute), CV_OK);
	return b;
}

static void charge(struct front_budget *b, const char *peer, int times)
{
	for (int i = 0; i < times; i++)
		front_budget_charge(b, peer, NOW);
}

static void an_address_is_turned_away_after_its_burst(void **state)
{
	struct front_budget *b = budget(3, 60);

	(void)state;
	assert_true(front_budget_allows(b, "10.0.0.1", NOW));
	charge(b, "10.0.0.1", 2);
	assert_true(front_budget_allows(b, "10.0.0.1", NOW));
	charge(b, "10.0.0.1", 1);
	assert_false(front_budget_allows(b, "10.0.0.1", NOW));
	assert_true(front_budget_allows(b, "10.0.0.2", NOW));
	free(b);
}

static void asking_costs_nothing(void **state)
{
	struct front_budget *b = budget(1, 60);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(front_budget_allows(b, "10.0.0.1", NOW));
	free(b);
}

static void time_fills_it_again(void **state)
{
	struct front_budget *b = budget(2, 60);

	(void)state;
	charge(b, "10.0.0.1", 100);
	assert_false(front_budget_allows(b, "10.0.0.1", NOW + 999));
	assert_true(front_budget_allows(b, "10.0.0.1", NOW + 1000));
	/* and not beyond the burst, however long it was */
	assert_true(front_budget_allows(b, "10.0.0.1", UINT64_MAX / 2));
	for (int i = 0; i < 2; i++)
		front_budget_charge(b, "10.0.0.1", UINT64_MAX / 2);
	assert_false(front_budget_allows(b, "10.0.0.1", UINT64_MAX / 2));
	free(b);
}

static void a_clock_that_steps_back_gives_nothing(void **state)
{
	struct front_budget *b = budget(1, 60);

	(void)state;
	charge(b, "10.0.0.1", 1);
	assert_false(front_budget_allows(b, "10.0.0.1", NOW - 500000));
	free(b);
}

static void an_ipv6_network_shares_one_bucket(void **state)
{
	struct front_budget *b = budget(1, 60);

	(void)state;
	charge(b, "2001:db8:0:1::1", 1);
	assert_false(front_budget_allows(b, "2001:db8:0:1:ffff::2", NOW));
	assert_true(front_budget_allows(b, "2001:db8:0:2::1", NOW));
	free(b);
}

static void a_mapped_address_is_the_ipv4_one(void **state)
{
	struct front_budget *b = budget(1, 60);

	(void)state;
	charge(b, "::ffff:10.0.0.1", 1);
	assert_false(front_budget_allows(b, "10.0.0.1", NOW));
	assert_true(front_budget_allows(b, "::ffff:10.0.0.2", NOW));
	free(b);
}

static void zero_turns_it_off(void **state)
{
	struct front_budget *b = budget(0, 60);

	(void)state;
	charge(b, "10.0.0.1", 100000);
	assert_true(front_budget_allows(b, "10.0.0.1", NOW));
	free(b);
}

/* An attacker with many addresses must not buy one of them a fresh bucket. */
static void many_addresses_do_not_free_an_empty_one(void **state)
{
	struct front_budget *b = budget(50, 60);
	char peer[32];
	int forgotten = 0;

	(void)state;
	charge(b, "10.9.9.9", 50);
	for (int i = 0; i < 20000; i++) {
		snprintf(peer, sizeof(peer), "10.%d.%d.%d", i >> 16 & 7, i >> 8 & 255, i & 255);
		front_budget_charge(b, peer, NOW);
	}
	forgotten = front_budget_allows(b, "10.9.9.9", NOW);
	assert_int_equal(forgotten, 0);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_turned_away_after_its_burst),
		cmocka_unit_test(asking_costs_nothing),
		cmocka_unit_test(time_fills_it_again),
		cmocka_unit_test(a_clock_that_steps_back_gives_nothing),
		cmocka_unit_test(an_ipv6_network_shares_one_bucket),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_one),
		cmocka_unit_test(zero_turns_it_off),
		cmocka_unit_test(many_addresses_do_not_free_an_empty_one),
	};

	if (crypto_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
