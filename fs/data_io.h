/*
 * What a thread needs to read, seal and write data blocks while others have the volume's lock: its
 * own contexts for the data keys and a buffer for what is sealed. Kept between requests.
 *
 * Threads  the pool has a lock of its own, taken after the volume's or without it.
 */
#ifndef CONCLAVE_FS_DATA_IO_H
#define CONCLAVE_FS_DATA_IO_H

#include <pthread.h>

#include "fs/keyring.h"

#define DATA_CHUNK_BLOCKS 256 /* of one transaction: 1 MiB */
#define DATA_CHUNK_BYTES ((size_t)DATA_CHUNK_BLOCKS * BLOCK_BYTES)
/* At a time through a cipher and the container, so that it is still in the processor's cache. */
#define DATA_SLICE_BLOCKS 32

struct data_io {
	struct keyring_user keys;
	uint64_t bad_block; /* after CV_ERR_TAMPERED or CV_ERR_IO */
	struct data_io *next;
	uint8_t buf[DATA_SLICE_BLOCKS * BLOCK_BYTES]; /* ciphertext on its way out */
};

struct data_pool {
	pthread_mutex_t lock;
	struct data_io *idle;
};

void data_pool_init(struct data_pool *p);
/* Every data_io was put back. */
void data_pool_wipe(struct data_pool *p);
/* `k` is only read when a new one must be made. */
CV_MUST_CHECK enum cv_err data_io_get(
	struct data_pool *p, const struct keyring *k, struct data_io **out);
/* NULL is allowed. */
void data_io_put(struct data_pool *p, struct data_io *io);

#endif
