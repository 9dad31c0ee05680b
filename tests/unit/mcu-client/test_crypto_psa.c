/* The microcontroller's crypto against published vectors; the host's has the same tests. */
#include "tests/unit/mcu-client/cmocka_all.h"

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/hpke.h"

static void hex(uint8_t *out, size_t n, const char *text)
{
	assert_int_equal(hex_decode(out, n, text, strlen(text)), CV_OK);
}

/* FIPS 180-4, "abc". */
static void sha256_matches_fips_180(void **state)
{
	const struct crypto_part parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
	uint8_t want[32], got[32];

	(void)state;
	hex(want, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(crypto_sha256(got, parts, 3), CV_OK);
	assert_memory_equal(got, want, 32);
}

/* RFC 4231, test case 2. */
static void hmac_matches_rfc_4231(void **state)
{
	const struct crypto_part parts[] = {{"what do ya want ", 16}, {"for nothing?", 12}};
	uint8_t want[32], got[32];

	(void)state;
	hex(want, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(crypto_hmac_sha256(got, (const uint8_t *)"Jefe", 4, parts, 2), CV_OK);
	assert_memory_equal(got, want, 32);
}

/* RFC 5869, test case 1. */
static void hkdf_matches_rfc_5869(void **state)
{
	uint8_t ikm[22], salt[13], info[10], want[42], got[42];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm));
	hex(salt, 13, "000102030405060708090a0b0c");
	hex(info, 10, "f0f1f2f3f4f5f6f7f8f9");
	hex(want, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8"
		      "87185865");
	assert_int_equal(hkdf(got, 42, salt, 13, ikm, 22, info, 10), CV_OK);
	assert_memory_equal(got, want, 42);
}

