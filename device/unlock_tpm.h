/* What trust class tpm adds to an unlock: the boot id of the TPM, and a quote over each token. */
#ifndef CONCLAVE_DEVICE_UNLOCK_TPM_H
#define CONCLAVE_DEVICE_UNLOCK_TPM_H

#include "device/unlock.h"

/*
 * u->boot_id from the TPM, unsigned. A TPM that is busy leaves it zero, with a warning: the first
 * quote tells it.
 */
CV_MUST_CHECK enum cv_err unlock_tpm_boot_id(struct unlock *u);
/* handshake_config.make_quote; `context` is the struct unlock. */
CV_MUST_CHECK enum cv_err unlock_tpm_quote(
	void *context, struct tpm_quote *quote, const char *token, size_t token_len);

#endif
