/*
 * TPM2_MakeCredential without a TPM: a secret that only the TPM with this endorsement key opens,
 * and only while it holds the key of this name.
 *
 * Source   TCG TPM 2.0 Library rev 1.59, part 1: section 24 (credential protection), 11.4.10 (KDFa,
 *          KDFe), B.10.3 and C.6.3 (secret sharing by RSA and ECC).
 * Errors   CV_ERR_CRYPTO: OpenSSL failed; CV_ERR_RANGE: the endorsement key is not a point of P-256
 *          or not a usable modulus. Prints nothing.
 */
#ifndef CONCLAVE_PROVISIONING_TPM_CREDENTIAL_H
#define CONCLAVE_PROVISIONING_TPM_CREDENTIAL_H

#include "protocol/enrol_tpm.h"

#define TPM_SEED_BYTES 32

/* Fills `credential` and `seed` of the challenge for a secret of ENROL_TPM_SECRET_BYTES. */
CV_MUST_CHECK enum cv_err tpm_credential_make(struct enrol_tpm_challenge *challenge,
	const struct tpm_ek *ek, const uint8_t ak_name[TPM_NAME_BYTES],
	const uint8_t secret[ENROL_TPM_SECRET_BYTES]);

/* The parts that are the same each time, for vectors. */
CV_MUST_CHECK enum cv_err tpm_credential_wrap(struct enrol_tpm_challenge *challenge,
	const uint8_t seed[TPM_SEED_BYTES], const uint8_t ak_name[TPM_NAME_BYTES],
	const uint8_t secret[ENROL_TPM_SECRET_BYTES]);
/* KDFe: z is the x-coordinate of the shared point, as are the two of the public keys. */
CV_MUST_CHECK enum cv_err tpm_credential_ecc_seed(uint8_t seed[TPM_SEED_BYTES],
	const uint8_t z[32], const uint8_t ephemeral_x[32], const uint8_t ek_x[32]);

#endif
