/*
 * A connection to a TPM 2.0 through tpm2-tss (ESAPI) and a TCTI string: "device:/dev/tpmrm0",
 * "swtpm:path=/run/x.sock", ...
 *
 * Every function here prints its own line. CV_ERR_BUSY: the same may work in a moment (busy, out of
 * room, reset while it was working). CV_ERR_TPM: it will not (absent, cleared, another TPM,
 * refuses). What was loaded into the TPM is flushed before a function returns, errors included:
 * without a resource manager nobody else would.
 *
 * Time     a TPM may take seconds for a key and is waited for at most TPM_TIMEOUT_MS a command.
 * Threads  one at a time.
 */
#ifndef CONCLAVE_DEVICE_TPM_H
#define CONCLAVE_DEVICE_TPM_H

#include <stddef.h>
#include <stdint.h>

#include <tss2/tss2_esys.h>

#include "device/tpm_state.h"
#include "protocol/enrol_tpm.h"

#define TPM_TIMEOUT_MS 30000

struct tpm {
	const char *name; /* the TCTI string, for messages */
	TSS2_TCTI_CONTEXT *inner;
	TSS2_TCTI_CONTEXT *timed; /* tpm_tcti.h, around `inner` */
	ESYS_CONTEXT *esys;
};

/* `tcti` must outlive the connection. tpm_close(NULL fields) is allowed. */
CV_MUST_CHECK enum cv_err tpm_open(struct tpm *t, const char *tcti);
void tpm_close(struct tpm *t);
/* Prints what `rc` means for whoever asked for `what`; CV_OK for success. */
CV_MUST_CHECK enum cv_err tpm_result(const struct tpm *t, TSS2_RC rc, const char *what);
/* A response code of the TPM itself, whichever handle, session or parameter it is about. */
int tpm_answered(TSS2_RC rc, TSS2_RC wanted);
/* Removes an object or session from the TPM and sets *handle to ESYS_TR_NONE; says nothing. */
void tpm_flush(const struct tpm *t, ESYS_TR *handle);

/* tpm_key.c */
/* A new quoting key under the endorsement key of `kind`; `ek` receives that key's TPMT_PUBLIC. */
CV_MUST_CHECK enum cv_err tpm_key_create(struct tpm *t, enum tpm_ek_kind kind,
	struct tpm_identity *id, uint8_t ek[TPM_EK_PUBLIC_MAX], size_t *ek_len);
/* Loads it. CV_ERR_TPM: another TPM, or cleared since. tpm_flush it. */
CV_MUST_CHECK enum cv_err tpm_key_load(
	struct tpm *t, const struct tpm_identity *id, ESYS_TR *ak);
/* TPM2_ActivateCredential. CV_ERR_TPM: the challenge is not for this TPM and key. */
CV_MUST_CHECK enum cv_err tpm_key_activate(struct tpm *t, const struct tpm_identity *id,
	const struct enrol_tpm_challenge *challenge, uint8_t secret[ENROL_TPM_SECRET_BYTES]);

/* tpm_nv.c */
/*
 * The certificate that the chip's maker left in NV memory: trailing fill is cut off. *len is 0 if
 * there is none for this kind of key.
 */
CV_MUST_CHECK enum cv_err tpm_ek_certificate(struct tpm *t, enum tpm_ek_kind kind,
	uint8_t out[ENROL_TPM_CERTIFICATE_MAX], size_t *len);

/* tpm_attest.c */
/* The boot id of trust class tpm, unsigned: the pair (resetCount, restartCount) of now. */
CV_MUST_CHECK enum cv_err tpm_boot_id_read(struct tpm *t, uint8_t boot_id[CV_BOOT_ID_BYTES]);
/*
 * Quotes over `binding`, from nothing: opens the TPM, loads the key, quotes, lets go of all of it.
 * `boot_id` receives the pair that the quote says. CV_ERR_BUSY: a PCR kept changing.
 */
CV_MUST_CHECK enum cv_err tpm_attest_once(const char *tcti, const struct tpm_identity *id,
	const uint8_t binding[CV_HASH_BYTES], struct tpm_quote *quote,
	uint8_t boot_id[CV_BOOT_ID_BYTES]);

#endif
