#include "protocol/hkdf.h"
#include "protocol/hpke.h"

#include "protocol/base64url.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"

static void bytes(uint8_t *out, size_t n, const char *hex)
{
	assert_int_equal(hex_decode(out, n, hex, strlen(hex)), CV_OK);
}

/* RFC 5869 appendix A.1. */
static void hkdf_matches_rfc_5869_case_1(void **state)
{
	uint8_t ikm[22], salt[13], info[10], prk[32], want_prk[32], okm[42], want[42];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm));
	bytes(salt, 13, "000102030405060708090a0b0c");
	bytes(info, 10, "f0f1f2f3f4f5f6f7f8f9");
	bytes(want_prk, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	bytes(want, 42,
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
	assert_int_equal(hkdf_extract(prk, salt, sizeof(salt), ikm, sizeof(ikm)), CV_OK);
	assert_memory_equal(prk, want_prk, 32);
	assert_int_equal(hkdf_expand(okm, 42, prk, info, sizeof(info)), CV_OK);
	assert_memory_equal(okm, want, 42);
}

/* RFC 5869 appendix A.3: empty salt and info. */
static void hkdf_matches_rfc_5869_case_3(void **state)
{
	uint8_t ikm[22], okm[42], want[42];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm));
	bytes(want, 42,
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
	assert_int_equal(hkdf(okm, 42, NULL, 0, ikm, sizeof(ikm), NULL, 0), CV_OK);
	assert_memory_equal(okm, want, 42);
}

static void hkdf_gives_a_prefix_for_every_length(void **state)
{
	static uint8_t all[255 * 32];
	uint8_t prk[32] = {1};

	(void)state;
	assert_int_equal(hkdf_expand(all, sizeof(all), prk, (const uint8_t *)"i", 1), CV_OK);
	assert_int_equal(
		hkdf_expand(all, sizeof(all) + 1, prk, (const uint8_t *)"i", 1), CV_ERR_ARGUMENT);
	for (size_t n = 0; n < 100; n++) {
		uint8_t *part = malloc(n > 0 ? n : 1);

		assert_int_equal(hkdf_expand(part, n, prk, (const uint8_t *)"i", 1), CV_OK);
		assert_memory_equal(part, all, n);
		free(part);
	}
}

static const struct hpke_context_info vector_info = {
	v_hpke_info, sizeof(v_hpke_info), v_hpke_aad, sizeof(v_hpke_aad)};

/*
 * Mode base, suite 0x0020 0x0001 0x0002, first encryption, of the vector file of RFC 9180 (the RFC's
 * appendix has no AES-256 with X25519). The reference checks itself with the same one.
 */
static void hpke_matches_the_vector_of_the_suite(void **state)
{
	uint8_t sealed[sizeof(v_hpke_plaintext) + HPKE_OVERHEAD];
	uint8_t opened[sizeof(v_hpke_plaintext)];

	(void)state;
	assert_int_equal(hpke_seal_with(sealed, v_hpke_ephemeral_private, v_hpke_recipient_public,
				 &vector_info, v_hpke_plaintext, sizeof(v_hpke_plaintext)),
		CV_OK);
	assert_memory_equal(sealed, v_hpke_enc, 32);
	assert_memory_equal(sealed + 32, v_hpke_ciphertext, sizeof(v_hpke_ciphertext));
	assert_int_equal(hpke_open(opened, v_hpke_recipient_private, &vector_info, sealed,
				 sizeof(sealed)),
		CV_OK);
	assert_memory_equal(opened, v_hpke_plaintext, sizeof(opened));
	assert_int_equal(hpke_open_with(opened, v_hpke_recipient_private, v_hpke_recipient_public,
				 &vector_info, sealed, sizeof(sealed)),
		CV_OK);
	assert_memory_equal(opened, v_hpke_plaintext, sizeof(opened));
	assert_int_equal(hpke_open_with(opened, v_hpke_recipient_private, v_hpke_enc, &vector_info,
				 sealed, sizeof(sealed)),
		CV_ERR_SEAL);
	assert_true(all_zero(opened, sizeof(opened)));
}

static const struct hpke_context_info share_info = {
	v_share_info, sizeof(v_share_info), v_share_aad, sizeof(v_share_aad)};

