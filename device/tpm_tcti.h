/*
 * A TCTI around another one that does not wait for ever: ESAPI's calls block, and tcti-swtpm
 * ignores the timeout it is given.
 */
#ifndef CONCLAVE_DEVICE_TPM_TCTI_H
#define CONCLAVE_DEVICE_TPM_TCTI_H

#include <tss2/tss2_tcti.h>

#include "protocol/err.h"

/* `inner` stays the caller's, and open for as long as *out. */
CV_MUST_CHECK enum cv_err tpm_tcti_open(
	TSS2_TCTI_CONTEXT **out, TSS2_TCTI_CONTEXT *inner, int timeout_ms);
void tpm_tcti_close(TSS2_TCTI_CONTEXT *tcti);

#endif
