/* Endorsement keys: a software TPM's, both templates, and all that is none of them. */
#include "protocol/tpm_ek.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/vectors/tpm_vectors.h"

static enum cv_err decode(const char *data, size_t len)
{
	struct tpm_ek ek;

	return tpm_ek_decode(&ek, (const uint8_t *)data, len);
}

static size_t an_rsa_key(uint8_t area[TPM_EK_PUBLIC_MAX])
{
	size_t len;

	tpm_ek_template(area, &len, TPM_EK_RSA);
	memset(area + len - 256, 0xa5, 256);
	return len;
}

static void takes_the_key_that_a_tpm_made(void **state)
{
	struct tpm_ek ek;

	(void)state;
	assert_int_equal(tpm_ek_decode(&ek, v_tpm_ek, sizeof(v_tpm_ek)), CV_OK);
	assert_int_equal(ek.kind, TPM_EK_ECC);
	assert_memory_equal(ek.name, v_tpm_ek_name, TPM_NAME_BYTES);
	assert_int_equal(ek.key_len, CV_ES256_PUBLIC_BYTES);
	assert_int_equal(ek.key[0], 4);
}

static void takes_an_rsa_key(void **state)
{
	uint8_t area[TPM_EK_PUBLIC_MAX];
	struct tpm_ek ek;

	(void)state;
	assert_int_equal(tpm_ek_decode(&ek, area, an_rsa_key(area)), CV_OK);
	assert_int_equal(ek.kind, TPM_EK_RSA);
	assert_int_equal(ek.key_len, 256);
}

/* All but the unique field: policy, attributes, algorithms. */
static void the_templates_are_those_of_the_profile(void **state)
{
	uint8_t area[TPM_EK_PUBLIC_MAX];
	size_t len;

	(void)state;
	tpm_ek_template(area, &len, TPM_EK_ECC);
	assert_int_equal(len, sizeof(v_tpm_ek));
	assert_memory_equal(area, v_tpm_ek, len - 68);
	tpm_ek_template(area, &len, TPM_EK_RSA);
	assert_int_equal(len, 314);
}

static void refuses_an_even_or_short_modulus(void **state)
{
	uint8_t area[TPM_EK_PUBLIC_MAX];
	size_t len = an_rsa_key(area);
	struct tpm_ek ek;

	(void)state;
	area[len - 1] = 0xa4;
	assert_int_equal(tpm_ek_decode(&ek, area, len), CV_ERR_RANGE);
	area[len - 1] = 0xa5;
	area[len - 256] = 0x7f;
	assert_int_equal(tpm_ek_decode(&ek, area, len), CV_ERR_RANGE);
}

/* In front of the key itself every bit counts. */
static void refuses_every_flipped_bit_of_the_template(void **state)
{
	uint8_t area[sizeof(v_tpm_ek)];
	struct tpm_ek ek;

	(void)state;
	for (size_t bit = 0; bit < 8 * (sizeof(area) - 66); bit++) {
		memcpy(area, v_tpm_ek, sizeof(area));
		area[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(tpm_ek_decode(&ek, area, sizeof(area)), CV_OK);
	}
}

static void refuses_what_is_cut_or_longer(void **state)
{
	uint8_t area[TPM_EK_PUBLIC_MAX + 1] = {0};
	size_t len = an_rsa_key(area);

	(void)state;
	damage_refuses_truncations(decode, v_tpm_ek, sizeof(v_tpm_ek));
	damage_refuses_one_more(decode, v_tpm_ek, sizeof(v_tpm_ek));
	damage_refuses_truncations(decode, area, len);
	damage_refuses_one_more(decode, area, len);
	assert_int_equal(decode((const char *)area, sizeof(area)), CV_ERR_TOO_LONG);
}

static void a_quoting_key_is_no_endorsement_key(void **state)
{
	(void)state;
	assert_int_equal(
		decode((const char *)v_tpm_ak, sizeof(v_tpm_ak)), CV_ERR_ALGORITHM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_key_that_a_tpm_made),
		cmocka_unit_test(takes_an_rsa_key),
		cmocka_unit_test(the_templates_are_those_of_the_profile),
		cmocka_unit_test(refuses_an_even_or_short_modulus),
		cmocka_unit_test(refuses_every_flipped_bit_of_the_template),
		cmocka_unit_test(refuses_what_is_cut_or_longer),
		cmocka_unit_test(a_quoting_key_is_no_endorsement_key),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
