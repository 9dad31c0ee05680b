/*
 * The sealed settings blob of a microcontroller (docs/protocol.md section 12): what its unlock
 * secret opens instead of a volume.
 *
 * blob = "CVSET1" 0 0 (8) || nonce (12) || ciphertext || tag (16). `device add --mcu` seals it, the
 * microcontroller client opens it.
 */
#ifndef CONCLAVE_PROTOCOL_SETTINGS_H
#define CONCLAVE_PROTOCOL_SETTINGS_H

#include "protocol/share_set.h"

#define SETTINGS_PLAIN_MAX 2048
#define SETTINGS_OVERHEAD 36
#define SETTINGS_BLOB_MAX (SETTINGS_PLAIN_MAX + SETTINGS_OVERHEAD)

/* blob gets len + SETTINGS_OVERHEAD bytes. CV_ERR_TOO_LONG over SETTINGS_PLAIN_MAX. */
CV_MUST_CHECK enum cv_err settings_seal(uint8_t *blob, const struct share_set *set,
	const uint8_t secret[CV_SECRET_BYTES], const uint8_t *plain, size_t len);
/* plain gets blob_len - SETTINGS_OVERHEAD bytes. CV_ERR_FORMAT (not a blob), CV_ERR_SEAL (wrong
 * secret, other device or epoch, changed bytes). */
CV_MUST_CHECK enum cv_err settings_open(uint8_t *plain, const struct share_set *set,
	const uint8_t secret[CV_SECRET_BYTES], const uint8_t *blob, size_t blob_len);

#endif
