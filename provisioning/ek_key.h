/* The endorsement key as OpenSSL's. Prints nothing. */
#ifndef CONCLAVE_PROVISIONING_EK_KEY_H
#define CONCLAVE_PROVISIONING_EK_KEY_H

#include <openssl/evp.h>

#include "protocol/tpm_ek.h"

/* *out is the caller's. CV_ERR_RANGE: not a point of P-256; CV_ERR_CRYPTO. */
CV_MUST_CHECK enum cv_err ek_key_open(EVP_PKEY **out, const struct tpm_ek *ek);
/* SHA-256 of the key's SubjectPublicKeyInfo (DER), as allow-lists name it. */
CV_MUST_CHECK enum cv_err ek_key_hash(uint8_t out[CV_HASH_BYTES], EVP_PKEY *key);

#endif