static enum cv_err open_share(const char *data, size_t len)
{
	uint8_t opened[256];
	size_t plain = len >= HPKE_OVERHEAD ? len - HPKE_OVERHEAD : 0;
	enum cv_err err;

	memset(opened, 0xaa, sizeof(opened));
	err = hpke_open(opened, v_boot_private, &share_info, (const uint8_t *)data, len);
	if (err == CV_OK)
		assert_memory_equal(opened, v_share, sizeof(v_share));
	else
		assert_true(all_zero(opened, plain));
	return err;
}

static void a_share_of_the_reference_opens_and_no_damaged_one(void **state)
{
	(void)state;
	damage_accepts(open_share, v_sealed_share, sizeof(v_sealed_share));
	damage_refuses_truncations(open_share, v_sealed_share, sizeof(v_sealed_share));
	damage_refuses_one_more(open_share, v_sealed_share, sizeof(v_sealed_share));
	/* bit 255 of an X25519 public key is not part of it, but of the KEM context */
	damage_refuses_flips(open_share, v_sealed_share, sizeof(v_sealed_share));
}

static void another_info_aad_or_key_does_not_open(void **state)
{
	struct hpke_context_info other = share_info;
	uint8_t opened[32];
	uint8_t info[sizeof(v_share_info)];

	(void)state;
	memcpy(info, v_share_info, sizeof(info));
	info[sizeof(info) - 1] ^= 1;
	other.info = info;
	assert_int_equal(hpke_open(opened, v_boot_private, &other, v_sealed_share,
				 sizeof(v_sealed_share)),
		CV_ERR_SEAL);
	other = share_info;
	other.aad_len--;
	assert_int_equal(hpke_open(opened, v_boot_private, &other, v_sealed_share,
				 sizeof(v_sealed_share)),
		CV_ERR_SEAL);
	assert_int_equal(hpke_open(opened, v_enrolment_private, &share_info, v_sealed_share,
				 sizeof(v_sealed_share)),
		CV_ERR_SEAL);
}

static void a_low_order_point_is_refused_as_a_bad_seal(void **state)
{
	uint8_t sealed[80] = {0};
	uint8_t opened[32];

	(void)state;
	assert_int_equal(
		hpke_open(opened, v_boot_private, &share_info, sealed, sizeof(sealed)), CV_ERR_SEAL);
	sealed[0] = 1;
	memset(opened, 0xaa, sizeof(opened));
	assert_int_equal(
		hpke_open(opened, v_boot_private, &share_info, sealed, sizeof(sealed)), CV_ERR_SEAL);
	assert_true(all_zero(opened, sizeof(opened)));
}

static void two_seals_of_the_same_differ_and_both_open(void **state)
{
	uint8_t a[32 + HPKE_OVERHEAD], b[32 + HPKE_OVERHEAD], opened[32];

	(void)state;
	assert_int_equal(hpke_seal(a, v_boot_public, &share_info, v_share, 32), CV_OK);
	assert_int_equal(hpke_seal(b, v_boot_public, &share_info, v_share, 32), CV_OK);
	assert_memory_not_equal(a, b, 32);
	assert_memory_not_equal(a + 32, b + 32, 48);
	assert_int_equal(hpke_open(opened, v_boot_private, &share_info, a, sizeof(a)), CV_OK);
	assert_memory_equal(opened, v_share, 32);
	assert_int_equal(hpke_open(opened, v_boot_private, &share_info, b, sizeof(b)), CV_OK);
	assert_memory_equal(opened, v_share, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hkdf_matches_rfc_5869_case_1),
		cmocka_unit_test(hkdf_matches_rfc_5869_case_3),
		cmocka_unit_test(hkdf_gives_a_prefix_for_every_length),
		cmocka_unit_test(hpke_matches_the_vector_of_the_suite),
		cmocka_unit_test(a_share_of_the_reference_opens_and_no_damaged_one),
		cmocka_unit_test(another_info_aad_or_key_does_not_open),
		cmocka_unit_test(a_low_order_point_is_refused_as_a_bad_seal),
		cmocka_unit_test(two_seals_of_the_same_differ_and_both_open),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
