/*
 * Who this device is: the values of docs/protocol.md section 11, read from non-volatile memory and
 * checked (signature of the share set by the pinned fleet root, ids that agree).
 *
 * Holds secrets (pairwise MAC keys): wipe with identity_wipe.
 */
#ifndef CONCLAVE_MCU_IDENTITY_H
#define CONCLAVE_MCU_IDENTITY_H

#include "protocol/share_set.h"

#define ADDRESS_BUF 80

struct identity {
	char fleet[CV_ID_BUF];
	char device[CV_ID_BUF];
	struct share_set set;
	uint8_t mac_keys[CV_MEMBERS_MAX][CV_MAC_KEY_BYTES];
	char addresses[CV_MEMBERS_MAX][ADDRESS_BUF]; /* "" = not known */
};

/* problem: what could not be used, in words; static storage. */
CV_MUST_CHECK enum cv_err identity_load(struct identity *id, const char **problem);
void identity_wipe(struct identity *id);

#endif
