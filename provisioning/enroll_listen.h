/*
 * The three messages and the bundle over one connection that a one-time token opens
 * (host/psk_link.h). The token is shown once, serves one device, and ends with the deadline. Whose
 * TPM it is, is judged as with files: the token lets nobody in. Prints its lines.
 */
#ifndef CONCLAVE_PROVISIONING_ENROLL_LISTEN_H
#define CONCLAVE_PROVISIONING_ENROLL_LISTEN_H

#include "host/psk_link.h"
#include "provisioning/enroll.h"

#define ENROLL_LISTEN_MS 600000	   /* for the device to come, and to answer */
#define ENROLL_HANDSHAKE_MS 10000 /* for one caller to show that it has the token */
#define ENROLL_STRANGERS_MAX 32   /* callers without it, before the token ends */

/* Shows the token, waits, and fills `proof`; *link stays open for enroll_deliver. */
CV_MUST_CHECK enum cv_err enroll_listen(struct psk_link **link, struct context *ctx,
	const struct enroll_case *c, const char *address, struct enroll_proof *proof);
/* A device that is gone by then can still be brought its bundle by hand: a warning, and CV_OK. */
CV_MUST_CHECK enum cv_err enroll_deliver(
	struct psk_link *link, const char *device, const char *bundle);

#endif
