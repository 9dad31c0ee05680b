#include "provisioning/x509_key.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "host/es256_key.h"
#include "protocol/crypto.h"

EVP_PKEY *x509_key_private(const uint8_t private_key[CV_ES256_PRIVATE_BYTES])
{
	uint8_t public_key[CV_ES256_PUBLIC_BYTES];

	if (crypto_es256_public(public_key, private_key) != CV_OK)
		return NULL;
	return es256_key_import(private_key, public_key);
}

EVP_PKEY *x509_key_public(const uint8_t public_key[CV_ES256_PUBLIC_BYTES])
{
	return es256_key_import(NULL, public_key);
}

enum cv_err x509_key_raw(uint8_t public_key[CV_ES256_PUBLIC_BYTES], const EVP_PKEY *key)
{
	char group[64] = "";
	uint8_t point[CV_ES256_PUBLIC_BYTES];
	size_t len = 0;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
		EVP_PKEY_get_utf8_string_param(
			key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) != 1 ||
		strcmp(group, SN_X9_62_prime256v1) != 0)
		return CV_ERR_ALGORITHM;
	if (EVP_PKEY_get_octet_string_param(
		    key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) != 1 ||
		len != sizeof(point) || point[0] != 4)
		return CV_ERR_ALGORITHM;
	memcpy(public_key, point, sizeof(point));
	return CV_OK;
}
