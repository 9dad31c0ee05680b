/*
 * Signatures that always hold: a fuzzer cannot make one, and what lies behind it must be reached.
 * Linked with --wrap=crypto_es256_verify.
 */
#ifndef CONCLAVE_TESTS_FUZZ_SIGNATURE_H
#define CONCLAVE_TESTS_FUZZ_SIGNATURE_H

#include "protocol/crypto.h"

enum cv_err __wrap_crypto_es256_verify(const uint8_t public_key[CV_ES256_PUBLIC_BYTES],
	const uint8_t hash[CV_HASH_BYTES], const uint8_t sig[CV_ES256_SIG_BYTES]);

#endif
