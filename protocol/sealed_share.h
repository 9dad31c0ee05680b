/*
 * A share on its way from a gateway to a device: HPKE to the boot key, bound to this device,
 * gateway, volume, epoch, nonce, place in the set and share set (docs/protocol.md section 7).
 */
#ifndef CONCLAVE_PROTOCOL_SEALED_SHARE_H
#define CONCLAVE_PROTOCOL_SEALED_SHARE_H

#include "protocol/mac.h"
#include "protocol/message.h"

struct sealed_share_scope {
	struct mac_scope peers;
	const uint8_t *volume_id; /* CV_VOLUME_ID_BYTES */
	uint32_t epoch;
	const uint8_t *nonce; /* CV_NONCE_BYTES */
	uint8_t x;
	const uint8_t *share_set_hash; /* CV_HASH_BYTES */
};

CV_MUST_CHECK enum cv_err sealed_share_seal(uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES],
	const uint8_t boot_public[CV_X25519_BYTES], const struct sealed_share_scope *scope,
	const uint8_t share[CV_SECRET_BYTES]);
/*
 * boot_public belongs to boot_private. CV_ERR_SEAL, and share zeroed, if it does not open under
 * exactly this scope.
 */
CV_MUST_CHECK enum cv_err sealed_share_open(uint8_t share[CV_SECRET_BYTES],
	const uint8_t boot_private[CV_X25519_BYTES], const uint8_t boot_public[CV_X25519_BYTES],
	const struct sealed_share_scope *scope, const uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES]);

#endif
