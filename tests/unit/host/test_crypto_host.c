#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "protocol/crypto.h"
#include "tests/unit/host/hex.h"

static int start(void **state)
{
	(void)state;
	return crypto_init() == CV_OK ? 0 : -1;
}

/* FIPS 180-4 examples, given in two parts to cover the splitting. */
static void sha256_matches_the_published_examples(void **state)
{
	const struct crypto_part parts[] = { { "a", 1 }, { "bc", 2 } };
	uint8_t got[32], want[32];

	(void)state;
	hex_bytes(want, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(crypto_sha256(got, parts, 2), CV_OK);
	assert_memory_equal(got, want, 32);
	hex_bytes(want, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(crypto_sha256(got, NULL, 0), CV_OK);
	assert_memory_equal(got, want, 32);
}

/* RFC 4231, test cases 1 and 2. */
static void hmac_matches_rfc_4231(void **state)
{
	uint8_t key[20], got[32], want[32];
	const struct crypto_part one = { "Hi There", 8 };
	const struct crypto_part two[] = { { "what do ya want ", 16 }, { "for nothing?", 12 } };

	(void)state;
	memset(key, 0x0b, sizeof(key));
	hex_bytes(want, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_int_equal(crypto_hmac_sha256(got, key, 20, &one, 1), CV_OK);
	assert_memory_equal(got, want, 32);
	hex_bytes(want, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(crypto_hmac_sha256(got, (const uint8_t *)"Jefe", 4, two, 2), CV_OK);
	assert_memory_equal(got, want, 32);
}

static void hmac_refuses_keys_outside_the_contract(void **state)
{
	uint8_t key[65] = { 0 }, got[32];

	(void)state;
	assert_int_equal(crypto_hmac_sha256(got, key, 0, NULL, 0), CV_ERR_ARGUMENT);
	assert_int_equal(crypto_hmac_sha256(got, key, 65, NULL, 0), CV_ERR_ARGUMENT);
	assert_int_equal(crypto_hmac_sha256(got, key, 64, NULL, 0), CV_OK);
}

/* RFC 7748 section 5.2 (first vector) and section 6.1. */
static void x25519_matches_rfc_7748(void **state)
{
	uint8_t scalar[32], point[32], want[32], got[32], alice_public[32], bob_public[32];

	(void)state;
	hex_bytes(scalar, 32, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
	hex_bytes(point, 32, "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
	hex_bytes(want, 32, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	assert_int_equal(crypto_x25519(got, scalar, point), CV_OK);
	assert_memory_equal(got, want, 32);

	hex_bytes(scalar, 32, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	hex_bytes(alice_public, 32,
		"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	assert_int_equal(crypto_x25519_public(got, scalar), CV_OK);
	assert_memory_equal(got, alice_public, 32);
	hex_bytes(bob_public, 32,
		"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	hex_bytes(want, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	assert_int_equal(crypto_x25519(got, scalar, bob_public), CV_OK);
	assert_memory_equal(got, want, 32);
}

/* The points of order 1, 2, 4 and 8, and their non-canonical forms. */
static void x25519_refuses_low_order_points(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t private_key[32], public_key[32], point[32], got[32], zero[32] = { 0 };

	(void)state;
	assert_int_equal(crypto_x25519_keypair(private_key, public_key), CV_OK);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		hex_bytes(point, 32, points[i]);
		memset(got, 0xaa, sizeof(got));
		assert_int_equal(crypto_x25519(got, private_key, point), CV_ERR_CRYPTO);
		assert_memory_equal(got, zero, 32);
	}
}

static void x25519_agrees_both_ways(void **state)
{
	uint8_t a[32], a_public[32], b[32], b_public[32], one[32], two[32];

	(void)state;
	assert_int_equal(crypto_x25519_keypair(a, a_public), CV_OK);
	assert_int_equal(crypto_x25519_keypair(b, b_public), CV_OK);
	assert_int_equal(crypto_x25519(one, a, b_public), CV_OK);
	assert_int_equal(crypto_x25519(two, b, a_public), CV_OK);
	assert_memory_equal(one, two, 32);
}

/* The GCM specification's test case 16 (McGrew, Viega): 256-bit key with associated data. */
struct gcm_case {
	uint8_t key[32], nonce[12], aad[20], plain[60], cipher[60], tag[16];
};

static void gcm_case_16(struct gcm_case *c)
{
	hex_bytes(c->key, 32, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
	hex_bytes(c->nonce, 12, "cafebabefacedbaddecaf888");
	hex_bytes(c->aad, 20, "feedfacedeadbeeffeedfacedeadbeefabaddad2");
	hex_bytes(c->plain, 60,
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
	hex_bytes(c->cipher, 60,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662");
	hex_bytes(c->tag, 16, "76fc6ece0f4e1768cddf8853bb2d551b");
}

static void gcm_matches_the_specification(void **state)
{
	struct gcm_case c;
	uint8_t out[60], tag[16];

	(void)state;
	gcm_case_16(&c);
	assert_int_equal(crypto_aes256gcm_seal(out, tag, c.key, c.nonce, c.aad, 20, c.plain, 60),
		CV_OK);
	assert_memory_equal(out, c.cipher, 60);
	assert_memory_equal(tag, c.tag, 16);
	/* in place */
	assert_int_equal(
		crypto_aes256gcm_open(out, c.key, c.nonce, c.aad, 20, out, 60, tag), CV_OK);
	assert_memory_equal(out, c.plain, 60);
}

static void gcm_takes_empty_messages(void **state)
{
	uint8_t key[32] = { 0 }, nonce[12] = { 0 }, tag[16], want[16];

	(void)state;
	hex_bytes(want, 16, "530f8afbc74536b9a963b4f1c4cb738b"); /* test case 13 */
	assert_int_equal(crypto_aes256gcm_seal(NULL, tag, key, nonce, NULL, 0, NULL, 0), CV_OK);
	assert_memory_equal(tag, want, 16);
	assert_int_equal(crypto_aes256gcm_open(NULL, key, nonce, NULL, 0, NULL, 0, tag), CV_OK);
	tag[0] ^= 1;
	assert_int_equal(
		crypto_aes256gcm_open(NULL, key, nonce, NULL, 0, NULL, 0, tag), CV_ERR_SEAL);
}

static void gcm_refuses_every_bit_flip(void **state)
{
	struct gcm_case c;
	uint8_t *const fields[] = { c.key, c.nonce, c.aad, c.cipher, c.tag };
	const size_t sizes[] = { 32, 12, 20, 60, 16 };
	uint8_t out[60], zero[60] = { 0 };

	(void)state;
	gcm_case_16(&c);
	for (size_t f = 0; f < 5; f++)
		for (size_t bit = 0; bit < 8 * sizes[f]; bit++) {
			fields[f][bit / 8] ^= (uint8_t)(1 << bit % 8);
			memset(out, 0xaa, sizeof(out));
			assert_int_equal(crypto_aes256gcm_open(out, c.key, c.nonce, c.aad, 20,
						 c.cipher, 60, c.tag),
				CV_ERR_SEAL);
			assert_memory_equal(out, zero, 60);
			fields[f][bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
}

/* RFC 6979 appendix A.2.5: P-256 key, SHA-256 of "sample". */
struct es256_case {
	uint8_t private_key[32], public_key[65], hash[32], sig[64];
};

static void es256_rfc_6979(struct es256_case *c)
{
	const struct crypto_part sample = { "sample", 6 };

	hex_bytes(c->private_key, 32,
		"C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
	hex_bytes(c->public_key, 65,
		"04 60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
		"7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299");
	hex_bytes(c->sig, 64,
		"EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
		"F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
	assert_int_equal(crypto_sha256(c->hash, &sample, 1), CV_OK);
}

static void es256_matches_rfc_6979(void **state)
{
	struct es256_case c;
	uint8_t public_key[65];

	(void)state;
	es256_rfc_6979(&c);
	assert_int_equal(crypto_es256_public(public_key, c.private_key), CV_OK);
	assert_memory_equal(public_key, c.public_key, 65);
	assert_int_equal(crypto_es256_verify(c.public_key, c.hash, c.sig), CV_OK);
}

static void es256_signs_what_it_verifies(void **state)
{
	uint8_t private_key[32], public_key[65], again[65], hash[32], sig[64];

	(void)state;
	for (int i = 0; i < 100; i++) { /* short r or s come up: padding is covered */
		assert_int_equal(crypto_es256_keypair(private_key, public_key), CV_OK);
		assert_int_equal(crypto_es256_public(again, private_key), CV_OK);
		assert_memory_equal(again, public_key, 65);
		assert_int_equal(crypto_random(hash, 32), CV_OK);
		assert_int_equal(crypto_es256_sign(sig, private_key, hash), CV_OK);
		assert_int_equal(crypto_es256_verify(public_key, hash, sig), CV_OK);
	}
}

static void es256_refuses_every_bit_flip(void **state)
{
	struct es256_case c;
	uint8_t *const fields[] = { c.public_key, c.hash, c.sig };
	const size_t sizes[] = { 65, 32, 64 };

	(void)state;
	es256_rfc_6979(&c);
	for (size_t f = 0; f < 3; f++)
		for (size_t bit = 0; bit < 8 * sizes[f]; bit++) {
			fields[f][bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(crypto_es256_verify(c.public_key, c.hash, c.sig),
				CV_ERR_SIGNATURE);
			fields[f][bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
}

static void es256_refuses_degenerate_signatures_and_keys(void **state)
{
	struct es256_case c;
	uint8_t bad[65];

	(void)state;
	es256_rfc_6979(&c);
	memset(c.sig, 0, 64);
	assert_int_equal(crypto_es256_verify(c.public_key, c.hash, c.sig), CV_ERR_SIGNATURE);
	memset(c.sig, 0xff, 64);
	assert_int_equal(crypto_es256_verify(c.public_key, c.hash, c.sig), CV_ERR_SIGNATURE);
	es256_rfc_6979(&c);
	memcpy(bad, c.public_key, 65);
	bad[0] = (uint8_t)(6 | (bad[64] & 1)); /* hybrid form of the same point */
	assert_int_equal(crypto_es256_verify(bad, c.hash, c.sig), CV_ERR_SIGNATURE);
	memset(bad, 0, 65);
	assert_int_equal(crypto_es256_verify(bad, c.hash, c.sig), CV_ERR_SIGNATURE);
}

static void es256_refuses_private_keys_out_of_range(void **state)
{
	uint8_t d[32] = { 0 }, public_key[65];

	(void)state;
	assert_int_equal(crypto_es256_public(public_key, d), CV_ERR_CRYPTO);
	hex_bytes(d, 32, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
	assert_int_equal(crypto_es256_public(public_key, d), CV_ERR_CRYPTO);
	d[31]--;
	assert_int_equal(crypto_es256_public(public_key, d), CV_OK);
}

static void *verify_many(void *arg)
{
	const struct es256_case *c = arg;
	uint8_t key[32] = { 1 }, nonce[12] = { 2 }, text[64] = { 3 }, tag[16];

	for (int i = 0; i < 50; i++) {
		if (crypto_es256_verify(c->public_key, c->hash, c->sig) != CV_OK ||
			crypto_aes256gcm_seal(text, tag, key, nonce, NULL, 0, text, 64) != CV_OK ||
			crypto_aes256gcm_open(text, key, nonce, NULL, 0, text, 64, tag) != CV_OK ||
			text[0] != 3)
			return arg;
	}
	return NULL;
}

static void works_from_many_threads(void **state)
{
	struct es256_case c;
	pthread_t threads[8];
	void *failed;

	(void)state;
	es256_rfc_6979(&c);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &c), 0);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

static void compares_and_wipes(void **state)
{
	uint8_t a[5] = { 1, 2, 3, 4, 5 }, b[5] = { 1, 2, 3, 4, 5 }, zero[5] = { 0 };

	(void)state;
	assert_int_equal(crypto_equal(a, b, 5), 1);
	b[4] ^= 0x80;
	assert_int_equal(crypto_equal(a, b, 5), 0);
	crypto_wipe(a, 5);
	assert_memory_equal(a, zero, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_matches_the_published_examples),
		cmocka_unit_test(hmac_matches_rfc_4231),
		cmocka_unit_test(hmac_refuses_keys_outside_the_contract),
		cmocka_unit_test(x25519_matches_rfc_7748),
		cmocka_unit_test(x25519_refuses_low_order_points),
		cmocka_unit_test(x25519_agrees_both_ways),
		cmocka_unit_test(gcm_matches_the_specification),
		cmocka_unit_test(gcm_takes_empty_messages),
		cmocka_unit_test(gcm_refuses_every_bit_flip),
		cmocka_unit_test(es256_matches_rfc_6979),
		cmocka_unit_test(es256_signs_what_it_verifies),
		cmocka_unit_test(es256_refuses_every_bit_flip),
		cmocka_unit_test(es256_refuses_degenerate_signatures_and_keys),
		cmocka_unit_test(es256_refuses_private_keys_out_of_range),
		cmocka_unit_test(works_from_many_threads),
		cmocka_unit_test(compares_and_wipes),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
