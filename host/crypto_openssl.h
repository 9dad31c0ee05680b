/*
 * Between the two halves of the host's protocol/crypto.h: the part over OpenSSL's P-256.
 */
#ifndef CONCLAVE_HOST_CRYPTO_OPENSSL_H
#define CONCLAVE_HOST_CRYPTO_OPENSSL_H

#include "protocol/err.h"

/* Called once, by crypto_init. */
CV_MUST_CHECK enum cv_err crypto_es256_init(void);

#endif
