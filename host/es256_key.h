/*
 * ES256 keys as OpenSSL's objects, for what is done with them outside protocol/crypto.h.
 */
#ifndef CONCLAVE_HOST_ES256_KEY_H
#define CONCLAVE_HOST_ES256_KEY_H

#include <stdint.h>

#include <openssl/types.h>

/*
 * From raw bytes: CV_ES256_PRIVATE_BYTES, CV_ES256_PUBLIC_BYTES; either may be NULL. OpenSSL checks
 * that a public key is on the curve. NULL on failure; else the caller's to EVP_PKEY_free.
 */
EVP_PKEY *es256_key_import(const uint8_t *private_key, const uint8_t *public_key);

#endif
