/*
 * How a TPM proves itself to the operator who enrols it (docs/protocol.md section 15): request,
 * challenge, response, and what both sides derive from the challenge's secret.
 *
 * Each message is one JSON text; its exact bytes are hashed into what comes after it. Encoders
 * write a NUL after *len bytes. Decoders set their output on success only. Errors: CV_ERR_FORMAT,
 * CV_ERR_TYPE, CV_ERR_RANGE, CV_ERR_TOO_LONG.
 */
#ifndef CONCLAVE_PROTOCOL_ENROL_TPM_H
#define CONCLAVE_PROTOCOL_ENROL_TPM_H

#include "protocol/message.h"
#include "protocol/tpm_ek.h"

#define ENROL_TPM_TEXT_MAX 8192	       /* any of the three */
#define ENROL_TPM_CERTIFICATE_MAX 4096 /* DER; chips' own have 0.8 to 1.5 KiB */
#define ENROL_TPM_SECRET_BYTES 32
#define ENROL_TPM_CREDENTIAL_MAX 80 /* TPMS_ID_OBJECT: 2 + 32, 2 + 32 encrypted */
#define ENROL_TPM_SEED_MAX 256	    /* TPM2B_ENCRYPTED_SECRET without its size: 256 (RSA), 68 (ECC) */
#define ENROL_TPM_BUNDLE_KEY_BYTES 16

struct enrol_tpm_request { /* what the device says; nothing in it is believed yet */
	size_t ek_len;
	uint8_t ek[TPM_EK_PUBLIC_MAX]; /* TPMT_PUBLIC */
	size_t certificate_len;	       /* 0: the chip has none */
	uint8_t certificate[ENROL_TPM_CERTIFICATE_MAX];
	size_t ak_len;
	uint8_t ak[TPM_PUBLIC_MAX];
	uint8_t attestation_key[CV_ES256_PUBLIC_BYTES];
};

struct enrol_tpm_challenge {
	char fleet[CV_ID_BUF];
	char device[CV_ID_BUF];
	uint8_t request_hash[CV_HASH_BYTES]; /* SHA-256 of the request's text */
	size_t credential_len;
	uint8_t credential[ENROL_TPM_CREDENTIAL_MAX]; /* TPM2B_ID_OBJECT without its size */
	size_t seed_len;
	uint8_t seed[ENROL_TPM_SEED_MAX];
};

struct enrol_tpm_response {
	uint8_t proof[CV_HASH_BYTES];
	struct tpm_quote quote;
};

CV_MUST_CHECK enum cv_err enrol_tpm_request_encode(
	char *out, size_t cap, size_t *len, const struct enrol_tpm_request *m);
CV_MUST_CHECK enum cv_err enrol_tpm_request_decode(
	struct enrol_tpm_request *m, const char *text, size_t len);
CV_MUST_CHECK enum cv_err enrol_tpm_challenge_encode(
	char *out, size_t cap, size_t *len, const struct enrol_tpm_challenge *m);
CV_MUST_CHECK enum cv_err enrol_tpm_challenge_decode(
	struct enrol_tpm_challenge *m, const char *text, size_t len);
CV_MUST_CHECK enum cv_err enrol_tpm_response_encode(
	char *out, size_t cap, size_t *len, const struct enrol_tpm_response *m);
CV_MUST_CHECK enum cv_err enrol_tpm_response_decode(
	struct enrol_tpm_response *m, const char *text, size_t len);

/* The exchange that proof, quote and bundle key are bound to: the ids and both texts by hash. */
struct enrol_tpm_transcript {
	const char *fleet;
	const char *device;
	uint8_t request_hash[CV_HASH_BYTES];
	uint8_t challenge_hash[CV_HASH_BYTES];
};

#define ENROL_TPM_TRANSCRIPT_MAX 256

/* What the quote of a response covers, in the place of a token. */
CV_MUST_CHECK enum cv_err enrol_tpm_quoted(uint8_t out[ENROL_TPM_TRANSCRIPT_MAX], size_t *len,
	const struct enrol_tpm_transcript *t);
/* Shows that the secret came out of the TPM. */
CV_MUST_CHECK enum cv_err enrol_tpm_proof(uint8_t proof[CV_HASH_BYTES],
	const uint8_t secret[ENROL_TPM_SECRET_BYTES], const struct enrol_tpm_transcript *t);
/* The raw bytes of the bundle's passphrase: who cannot activate the credential cannot open it. */
CV_MUST_CHECK enum cv_err enrol_tpm_bundle_key(uint8_t key[ENROL_TPM_BUNDLE_KEY_BYTES],
	const uint8_t secret[ENROL_TPM_SECRET_BYTES], const struct enrol_tpm_transcript *t);

#endif
