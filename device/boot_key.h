/*
 * The X25519 key pair of this boot (docs/protocol.md section 3): made once, kept only in RAM-backed
 * storage, so that a crashed unlocker and a second mount in one boot come back with the same key.
 *
 * Kept in the run directory if statfs calls it tmpfs, else in /dev/shm, else nowhere.
 */
#ifndef CONCLAVE_DEVICE_BOOT_KEY_H
#define CONCLAVE_DEVICE_BOOT_KEY_H

#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

struct boot_key { /* in locked memory */
	uint8_t private_key[CV_X25519_BYTES];
	uint8_t public_key[CV_X25519_BYTES];
};

/* Loads this boot's key or makes it; prints a warning if it can be kept nowhere. */
CV_MUST_CHECK enum cv_err boot_key_load(struct boot_key *key, const char *run_dir,
	const char *state_dir, const uint8_t boot_id[CV_BOOT_ID_BYTES]);
/* Removes it everywhere; none there, or no such device, is CV_OK. */
CV_MUST_CHECK enum cv_err boot_key_forget(const char *run_dir, const char *state_dir);

#endif
