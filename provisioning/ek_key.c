#include "provisioning/ek_key.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "protocol/crypto.h"

#define EXPONENT 65537

static OSSL_PARAM *parameters(const struct tpm_ek *ek)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = BN_bin2bn(ek->key, (int)ek->key_len, NULL);
	OSSL_PARAM *out = NULL;
	int ok = build != NULL && modulus != NULL;

	if (ok && ek->kind == TPM_EK_RSA)
		ok = OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		     OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, EXPONENT) == 1;
	else if (ok)
		ok = OSSL_PARAM_BLD_push_utf8_string(
			     build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
		     OSSL_PARAM_BLD_push_octet_string(
			     build, OSSL_PKEY_PARAM_PUB_KEY, ek->key, ek->key_len) == 1;
	if (ok)
		out = OSSL_PARAM_BLD_to_param(build);
	BN_free(modulus);
	OSSL_PARAM_BLD_free(build);
	return out;
}

enum cv_err ek_key_open(EVP_PKEY **out, const struct tpm_ek *ek)
{
	EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_name(NULL, ek->kind == TPM_EK_RSA ? "RSA" : "EC", NULL);
	OSSL_PARAM *params = parameters(ek);
	EVP_PKEY *key = NULL;
	enum cv_err err = CV_ERR_CRYPTO;

	if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		err = EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1
			      ? CV_OK
			      : CV_ERR_RANGE; /* not on the curve */
	if (err == CV_OK)
		*out = key;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return err;
}

enum cv_err ek_key_hash(uint8_t out[CV_HASH_BYTES], EVP_PKEY *key)
{
	unsigned char *der = NULL;
	const int len = i2d_PUBKEY(key, &der);
	const struct crypto_part part = {der, len > 0 ? (size_t)len : 0};
	enum cv_err err = len > 0 ? crypto_sha256(out, &part, 1) : CV_ERR_CRYPTO;

	OPENSSL_free(der);
	return err;
}
