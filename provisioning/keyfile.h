/*
 * The file that holds an actor's two private keys: one signs documents or commands, the other is
 * for TLS only (for the fleet's root: it signs TLS certificates).
 *
 * Sealed   "CVKEYS01", salt 16, nonce 24, then XChaCha20-Poly1305 over the 64 bytes of both
 *          scalars; key = Argon2id 1.3 of the passphrase, libsodium's MODERATE limits; AAD =
 *          lp("conclave-key-file-v1", magic, salt, nonce).
 * Plain    "CVKEYP01" and the 64 bytes, for whoever asked for no passphrase.
 */
#ifndef CONCLAVE_PROVISIONING_KEYFILE_H
#define CONCLAVE_PROVISIONING_KEYFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

struct key_pair { /* keep it in secret_alloc memory */
	uint8_t sign[CV_ES256_PRIVATE_BYTES];
	uint8_t tls[CV_ES256_PRIVATE_BYTES];
};

/* Makes both keys. */
CV_MUST_CHECK enum cv_err key_pair_generate(struct key_pair *keys);

/* A new file of mode 0600; passphrase NULL writes the plain form. CV_ERR_EXISTS. */
CV_MUST_CHECK enum cv_err keyfile_write(
	const char *path, const struct key_pair *keys, const char *passphrase);
CV_MUST_CHECK enum cv_err keyfile_is_sealed(const char *path, bool *sealed);
/*
 * passphrase may be NULL for the plain form. CV_ERR_SEAL: wrong passphrase or changed bytes;
 * CV_ERR_FORMAT: not a key file; CV_ERR_PERMISSION: others may read it. Zeroed on failure.
 */
CV_MUST_CHECK enum cv_err keyfile_read(
	struct key_pair *keys, const char *path, const char *passphrase);

#endif
