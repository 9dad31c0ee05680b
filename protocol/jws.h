/*
 * Compact JWS (RFC 7515) with ES256 and nothing else. The header is exactly {"alg":"ES256",
 * "typ":TYP} or, for documents signed by an operator, with "crt" (docs/protocol.md section 2).
 *
 * The signer is a callback so that the private key may be in a file, a TPM or a chip.
 *
 * Memory: the caller's, and scratch.h for the decoded header. On failure output buffers are zeroed.
 */
#ifndef CONCLAVE_PROTOCOL_JWS_H
#define CONCLAVE_PROTOCOL_JWS_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

struct jws_signer {
	/* Signs a SHA-256 hash; ES256, r || s. */
	enum cv_err (*sign)(void *context, const uint8_t hash[CV_HASH_BYTES],
		uint8_t sig[CV_ES256_SIG_BYTES]);
	void *context;
};

/* A signer over a raw private key, which must outlive it. */
struct jws_signer jws_key_signer(const uint8_t private_key[CV_ES256_PRIVATE_BYTES]);

/* crt is NULL for documents without it. Writes a NUL after *len characters; cap includes it. */
CV_MUST_CHECK enum cv_err jws_sign(char *out, size_t cap, size_t *len, const char *typ,
	const char *crt, const char *payload, size_t payload_len, const struct jws_signer *signer);

/*
 * Checks form, header and typ (CV_ERR_FORMAT, CV_ERR_ALGORITHM, CV_ERR_TYPE), then the signature
 * (CV_ERR_SIGNATURE) by public_key, and decodes the payload to the caller's buffer with a NUL after
 * it. The payload is not JSON-scanned here. A header with "crt" is CV_ERR_TYPE here.
 */
CV_MUST_CHECK enum cv_err jws_verify(const char *text, size_t len, const char *typ,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES], char *payload, size_t cap,
	size_t *payload_len);

struct cJSON;
/*
 * As jws_verify, and parses the payload (json_parse); *out belongs to the caller (json_free). A
 * text longer than max is CV_ERR_TOO_LONG.
 */
CV_MUST_CHECK enum cv_err jws_verify_json(struct cJSON **out, const char *text, size_t len,
	size_t max, const char *typ, const uint8_t public_key[CV_ES256_PUBLIC_BYTES]);

/* For documents with "crt": only takes the certificate out, verifying nothing. */
CV_MUST_CHECK enum cv_err jws_peek_crt(
	const char *text, size_t len, const char *typ, char *crt, size_t cap, size_t *crt_len);
/* As jws_verify, for a header that has "crt" (already verified by the caller). */
CV_MUST_CHECK enum cv_err jws_verify_crt(const char *text, size_t len, const char *typ,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES], char *payload, size_t cap,
	size_t *payload_len);

#endif
