/*
 * The layers of the sandbox, one function each. On failure `why` holds a phrase.
 */
#ifndef CONCLAVE_HOST_SANDBOX_INTERNAL_H
#define CONCLAVE_HOST_SANDBOX_INTERNAL_H

#include "host/sandbox.h"

#define SANDBOX_WHY_MAX 160

CV_MUST_CHECK enum cv_err sandbox_landlock(
	char why[SANDBOX_WHY_MAX], const struct sandbox_spec *spec);
CV_MUST_CHECK enum cv_err sandbox_seccomp(
	char why[SANDBOX_WHY_MAX], enum sandbox_profile profile);

#endif
