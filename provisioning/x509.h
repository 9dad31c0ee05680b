/*
 * The fleet's TLS certificates (RFC 5280): a P-256 root, and leaves issued directly from it with a
 * SPIFFE URI and, for a gateway, a DNS name (docs/protocol.md section 3).
 *
 * Written with OpenSSL, which the operators' client links for TLS anyway: mbedTLS 2.28 writes a
 * URI into subjectAltName only from hand-made DER, and its calls for it differ in 3.6.
 *
 * Memory   PEM texts are malloc'ed, NUL-terminated, the caller's to free.
 * Errors   CV_ERR_CRYPTO: OpenSSL failed; CV_ERR_FORMAT: not PEM of the right kind;
 *          CV_ERR_SIGNATURE: a request that is not signed by its own key; CV_ERR_ALGORITHM: a key
 *          that is not P-256.
 */
#ifndef CONCLAVE_PROVISIONING_X509_H
#define CONCLAVE_PROVISIONING_X509_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

struct x509_leaf {
	const char *common_name;
	const char *uri;
	const char *dns;	   /* NULL for an operator: then clientAuth, else serverAuth */
	const uint8_t *public_key; /* CV_ES256_PUBLIC_BYTES */
	uint64_t not_after_s;
};

/* A self-signed root for 20 years. */
CV_MUST_CHECK enum cv_err x509_root_create(
	char **pem, const char *fleet, const uint8_t root_key[CV_ES256_PRIVATE_BYTES]);
CV_MUST_CHECK enum cv_err x509_leaf_issue(char **pem, const struct x509_leaf *leaf,
	const char *root_pem, const uint8_t root_key[CV_ES256_PRIVATE_BYTES]);
/*
 * Takes a certificate request apart: its DER (malloc'ed, for the fingerprint) and its key, after
 * checking that the request is signed by that key.
 */
CV_MUST_CHECK enum cv_err x509_request_read(uint8_t **der, size_t *der_len,
	uint8_t public_key[CV_ES256_PUBLIC_BYTES], const char *pem);

#endif
