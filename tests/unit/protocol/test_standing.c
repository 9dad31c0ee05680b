#include "protocol/standing.h"

#include "tests/unit/protocol/check.h"

#define NOW UINT64_C(1000000)
#define HOUR_MS UINT64_C(3600000)

static struct status_answer answer(enum device_state state, uint32_t lease_s)
{
	return (struct status_answer){ .state = state, .lease_s = lease_s };
}

static void told(struct standing *s, size_t member, enum device_state state, uint32_t lease_s,
	uint64_t now_ms)
{
	struct status_answer a = answer(state, lease_s);

	standing_answered(s, member, &a, now_ms);
}

/* Every N and K that a share set may have: one gateway fewer than N-K+1 is not enough. */
static void revoked_is_what_leaves_fewer_than_k_gateways(void **state)
{
	(void)state;
	for (size_t n = 2; n <= CV_MEMBERS_MAX; n++) {
		for (size_t k = 2; k <= n; k++) {
			struct standing s;

			standing_init(&s, n, k);
			for (size_t i = 0; i < n; i++) {
				assert_int_equal(standing_is_revoked(&s), n - i < k);
				told(&s, i, DEVICE_REVOKED, 0, NOW);
			}
			assert_true(standing_is_revoked(&s));
		}
	}
}

static void quarantine_is_no_revocation(void **state)
{
	struct standing s;

	(void)state;
	standing_init(&s, 3, 2);
	for (size_t i = 0; i < 3; i++)
		told(&s, i, DEVICE_QUARANTINED, 0, NOW);
	assert_false(standing_is_revoked(&s));
}

static void a_gateway_may_take_its_word_back(void **state)
{
	struct standing s;

	(void)state;
	standing_init(&s, 3, 2);
	told(&s, 0, DEVICE_REVOKED, 0, NOW);
	told(&s, 0, DEVICE_ACTIVE, 0, NOW);
	told(&s, 1, DEVICE_REVOKED, 0, NOW);
	assert_false(standing_is_revoked(&s));
	told(&s, 0, DEVICE_REVOKED, 0, NOW);
	assert_true(standing_is_revoked(&s));
}

static void a_lease_runs_while_k_gateways_renew_it(void **state)
{
	struct standing s;

	(void)state;
	standing_init(&s, 3, 2);
	assert_int_equal(standing_lease_end_ms(&s), 0);
	standing_released(&s, 0, 60, NOW);
	assert_int_equal(standing_lease_end_ms(&s), 0);
	standing_released(&s, 2, 90, NOW);
	assert_int_equal(standing_lease_end_ms(&s), NOW + 60000);
	told(&s, 0, DEVICE_ACTIVE, 60, NOW + 50000);
	assert_int_equal(standing_lease_end_ms(&s), NOW + 90000);
	told(&s, 1, DEVICE_ACTIVE, 0, NOW + 50000);
	assert_int_equal(standing_lease_end_ms(&s), NOW + 110000);
	told(&s, 2, DEVICE_ACTIVE, 0, NOW + 50000);
	assert_int_equal(standing_lease_end_ms(&s), STANDING_NO_END);
}

static void only_active_renews(void **state)
{
	struct standing s;

	(void)state;
	standing_init(&s, 2, 2);
	standing_released(&s, 0, 60, NOW);
	standing_released(&s, 1, 60, NOW);
	told(&s, 0, DEVICE_ACTIVE, 600, NOW + 1000);
	told(&s, 1, DEVICE_QUARANTINED, 600, NOW + 1000);
	assert_int_equal(standing_lease_end_ms(&s), NOW + 60000);
	told(&s, 1, DEVICE_REVOKED, 600, NOW + 2000);
	assert_int_equal(standing_lease_end_ms(&s), NOW + 60000);
}

/* Every draw in [wait_ms * 3 / 4, wait_ms] from NOW, and not always the same one. */
static void asks_within(uint64_t wait_ms, uint64_t interval_ms, uint64_t lease_end_ms)
{
	uint64_t first = standing_ask_at_ms(NOW, interval_ms, lease_end_ms);
	int differs = 0;

	for (int i = 0; i < 200; i++) {
		uint64_t at = standing_ask_at_ms(NOW, interval_ms, lease_end_ms);

		assert_in_range(at, NOW + wait_ms / 4 * 3, NOW + wait_ms);
		differs |= at != first;
	}
	assert_true(differs);
}

static void asks_after_the_interval_and_not_in_step(void **state)
{
	(void)state;
	asks_within(HOUR_MS, HOUR_MS, STANDING_NO_END);
	asks_within(HOUR_MS, HOUR_MS, NOW + 4 * HOUR_MS);
}

static void asks_several_times_before_a_lease_ends(void **state)
{
	(void)state;
	asks_within(15000, HOUR_MS, NOW + 60000);
	asks_within(HOUR_MS - 1000, HOUR_MS, NOW + 4 * HOUR_MS - 4000);
}

static void asks_no_more_than_about_once_a_second(void **state)
{
	(void)state;
	asks_within(1000, HOUR_MS, NOW + 3999);
	asks_within(1000, HOUR_MS, NOW);
	asks_within(1000, HOUR_MS, NOW - 1);
	asks_within(1000, HOUR_MS, 0);
}

static int start_crypto(void **state)
{
	(void)state;
	return crypto_init() == CV_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revoked_is_what_leaves_fewer_than_k_gateways),
		cmocka_unit_test(quarantine_is_no_revocation),
		cmocka_unit_test(a_gateway_may_take_its_word_back),
		cmocka_unit_test(a_lease_runs_while_k_gateways_renew_it),
		cmocka_unit_test(only_active_renews),
		cmocka_unit_test(asks_after_the_interval_and_not_in_step),
		cmocka_unit_test(asks_several_times_before_a_lease_ends),
		cmocka_unit_test(asks_no_more_than_about_once_a_second),
	};

	return cmocka_run_group_tests(tests, start_crypto, NULL);
}
