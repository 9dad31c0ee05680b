/* One authenticated request outside the handshake: events and status. */
#ifndef CONCLAVE_MCU_CALL_H
#define CONCLAVE_MCU_CALL_H

#include "link.h"

/*
 * CV_OK: the gateway answered 200 under a valid MAC; the body is in l->answer. CV_ERR_DENIED: it
 * answered something else under a valid MAC. CV_ERR_UNREACHABLE, CV_ERR_MAC: that counts as no
 * answer. Blocks for CV_GATEWAY_TIMEOUT_MS at most.
 */
CV_MUST_CHECK enum cv_err call_make(
	struct link *l, size_t member, const char *target, const char *body, size_t body_len);

#endif
