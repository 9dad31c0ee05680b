/*
 * What an open volume is made of.
 *
 * Locks
 *   volume->lock covers everything below, unless it says otherwise. Inside fs/ every function that
 *   takes a struct volume, but those of volume.h, is called with it held.
 *   It is let go in the middle of exactly five things: flush_wait (fsync), checkpoint_background, the
 *   wait of the flusher, reading and writing content (data_chunk.h), which looks again afterwards at
 *   what it builds upon, and freeing in slices (reap_object), after which callers look again. No
 *   operation calls the two of the flusher, and flush_wait comes at the very end of an operation, so
 *   what an operation has read stays true until it is done. In particular txn_commit,
 *   checkpoint_run and checkpoint_if_due never let go of it.
 *   flush.turn and checkpoint.lock are leaves: taken last, with or without volume->lock; nothing is
 *   taken under them.
 *   store_read and store_write need no lock of their own (store.h); whoever calls store_flush does
 *   it through flush_store.
 */
#ifndef CONCLAVE_FS_STATE_H
#define CONCLAVE_FS_STATE_H

#include <pthread.h>

#include "fs/alloc.h"
#include "fs/checkpoint.h"
#include "fs/data_io.h"
#include "fs/flush.h"
#include "fs/volume.h"

#define VOLUME_CACHE_DEFAULT ((size_t)64 << 20)
/* Before a checkpoint: bytes of dirty nodes (a quarter of the cache), and of data, whose seals the
 * superblock must count before KEYRING_SEALS_LOST of them are made. */
#define VOLUME_DIRTY_MIN ((uint64_t)1 << 20)
#define VOLUME_DIRTY_MAX ((uint64_t)16 << 20)
#define VOLUME_DIRTY_DATA_MAX ((uint64_t)1 << 30)
#define VOLUME_RESERVE_MIN ((uint64_t)8 << 20)

#define REAP_BATCH 16 /* with them a transaction stays below TXN_LEAVES_MAX */

/* Small objects to be freed in one transaction (reap_soon). */
struct reap_queue {
	uint64_t object[REAP_BATCH];
	unsigned count;
};

struct volume {
	pthread_mutex_t lock;
	struct store *store;
	struct store_file *file; /* freed with the volume; NULL if the store is the caller's */
	int fd;                  /* closed with the volume; -1 if it is the caller's */
	bool read_only;
	bool frozen; /* a write or flush failed: what is durable stays, nothing more is written */
	bool dirty;  /* something was applied since the last cut of a checkpoint */
	uint64_t dirty_data; /* bytes of data written since */
	uint64_t dirty_max;  /* bytes of dirty nodes before a checkpoint */
	uint64_t durable_generation;
	struct checkpoint checkpoint;
	struct flush flush;
	struct log log;
	struct super *super; /* secret memory */
	uint8_t *volume_key; /* secret memory */
	unsigned slot;       /* the key slot that opened */
	struct keyring keyring;
	struct tree tree;
	struct alloc alloc;
	struct data_pool pool;
	struct reap_queue reap;
	bool shared; /* by several threads: data.h lets go of the lock while it works on content */
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
