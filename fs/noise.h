/* Random bytes in bulk (AES-256-CTR under a key that is thrown away), to fill space with. */
#ifndef CONCLAVE_FS_NOISE_H
#define CONCLAVE_FS_NOISE_H

#include <openssl/evp.h>

#include "fs/store.h"
#include "protocol/err.h"

struct noise {
	EVP_CIPHER_CTX *ctx;
};

CV_MUST_CHECK enum cv_err noise_init(struct noise *n);
void noise_wipe(struct noise *n);

/* Fills [first, first + count) of the store's 4096-byte blocks. */
CV_MUST_CHECK enum cv_err noise_write(
	struct noise *n, struct store *store, uint64_t first, uint64_t count);

#endif
