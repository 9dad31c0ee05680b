#include "fs/noise.h"

#include <stdlib.h>
#include <string.h>

#include "fs/layout.h"
#include "protocol/crypto.h"

#define CHUNK_BLOCKS 64

enum cv_err noise_init(struct noise *n)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t key[32];
	uint8_t iv[16] = { 0 };

	n->ctx = EVP_CIPHER_CTX_new();
	if (!n->ctx)
		return CV_ERR_MEMORY;
	err = crypto_random(key, sizeof(key));
	if (!err && EVP_EncryptInit_ex(n->ctx, EVP_aes_256_ctr(), NULL, key, iv) != 1)
		err = CV_ERR_CRYPTO;
	crypto_wipe(key, sizeof(key));
	if (err)
		noise_wipe(n);
	return err;
}

void noise_wipe(struct noise *n)
{
	EVP_CIPHER_CTX_free(n->ctx);
	n->ctx = NULL;
}

static enum cv_err fill(struct noise *n, uint8_t *buf, size_t len)
{
	int got = 0;

	memset(buf, 0, len);
	if (EVP_EncryptUpdate(n->ctx, buf, &got, buf, (int)len) != 1 || got != (int)len)
		return CV_ERR_CRYPTO;
	return CV_OK;
}

enum cv_err noise_write(struct noise *n, struct store *store, uint64_t first, uint64_t count)
{
	enum cv_err err = CV_OK;
	uint8_t *buf = malloc(CHUNK_BLOCKS * BLOCK_BYTES);

	if (!buf)
		return CV_ERR_MEMORY;
	while (count && !err) {
		uint64_t part = count < CHUNK_BLOCKS ? count : CHUNK_BLOCKS;

		err = fill(n, buf, part * BLOCK_BYTES);
		if (!err)
			err = store_write(store, first * BLOCK_BYTES, buf, part * BLOCK_BYTES);
		first += part;
		count -= part;
	}
	free(buf);
	return err;
}
