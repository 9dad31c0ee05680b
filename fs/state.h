/*
 * What an open volume is made of. Inside fs/ every function that takes a struct volume, but those
 * of volume.h, is called with volume->lock held.
 */
#ifndef CONCLAVE_FS_STATE_H
#define CONCLAVE_FS_STATE_H

#include <pthread.h>

#include "fs/alloc.h"
#include "fs/volume.h"

#define VOLUME_CACHE_DEFAULT ((size_t)64 << 20)
#define VOLUME_DIRTY_MAX ((uint64_t)8 << 20) /* bytes of data and nodes before a checkpoint */
#define DATA_CHUNK_BLOCKS 256                /* of one transaction: 1 MiB */
#define VOLUME_RESERVE_MIN ((uint64_t)8 << 20)

struct volume {
	pthread_mutex_t lock;
	struct store *store;
	struct store_file *file; /* freed with the volume; NULL if the store is the caller's */
	int fd;                  /* closed with the volume; -1 if it is the caller's */
	bool read_only;
	bool frozen; /* a write or flush failed: what is durable stays, nothing more is written */
	bool dirty;  /* something was applied since the last checkpoint */
	uint64_t dirty_data; /* bytes of data written since */
	struct super *super; /* secret memory */
	uint8_t *volume_key; /* secret memory */
	unsigned slot;       /* the key slot that opened */
	struct keyring keyring;
	struct tree tree;
	struct alloc alloc;
	uint8_t *io;        /* DATA_CHUNK_BLOCKS blocks (data.c) */
	uint64_t io_errors; /* counters for the status line */
	uint64_t tampered;
	uint64_t rekey_done; /* blocks that a running rekey has looked at in this pass */
	struct volume_why notice;
};

static inline uint64_t volume_blocks(const struct volume *v)
{
	return v->super->clear.blocks;
}

#endif
