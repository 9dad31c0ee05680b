/*
 * The gateway's TLS key, its certificate request, and what is asked of certificates.
 *
 * Names    docs/protocol.md section 3: URI spiffe://FLEET/gateway/ID and one DNS name for a
 *          gateway, URI spiffe://FLEET/operator/ID for an operator; issued by the fleet's root
 *          directly.
 * Dates    never decide here: a gateway's clock can be years off after a power cut.
 * Errors   one line in `why`.
 */
#ifndef CONCLAVE_GATEWAY_TLS_CERT_H
#define CONCLAVE_GATEWAY_TLS_CERT_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define TLS_WHY_MAX 256
#define TLS_PEM_MAX 16384

/* Makes a P-256 key in a new file of mode 0600; CV_OK if one is there already. */
CV_MUST_CHECK enum cv_err tls_key_make(const char *path, char why[TLS_WHY_MAX]);
/* The caller's to EVP_PKEY_free; must be P-256. */
CV_MUST_CHECK enum cv_err tls_key_read(EVP_PKEY **out, const char *path, char why[TLS_WHY_MAX]);
/* A request (PKCS #10) with CN=`gateway`; CV_OK if the file is there already. */
CV_MUST_CHECK enum cv_err tls_csr_make(const char *path, const char *key_path, const char *gateway,
	char why[TLS_WHY_MAX]);
/* The caller's to X509_REQ_free. */
CV_MUST_CHECK enum cv_err tls_csr_read(X509_REQ **out, const char *path, char why[TLS_WHY_MAX]);
/* malloc'ed. */
CV_MUST_CHECK enum cv_err tls_csr_der(uint8_t **der, size_t *len, const X509_REQ *csr);

/* Exactly one certificate in the text. The caller's to X509_free. */
CV_MUST_CHECK enum cv_err tls_certificate_parse(
	X509 **out, const char *pem, size_t len, char why[TLS_WHY_MAX]);
CV_MUST_CHECK enum cv_err tls_certificate_read(
	X509 **out, const char *path, char why[TLS_WHY_MAX]);

/* The gateway's own certificate: key, issuer, names and use. */
CV_MUST_CHECK enum cv_err tls_gateway_certificate_check(X509 *cert, X509 *root, EVP_PKEY *key,
	const char *fleet, const char *gateway, char why[TLS_WHY_MAX]);
/* The operator's id in a client certificate whose chain was verified. CV_ERR_MISMATCH. */
CV_MUST_CHECK enum cv_err tls_operator_id(
	char out[CV_ID_BUF], X509 *cert, const char *fleet);
/* Seconds since 1970 of notAfter, 0 if it cannot be said. */
uint64_t tls_not_after_s(const X509 *cert);

#endif
