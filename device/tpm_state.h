/*
 * tpm.json of the state directory (docs/protocol.md section 11): which TPM this device has, and its
 * quoting key. Prints nothing.
 */
#ifndef CONCLAVE_DEVICE_TPM_STATE_H
#define CONCLAVE_DEVICE_TPM_STATE_H

#include "protocol/tpm_ek.h"

#define TPM_STATE_NAME "tpm.json"
#define TPM_PRIVATE_MAX 512 /* TPM2B_PRIVATE without its size; only that TPM can open it */

struct tpm_identity {
	enum tpm_ek_kind kind;
	uint8_t ek_name[TPM_NAME_BYTES];
	size_t ak_len;
	uint8_t ak[TPM_PUBLIC_MAX]; /* TPMT_PUBLIC */
	size_t private_len;
	uint8_t private[TPM_PRIVATE_MAX];
};

/* Errors as jsonfile_read; CV_ERR_TYPE, CV_ERR_FORMAT for members that are not as they must be. */
CV_MUST_CHECK enum cv_err tpm_state_read(struct tpm_identity *id, const char *path);
/* Atomic and durable, mode 0600. */
CV_MUST_CHECK enum cv_err tpm_state_write(const char *path, const struct tpm_identity *id);

#endif
