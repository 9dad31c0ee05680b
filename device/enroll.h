/*
 * The device's half of a TPM's enrolment (docs/protocol.md section 15). What an enrolment has made
 * so far lies in the folder `enroll` of the state directory until `install` takes it over:
 *
 *	attest.key      the key that will sign tokens; only its public half leaves the device
 *	tpm.json        the quoting key, which only this TPM can load
 *	challenge.json  the operator's challenge, once it was answered
 *	bundle          what came back online
 *	request.json    the request, byte for byte; written last: without it nothing is pending
 *
 * Every function prints its line.
 */
#ifndef CONCLAVE_DEVICE_ENROLL_H
#define CONCLAVE_DEVICE_ENROLL_H

#include "device/tpm_state.h"
#include "host/bundle.h"
#include "host/file.h"
#include "protocol/enrol_tpm.h"

struct enroll_text {
	char text[ENROL_TPM_TEXT_MAX + 1];
	size_t len;
};

struct enroll_options {
	const char *state_dir;
	const char *tcti;
	const char *ek_kind;	      /* "rsa", "ecc"; NULL: the one with a certificate, else ecc */
	const char *certificate_file; /* DER; NULL: from the TPM's NV memory, if it is there */
};

/* Makes both keys and the request. What an earlier request made is void from then on. */
CV_MUST_CHECK enum cv_err enroll_request(
	const struct enroll_options *o, struct enroll_text *request);
/* Lets the TPM answer. CV_ERR_MISMATCH: the challenge is for another request. */
CV_MUST_CHECK enum cv_err enroll_respond(const struct enroll_options *o,
	const struct enroll_text *challenge, struct enroll_text *response);
/* True if there is an enrolment that waits for its bundle. */
bool enroll_is_pending(const char *state_dir);
/* What opens that bundle; the TPM must be there for it. `out` is secret. */
CV_MUST_CHECK enum cv_err enroll_passphrase(
	const struct enroll_options *o, char out[BUNDLE_PASSPHRASE_BUF]);
/* Adds attest.key and tpm.json of the pending enrolment. CV_ERR_EXISTS: it has them already. */
CV_MUST_CHECK enum cv_err enroll_add_files(const char *state_dir, struct bundle *bundle);
/* Where a bundle that came online is put until it is installed: removed with the folder. */
CV_MUST_CHECK enum cv_err enroll_bundle_path(const char *state_dir, char out[FILE_PATH_BUF]);
/* Removes the folder; none there is CV_OK. */
CV_MUST_CHECK enum cv_err enroll_forget(const char *state_dir);

#endif