/* RFC 7748, section 6.1. */
static void x25519_matches_rfc_7748(void **state)
{
	uint8_t a[32], public_want[32], b_public[32], want[32], got[32];

	(void)state;
	hex(a, 32, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	hex(public_want, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	hex(b_public, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	hex(want, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	assert_int_equal(crypto_x25519_public(got, a), CV_OK);
	assert_memory_equal(got, public_want, 32);
	assert_int_equal(crypto_x25519(got, a, b_public), CV_OK);
	assert_memory_equal(got, want, 32);
}

static void x25519_refuses_low_order_points(void **state)
{
	uint8_t a[32], a_public[32], shared[32];
	const uint8_t zero[32] = {0}, one[32] = {1};

	(void)state;
	assert_int_equal(crypto_x25519_keypair(a, a_public), CV_OK);
	assert_int_not_equal(crypto_x25519(shared, a, zero), CV_OK);
	assert_int_not_equal(crypto_x25519(shared, a, one), CV_OK);
	assert_memory_equal(shared, zero, 32);
}

/* The GCM specification's test case 14: AES-256, one zero block. */
static void gcm_matches_the_specification(void **state)
{
	const uint8_t key[32] = {0}, nonce[12] = {0}, plain[16] = {0};
	uint8_t ct[16], tag[16], want_ct[16], want_tag[16], back[16];

	(void)state;
	hex(want_ct, 16, "cea7403d4d606b6e074ec5d3baf39d18");
	hex(want_tag, 16, "d0d1c8a799996bf0265b98b5d48ab919");
	assert_int_equal(crypto_aes256gcm_seal(ct, tag, key, nonce, NULL, 0, plain, 16), CV_OK);
	assert_memory_equal(ct, want_ct, 16);
	assert_memory_equal(tag, want_tag, 16);
	assert_int_equal(crypto_aes256gcm_open(back, key, nonce, NULL, 0, ct, 16, tag), CV_OK);
	assert_memory_equal(back, plain, 16);
	memset(back, 0xff, sizeof(back));
	tag[15] ^= 1;
	assert_int_equal(
		crypto_aes256gcm_open(back, key, nonce, NULL, 0, ct, 16, tag), CV_ERR_SEAL);
	assert_memory_equal(back, plain, 16);
}

static void es256_signs_what_it_verifies_and_nothing_else(void **state)
{
	uint8_t key[32], public_key[65], again[65], sig[64];
	uint8_t hash[32] = {7};

	(void)state;
	assert_int_equal(crypto_es256_keypair(key, public_key), CV_OK);
	assert_int_equal(crypto_es256_public(again, key), CV_OK);
	assert_memory_equal(again, public_key, 65);
	assert_int_equal(crypto_es256_sign(sig, key, hash), CV_OK);
	assert_int_equal(crypto_es256_verify(public_key, hash, sig), CV_OK);
	hash[31] ^= 1;
	assert_int_equal(crypto_es256_verify(public_key, hash, sig), CV_ERR_SIGNATURE);
	hash[31] ^= 1;
	for (size_t bit = 0; bit < 64 * 8; bit += 37) {
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(crypto_es256_verify(public_key, hash, sig), CV_ERR_SIGNATURE);
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	memset(sig, 0, sizeof(sig));
	assert_int_equal(crypto_es256_verify(public_key, hash, sig), CV_ERR_SIGNATURE);
}

static void es256_refuses_a_key_that_is_not_a_point(void **state)
{
	uint8_t key[32], public_key[65], sig[64] = {1};
	const uint8_t hash[32] = {7};

	(void)state;
	assert_int_equal(crypto_es256_keypair(key, public_key), CV_OK);
	public_key[64] ^= 1;
	assert_int_equal(crypto_es256_verify(public_key, hash, sig), CV_ERR_SIGNATURE);
	public_key[0] = 2;
	assert_int_equal(crypto_es256_verify(public_key, hash, sig), CV_ERR_SIGNATURE);
}

static void hpke_opens_what_it_sealed_and_nothing_else(void **state)
{
	uint8_t key[32], public_key[32], plain[32] = {9}, back[32], sealed[32 + HPKE_OVERHEAD];
	struct hpke_context_info ci = {(const uint8_t *)"info", 4, (const uint8_t *)"aad", 3};

	(void)state;
	assert_int_equal(crypto_x25519_keypair(key, public_key), CV_OK);
	assert_int_equal(hpke_seal(sealed, public_key, &ci, plain, sizeof(plain)), CV_OK);
	assert_int_equal(hpke_open(back, key, &ci, sealed, sizeof(sealed)), CV_OK);
	assert_memory_equal(back, plain, 32);
	for (size_t i = 0; i < sizeof(sealed); i += 7) {
		sealed[i] ^= 1;
		assert_int_not_equal(hpke_open(back, key, &ci, sealed, sizeof(sealed)), CV_OK);
		sealed[i] ^= 1;
	}
	ci.aad_len = 2;
	assert_int_not_equal(hpke_open(back, key, &ci, sealed, sizeof(sealed)), CV_OK);
}

static void equal_is_equal(void **state)
{
	(void)state;
	assert_true(crypto_equal("abc", "abc", 3));
	assert_false(crypto_equal("abc", "abd", 3));
	assert_true(crypto_equal("a", "b", 0));
}

static int start(void **state)
{
	(void)state;
	return crypto_init() == CV_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sha256_matches_fips_180),
		cmocka_unit_test(hmac_matches_rfc_4231), cmocka_unit_test(hkdf_matches_rfc_5869),
		cmocka_unit_test(x25519_matches_rfc_7748),
		cmocka_unit_test(x25519_refuses_low_order_points),
		cmocka_unit_test(gcm_matches_the_specification),
		cmocka_unit_test(es256_signs_what_it_verifies_and_nothing_else),
		cmocka_unit_test(es256_refuses_a_key_that_is_not_a_point),
		cmocka_unit_test(hpke_opens_what_it_sealed_and_nothing_else),
		cmocka_unit_test(equal_is_equal)};

	return cmocka_run_group_tests(tests, start, NULL);
}
