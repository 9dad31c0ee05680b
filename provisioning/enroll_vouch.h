/* Whether an endorsement key is let in. Prints its line. */
#ifndef CONCLAVE_PROVISIONING_ENROLL_VOUCH_H
#define CONCLAVE_PROVISIONING_ENROLL_VOUCH_H

#include "provisioning/enroll.h"

/*
 * *how receives "list" or "certificate" (static). CV_ERR_DENIED: neither the fleet's list nor a
 * manufacturer's certificate speaks for it; CV_ERR_EXISTS: another device of the fleet has this
 * TPM.
 */
CV_MUST_CHECK enum cv_err enroll_vouch(const char **how, const struct enroll_case *c,
	const struct enrol_tpm_request *request, const struct tpm_ek *ek);

#endif
