/*
 * For boards without a signer in hardware: the attestation key is a value that port_nv_get reads.
 */
#include "port.h"
#include "protocol/crypto.h"

enum cv_err port_sign(
	void *context, const uint8_t hash[CV_HASH_BYTES], uint8_t sig[CV_ES256_SIG_BYTES])
{
	uint8_t key[CV_ES256_PRIVATE_BYTES];
	size_t len = 0;
	enum cv_err err = port_nv_get("attest.key", key, sizeof(key), &len);

	(void)context;
	if (err == CV_OK && len != sizeof(key))
		err = CV_ERR_FORMAT;
	if (err == CV_OK)
		err = crypto_es256_sign(sig, key, hash);
	crypto_wipe(key, sizeof(key));
	return err;
}
