#include "protocol/nonce.h"

#include "tests/unit/protocol/check.h"

#define TTL_MS 30000

static const struct nonce_scope scope = {"gw-b", "pump-7", v_volume_id, VECTOR_EPOCH};
static const struct nonce_scope op_scope = {"gw-b", NULL, NULL, 0};

static void nonces_are_those_of_the_reference(void **state)
{
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	assert_int_equal(
		nonce_make(nonce, v_nonce_key, &scope, v_nonce_random, VECTOR_ISSUED), CV_OK);
	assert_memory_equal(nonce, v_nonce, sizeof(nonce));
	assert_int_equal(
		nonce_make(nonce, v_nonce_key, &op_scope, v_nonce_random, VECTOR_ISSUED), CV_OK);
	assert_memory_equal(nonce, v_op_nonce, sizeof(nonce));
}

static void a_nonce_lives_for_its_time_only(void **state)
{
	(void)state;
	assert_int_equal(nonce_check(v_nonce, v_nonce_key, &scope, VECTOR_ISSUED, TTL_MS), CV_OK);
	assert_int_equal(
		nonce_check(v_nonce, v_nonce_key, &scope, VECTOR_ISSUED + TTL_MS, TTL_MS), CV_OK);
	assert_int_equal(
		nonce_check(v_nonce, v_nonce_key, &scope, VECTOR_ISSUED + TTL_MS + 1, TTL_MS),
		CV_ERR_NONCE_EXPIRED);
	assert_int_equal(nonce_check(v_nonce, v_nonce_key, &scope, VECTOR_ISSUED - 1, TTL_MS),
		CV_ERR_NONCE_EXPIRED);
	assert_int_equal(nonce_check(v_nonce, v_nonce_key, &scope, UINT64_MAX, TTL_MS),
		CV_ERR_NONCE_EXPIRED);
}

static void every_single_bit_flip_makes_it_foreign(void **state)
{
	uint8_t nonce[CV_NONCE_BYTES];

	(void)state;
	memcpy(nonce, v_nonce, sizeof(nonce));
	for (size_t bit = 0; bit < 8 * sizeof(nonce); bit++) {
		nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(nonce_check(nonce, v_nonce_key, &scope, VECTOR_ISSUED, TTL_MS),
			CV_ERR_NONCE_FOREIGN);
		nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void another_scope_or_key_makes_it_foreign(void **state)
{
	static const uint8_t volume[CV_VOLUME_ID_BYTES] = {1};
	const struct nonce_scope others[] = {{"gw-a", "pump-7", v_volume_id, VECTOR_EPOCH},
		{"gw-b", "pump-8", v_volume_id, VECTOR_EPOCH}, {"gw-b", "pump-7", volume, VECTOR_EPOCH},
		{"gw-b", "pump-7", v_volume_id, VECTOR_EPOCH + 1}, {"gw-b", NULL, NULL, 0}};
	uint8_t key[32] = {1};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(
			nonce_check(v_nonce, v_nonce_key, &others[i], VECTOR_ISSUED, TTL_MS),
			CV_ERR_NONCE_FOREIGN);
	assert_int_equal(nonce_check(v_nonce, key, &scope, VECTOR_ISSUED, TTL_MS),
		CV_ERR_NONCE_FOREIGN);
	assert_int_equal(nonce_check(v_op_nonce, v_nonce_key, &scope, VECTOR_ISSUED, TTL_MS),
		CV_ERR_NONCE_FOREIGN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nonces_are_those_of_the_reference),
		cmocka_unit_test(a_nonce_lives_for_its_time_only),
		cmocka_unit_test(every_single_bit_flip_makes_it_foreign),
		cmocka_unit_test(another_scope_or_key_makes_it_foreign),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
