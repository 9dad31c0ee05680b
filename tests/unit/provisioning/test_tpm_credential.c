/* Credentials: one by tpm2-tools, opened here as a TPM would, and made here again byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "protocol/crypto.h"
#include "provisioning/ek_key.h"
#include "provisioning/tpm_credential.h"
#include "tests/vectors/credential_vectors.h"

static struct tpm_ek ek;

static int start(void **state)
{
	(void)state;
	if (crypto_init() != CV_OK)
		return -1;
	return tpm_ek_decode(&ek, v_ek_area, sizeof(v_ek_area)) == CV_OK ? 0 : -1;
}

static EVP_PKEY *ec_key(const uint8_t *point, const uint8_t *private_key)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	BIGNUM *d = private_key != NULL ? BN_bin2bn(private_key, 32, NULL) : NULL;
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 65);
	if (d != NULL)
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d);
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(
				 ctx, &key, d != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params),
		1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(d);
	return key;
}

/* What the TPM does with the encrypted secret: its private key times the ephemeral point. */
static void open_seed(uint8_t seed[TPM_SEED_BYTES], const uint8_t *encrypted)
{
	uint8_t point[65] = {4}, z[32];
	EVP_PKEY *own = ec_key(ek.key, v_ek_private), *ephemeral;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t len = sizeof(z);

	memcpy(point + 1, encrypted + 2, 32);
	memcpy(point + 33, encrypted + 36, 32);
	ephemeral = ec_key(point, NULL);
	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(ctx, ephemeral), 1);
	assert_int_equal(EVP_PKEY_derive(ctx, z, &len), 1);
	assert_int_equal(tpm_credential_ecc_seed(seed, z, point + 1, ek.key + 1), CV_OK);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(ephemeral);
	EVP_PKEY_free(own);
}

static void wraps_as_tpm2_tools_do(void **state)
{
	struct enrol_tpm_challenge c;
	uint8_t seed[TPM_SEED_BYTES];

	(void)state;
	memset(&c, 0, sizeof(c));
	open_seed(seed, v_seed);
	assert_int_equal(tpm_credential_wrap(&c, seed, v_name, v_secret), CV_OK);
	assert_int_equal(c.credential_len, sizeof(v_credential));
	assert_memory_equal(c.credential, v_credential, sizeof(v_credential));
}

static void what_it_makes_opens_for_the_endorsement_key(void **state)
{
	struct enrol_tpm_challenge made, again;
	uint8_t seed[TPM_SEED_BYTES];

	(void)state;
	memset(&made, 0, sizeof(made));
	memset(&again, 0, sizeof(again));
	assert_int_equal(tpm_credential_make(&made, &ek, v_name, v_secret), CV_OK);
	assert_int_equal(made.seed_len, sizeof(v_seed));
	assert_memory_not_equal(made.seed, v_seed, sizeof(v_seed)); /* a fresh ephemeral key */
	open_seed(seed, made.seed);
	assert_int_equal(tpm_credential_wrap(&again, seed, v_name, v_secret), CV_OK);
	assert_memory_equal(made.credential, again.credential, made.credential_len);
}

/* Another name gives another credential: the TPM checks that it holds the key of that name. */
static void the_name_counts(void **state)
{
	struct enrol_tpm_challenge a, b;
	uint8_t seed[TPM_SEED_BYTES] = {1}, other[TPM_NAME_BYTES];

	(void)state;
	memcpy(other, v_name, sizeof(other));
	other[sizeof(other) - 1] ^= 1;
	assert_int_equal(tpm_credential_wrap(&a, seed, v_name, v_secret), CV_OK);
	assert_int_equal(tpm_credential_wrap(&b, seed, other, v_secret), CV_OK);
	assert_memory_not_equal(a.credential + 2, b.credential + 2, CV_HASH_BYTES);
}

static void refuses_a_key_that_is_not_on_the_curve(void **state)
{
	struct enrol_tpm_challenge c;
	struct tpm_ek off = ek;

	(void)state;
	off.key[64] ^= 1;
	assert_int_equal(tpm_credential_make(&c, &off, v_name, v_secret), CV_ERR_RANGE);
}

static void makes_one_for_an_rsa_key(void **state)
{
	struct enrol_tpm_challenge c;
	struct tpm_ek rsa = {.kind = TPM_EK_RSA, .key_len = 256};
	EVP_PKEY *key = EVP_RSA_gen(2048);
	uint8_t seed[256];
	size_t len = sizeof(seed);
	BIGNUM *n = NULL;
	EVP_PKEY_CTX *ctx;

	(void)state;
	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	assert_int_equal(BN_bn2binpad(n, rsa.key, 256), 256);
	assert_int_equal(tpm_credential_make(&c, &rsa, v_name, v_secret), CV_OK);
	assert_int_equal(c.seed_len, 256);
	ctx = EVP_PKEY_CTX_new(key, NULL);
	assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
	EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256());
	EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup("IDENTITY", 9), 9);
	assert_int_equal(EVP_PKEY_decrypt(ctx, seed, &len, c.seed, c.seed_len), 1);
	assert_int_equal(len, TPM_SEED_BYTES);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	BN_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wraps_as_tpm2_tools_do),
		cmocka_unit_test(what_it_makes_opens_for_the_endorsement_key),
		cmocka_unit_test(the_name_counts),
		cmocka_unit_test(refuses_a_key_that_is_not_on_the_curve),
		cmocka_unit_test(makes_one_for_an_rsa_key),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
