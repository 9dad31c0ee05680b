/*
 * The device bundle: a few named files (MAC root, attestation key, roots, share set, addresses)
 * that travel from the operator to the device, encrypted under a generated passphrase.
 *
 * Form     16 bytes of header: "CVBUNDLE", u16 version 1, u16 kdf 1, u32 0 (big-endian); salt 16;
 *          nonce 24; then XChaCha20-Poly1305 (libsodium, RFC 8439 construction with HChaCha20)
 *          over lp("conclave-bundle-v1", count, name, data, ...). AAD = header, salt, nonce.
 *          Key = Argon2id 1.3 (RFC 9106) of the passphrase's 16 raw bytes, libsodium's MODERATE
 *          limits (3 passes, 256 MiB).
 * Phrase   128 random bits in base32 (RFC 4648), 26 characters: XXXXX-XXXXX-XXXXX-XXXXX-XXXXXX.
 *          Reading takes lower case, and any spaces and dashes.
 * Names    [a-z0-9][a-z0-9._-]{0,62}, with one level of folder allowed ("roots/tls.pem"); no "..".
 */
#ifndef CONCLAVE_HOST_BUNDLE_H
#define CONCLAVE_HOST_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define BUNDLE_NAME_BUF 64
#define BUNDLE_FILES_MAX 32
#define BUNDLE_MAX 262144	 /* encoded size; edge devices lock little memory */
#define BUNDLE_PASSPHRASE_BYTES 16
#define BUNDLE_PASSPHRASE_BUF 32 /* 26 characters, 4 dashes, NUL */

struct bundle_file {
	char name[BUNDLE_NAME_BUF];
	uint8_t *data; /* secret_alloc */
	size_t len;
};

struct bundle {
	struct bundle_file files[BUNDLE_FILES_MAX];
	size_t count;
};

/* Copies data; CV_ERR_EXISTS for a name given twice, CV_ERR_FORMAT for a bad name. */
CV_MUST_CHECK enum cv_err bundle_add(
	struct bundle *b, const char *name, const void *data, size_t len);
/* NULL if there is no such file. */
const struct bundle_file *bundle_find(const struct bundle *b, const char *name);
void bundle_wipe(struct bundle *b);

/* Raw bytes as a passphrase's text. */
void bundle_passphrase_encode(
	char out[BUNDLE_PASSPHRASE_BUF], const uint8_t raw[BUNDLE_PASSPHRASE_BYTES]);
CV_MUST_CHECK enum cv_err bundle_passphrase_generate(char out[BUNDLE_PASSPHRASE_BUF]);

/* *out is malloc'ed ciphertext, the caller's to free. */
CV_MUST_CHECK enum cv_err bundle_seal(
	uint8_t **out, size_t *len, const struct bundle *b, const char *passphrase);
/*
 * CV_ERR_FORMAT: not a bundle; CV_ERR_VERSION: a newer one; CV_ERR_ARGUMENT: the passphrase has
 * not the right form; CV_ERR_SEAL: wrong passphrase or changed bytes. *b is empty on failure.
 */
CV_MUST_CHECK enum cv_err bundle_open(
	struct bundle *b, const uint8_t *data, size_t len, const char *passphrase);

#endif
