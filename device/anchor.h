/*
 * The anchor: the generation that the volume had at its last mount, kept by the gateways, so that
 * a container set back to an older copy is noticed (docs/protocol.md section 7).
 *
 * Text     "1.GENERATION.TAG": TAG is base64url of HKDF(MAC root, info lp("conclave-anchor-v1",
 *          fleet, device, volume id, generation)), 32 bytes. A gateway can neither make one nor
 *          change one; it can keep an old one back, so the newest of all answers counts.
 * Limits   whoever holds the device's MAC root can make anchors. What was written since the last
 *          mount is not covered.
 */
#ifndef CONCLAVE_DEVICE_ANCHOR_H
#define CONCLAVE_DEVICE_ANCHOR_H

#include "device/identity.h"
#include "protocol/message.h"

CV_MUST_CHECK enum cv_err anchor_make(
	char out[MESSAGE_ANCHOR_MAX + 1], const struct identity *id, uint64_t generation);
/* CV_ERR_FORMAT, or CV_ERR_MAC: not made by this device for this volume. */
CV_MUST_CHECK enum cv_err anchor_read(
	uint64_t *generation, const struct identity *id, const char *text);

#endif
