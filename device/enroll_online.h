/* The whole of an enrolment over the connection that a one-time token opens. Prints its lines. */
#ifndef CONCLAVE_DEVICE_ENROLL_ONLINE_H
#define CONCLAVE_DEVICE_ENROLL_ONLINE_H

#include "device/enroll.h"

#define ENROLL_CONNECT_MS 10000
#define ENROLL_ANSWER_MS 60000	 /* for the operator's program to check a request */
#define ENROLL_BUNDLE_MS 3600000 /* it makes and fills a volume in between */

/*
 * Reads the token from `token_fd`, proves the TPM, and leaves the bundle at enroll_bundle_path.
 * CV_ERR_DENIED: the operator's end hung up, and says there why.
 */
CV_MUST_CHECK enum cv_err enroll_online(const struct enroll_options *o, int token_fd);

#endif
