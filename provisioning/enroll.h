/*
 * The operator's half of a TPM's enrolment (docs/protocol.md section 15). Between challenge and
 * response FLEET/enrolments/ID.json holds both texts and a salt; the challenge's secret is made
 * anew from the salt and the operator's key, so that it lies nowhere.
 *
 *	FLEET/tpm-roots/   manufacturers' certificates (ek_certificate.h)
 *	FLEET/tpm-allow    TPMs that are let in by name (ek_allow.h)
 *
 * Every function prints its line.
 */
#ifndef CONCLAVE_PROVISIONING_ENROLL_H
#define CONCLAVE_PROVISIONING_ENROLL_H

#include "host/bundle.h"
#include "protocol/enrol.h"
#include "protocol/enrol_tpm.h"
#include "provisioning/operator.h"

struct enroll_text {
	char text[ENROL_TPM_TEXT_MAX + 1];
	size_t len;
};

struct enroll_case { /* who enrols what */
	const struct fleet *fleet;
	const struct operator *op;
	const char *device;
};

/* What a TPM has shown: keep it in secret_alloc memory. */
struct enroll_proof {
	struct enrolment_tpm tpm;
	uint8_t attestation_key[CV_ES256_PUBLIC_BYTES];
	struct tpm_quote quote; /* of the moment of the enrolment: its PCR values, its firmware */
	struct tpm_attest attest;
	char vouched[16];			  /* "certificate" or "list" */
	char passphrase[BUNDLE_PASSPHRASE_BUF]; /* of the bundle: only that TPM can make it */
};

CV_MUST_CHECK enum cv_err enroll_text_read(struct enroll_text *out, const char *path);
/*
 * Checks the request: the endorsement key is vouched for, no other device of the fleet has it, the
 * quoting key is one that only quotes. CV_ERR_DENIED: not believed. Then makes the challenge and
 * notes it, in the place of an earlier one for this device.
 */
CV_MUST_CHECK enum cv_err enroll_challenge(const struct enroll_case *c,
	const struct enroll_text *request, struct enroll_text *challenge);
/*
 * Checks the response. CV_ERR_DENIED: not by the TPM that was asked: the challenge is spent, and
 * nothing is left of it.
 */
CV_MUST_CHECK enum cv_err enroll_response(const struct enroll_case *c,
	const struct enroll_text *response, struct enroll_proof *proof);
/* The device is enrolled: removes the note. */
CV_MUST_CHECK enum cv_err enroll_done(const struct enroll_case *c);

/*
 * devices/ID/tpm.json: which TPM the device has, for `device show` and so that no TPM is enrolled
 * twice. Written into `dir`.
 */
CV_MUST_CHECK enum cv_err enroll_record_write(const char *dir, const struct enroll_proof *proof);

#endif
