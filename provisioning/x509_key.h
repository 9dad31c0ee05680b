/*
 * P-256 keys between our raw bytes and OpenSSL's objects. NULL and CV_ERR_* on failure; the objects
 * are the caller's to EVP_PKEY_free.
 */
#ifndef CONCLAVE_PROVISIONING_X509_KEY_H
#define CONCLAVE_PROVISIONING_X509_KEY_H

#include <stdint.h>

#include <openssl/types.h>

#include "protocol/err.h"
#include "protocol/limits.h"

/* With its public half, so that it can be matched with a certificate. */
EVP_PKEY *x509_key_private(const uint8_t private_key[CV_ES256_PRIVATE_BYTES]);
EVP_PKEY *x509_key_public(const uint8_t public_key[CV_ES256_PUBLIC_BYTES]);
/* CV_ERR_ALGORITHM if it is not a key of P-256. */
CV_MUST_CHECK enum cv_err x509_key_raw(
	uint8_t public_key[CV_ES256_PUBLIC_BYTES], const EVP_PKEY *key);

#endif
