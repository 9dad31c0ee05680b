/*
 * The endorsement key of a TPM 2.0, made from one of the two templates that chips come with
 * (docs/protocol.md section 15).
 *
 * Source   TCG EK Credential Profile 2.5, templates L-1 (RSA 2048) and L-2 (ECC P-256): restricted,
 *          decrypting, usable under PolicySecret(endorsement hierarchy) only.
 * Pure     as tpm_quote.h.
 */
#ifndef CONCLAVE_PROTOCOL_TPM_EK_H
#define CONCLAVE_PROTOCOL_TPM_EK_H

#include "protocol/tpm_quote.h"

#define TPM_EK_PUBLIC_MAX 320 /* TPMT_PUBLIC: 314 (RSA), 122 (ECC) */
#define TPM_EK_KEY_MAX 256

enum tpm_ek_kind {
	TPM_EK_RSA = 1,
	TPM_EK_ECC
};

struct tpm_ek {
	enum tpm_ek_kind kind;
	uint8_t name[TPM_NAME_BYTES];
	size_t key_len;
	uint8_t key[TPM_EK_KEY_MAX]; /* modulus (exponent 65537), or the uncompressed point */
};

/* "rsa", "ecc"; 0 for another word. */
const char *tpm_ek_kind_name(enum tpm_ek_kind kind);
enum tpm_ek_kind tpm_ek_kind_parse(const char *name);

/* The TPMT_PUBLIC from which TPM2_CreatePrimary makes the key: the unique field is zero. */
void tpm_ek_template(uint8_t out[TPM_EK_PUBLIC_MAX], size_t *len, enum tpm_ek_kind kind);

/*
 * Takes exactly a key of one of the templates. CV_ERR_TOO_LONG, CV_ERR_FORMAT: cut short or bytes
 * left over; CV_ERR_ALGORITHM: not one of the templates; CV_ERR_RANGE: a modulus that is short or
 * even.
 */
CV_MUST_CHECK enum cv_err tpm_ek_decode(struct tpm_ek *ek, const uint8_t *area, size_t len);

#endif
