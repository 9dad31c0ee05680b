/*
 * A TPM 2.0 quote and the key that signs it (docs/protocol.md section 13): bounded decoding and
 * every check that needs no policy.
 *
 * Source   TCG TPM 2.0 Library rev 1.59: part 1 section 16 (names), part 2 sections 10.12.12
 *          (TPMS_ATTEST), 11.3.4 (TPMT_SIGNATURE), 12.2.4 (TPMT_PUBLIC).
 * Form     one of each: ECC P-256, ECDSA, SHA-256; the PCRs 0 .. 9 and 11 .. 15 of the SHA-256
 *          bank, always all of them. 10 changes with each file that IMA measures, so reading and
 *          quoting it would race; 16 and above can be reset without a reboot: they prove nothing.
 * Pure     no TPM library, no I/O; the caller's memory. Big-endian throughout, nothing secret.
 */
#ifndef CONCLAVE_PROTOCOL_TPM_QUOTE_H
#define CONCLAVE_PROTOCOL_TPM_QUOTE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/eventlog.h"
#include "protocol/limits.h"
#include "protocol/reason.h"

#define TPM_NAME_BYTES (2 + CV_HASH_BYTES) /* nameAlg, digest */
#define TPM_PUBLIC_MAX 128		   /* TPMT_PUBLIC of a quoting key: 88 without a policy */
#define TPM_ATTEST_MAX 256		   /* TPMS_ATTEST of a quote: 145 as these keys make it */
#define TPM_SIGNATURE_MAX 72		   /* TPMT_SIGNATURE: 8 bytes of headers, r, s */
#define TPM_PCR_COUNT 15
#define TPM_PCR_BYTES (TPM_PCR_COUNT * CV_HASH_BYTES)
#define TPM_SELECTION_BYTES 3

struct tpm_ak {
	uint8_t public_key[CV_ES256_PUBLIC_BYTES];
	uint8_t name[TPM_NAME_BYTES];
};

/* What travels beside a token. */
struct tpm_quote {
	size_t attest_len;
	uint8_t attest[TPM_ATTEST_MAX];
	size_t signature_len;
	uint8_t signature[TPM_SIGNATURE_MAX];
	uint8_t pcrs[TPM_PCR_COUNT][CV_HASH_BYTES]; /* in rising order of their numbers */
	uint8_t has_events;
	struct eventlog events; /* what the values are said to come from */
};

struct tpm_attest {
	uint8_t signer[TPM_NAME_BYTES]; /* qualified name */
	uint8_t extra_data[CV_HASH_BYTES];
	uint64_t clock_ms;
	uint32_t reset_count;
	uint32_t restart_count;
	/* 0 for up to an hour after a power cut: worth recording, never a reason to refuse */
	uint8_t safe;
	uint64_t firmware;
	uint8_t selection[TPM_SELECTION_BYTES]; /* of the SHA-256 bank */
	uint8_t pcr_digest[CV_HASH_BYTES];
};

/* Position of a PCR among the quoted ones, -1 for one that is never quoted. */
int tpm_pcr_position(unsigned int pcr);
/* The reverse, for 0 .. TPM_PCR_COUNT - 1. */
unsigned int tpm_pcr_number(size_t position);
void tpm_pcr_selection(uint8_t out[TPM_SELECTION_BYTES]);

/*
 * Decodes the TPMT_PUBLIC of an attestation key: restricted, signing, fixedTPM, fixedParent,
 * sensitiveDataOrigin, not decrypting, ECDSA with SHA-256 over a point of P-256, name by SHA-256.
 * CV_ERR_FORMAT: form; CV_ERR_ALGORITHM: another algorithm or curve; CV_ERR_ROLE: attributes.
 */
CV_MUST_CHECK enum cv_err tpm_ak_decode(struct tpm_ak *ak, const uint8_t *area, size_t len);

/* Name of an object: SHA-256 as nameAlg over its TPMT_PUBLIC, whatever that says. */
CV_MUST_CHECK enum cv_err tpm_name(
	uint8_t out[TPM_NAME_BYTES], const uint8_t *area, size_t len);

/*
 * The qualified name of a child of the endorsement key, itself a primary key of the endorsement
 * hierarchy. The TPM puts the signer's into each quote: so a quote says where its key is.
 */
CV_MUST_CHECK enum cv_err tpm_qualified_name(uint8_t out[TPM_NAME_BYTES],
	const uint8_t ek_name[TPM_NAME_BYTES], const uint8_t ak_name[TPM_NAME_BYTES]);

/* What extraData must be: SHA-256(lp("conclave-tpm-v1", token)), for 1 .. CV_EVIDENCE_MAX bytes. */
CV_MUST_CHECK enum cv_err tpm_quote_binding(
	uint8_t out[CV_HASH_BYTES], const char *token, size_t token_len);

/* 16 bytes: resetCount and restartCount as u64. As bytes they compare as the pair does. */
void tpm_boot_id(
	uint8_t out[CV_BOOT_ID_BYTES], uint32_t reset_count, uint32_t restart_count);

/*
 * Form only. REASON_RELEASE, REASON_QUOTE_FORMAT, REASON_QUOTE_TYPE (not made inside a TPM, or no
 * quote), REASON_QUOTE_ALGORITHM (a name by another hash), REASON_QUOTE_SELECTION (more than one
 * bank, or another than SHA-256). *out is set on success only.
 */
enum reason tpm_attest_decode(struct tpm_attest *out, const uint8_t *data, size_t len);

/*
 * Everything but policy and boot rule: algorithm, signature over the exact bytes, form, magic and
 * type, the key's place under this endorsement key, the token, the selection, the digest of the
 * values. REASON_RELEASE if all hold; *out is set then only. REASON_INTERNAL if crypto failed.
 */
enum reason tpm_quote_verify(struct tpm_attest *out, const struct tpm_quote *quote,
	const struct tpm_ak *ak, const uint8_t ek_name[TPM_NAME_BYTES], const char *token,
	size_t token_len);

#endif
