/* Making a volume on a store: fixed areas, keys, key slots, a tree with an empty root directory. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/ahead.h"
#include "fs/checkpoint.h"
#include "fs/inode.h"
#include "fs/noise.h"
#include "fs/open.h"
#include "fs/why.h"
#include "protocol/crypto.h"

#define FILL_STEP_BLOCKS 2048

static enum cv_err fill_all(
	struct store *store, uint64_t blocks, const struct volume_create_options *o)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct noise noise;

	err = noise_init(&noise);
	if (err)
		return err;
	for (uint64_t b = 0; b < blocks && !err; b += FILL_STEP_BLOCKS) {
		uint64_t n = blocks - b < FILL_STEP_BLOCKS ? blocks - b : FILL_STEP_BLOCKS;

		err = noise_write(&noise, store, b, n);
		if (!err && o->progress &&
			o->progress(o->user, (b + n) * BLOCK_BYTES, blocks * BLOCK_BYTES, "fill"))
			err = CV_ERR_TIMEOUT;
	}
	noise_wipe(&noise);
	return err;
}

static enum cv_err set_keys(struct volume *v, const struct volume_create_options *o)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct super *s = v->super;
	struct key_slot *slot = s->clear.slots;

	err = crypto_random(v->volume_key, AEAD_KEY_BYTES);
	if (!err)
		err = crypto_random(s->name_key, sizeof(s->name_key));
	if (!err)
		err = crypto_random(s->keyring[0].key, AEAD_KEY_BYTES);
	if (!err)
		err = log_renew(&v->log, &s->log);
	if (err)
		return err;
	s->keyring[0].state = KEY_ACTIVE;
	s->keyring[0].born = 1;
	slot->kind = VOLUME_SLOT_SHARE_SET;
	slot->epoch = o->epoch;
	memcpy(slot->share_set_hash, o->share_set_hash, CV_HASH_BYTES);
	err = super_slot_seal(slot, o->volume_id, o->unlock_secret, v->volume_key);
	if (err || !o->recovery_code)
		return err;
	slot++;
	slot->kind = VOLUME_SLOT_RECOVERY;
	return super_slot_seal(slot, o->volume_id, o->recovery_code, v->volume_key);
}

static enum cv_err set_super(
	struct volume *v, const struct volume_create_options *o, uint64_t blocks)
{
	struct super *s = v->super;

	s->clear.version = FORMAT_VERSION;
	s->clear.suite = FORMAT_SUITE;
	memcpy(s->clear.volume_id, o->volume_id, CV_VOLUME_ID_BYTES);
	s->clear.blocks = blocks;
	s->flags = o->full ? SUPER_FULL : 0;
	s->next_object = OBJECT_FIRST_FREE;
	log_place(&s->log, blocks);
	s->log.seq = 1;
	log_attach(&v->log, v->store, &s->log);
	s->node_cursor = s->log.ring + s->log.blocks;
	s->data_cursor = s->node_cursor + blocks / 32;
	return set_keys(v, o);
}

/* Superblock slots and log ring belong to nobody: their bits are set for good. */
static enum cv_err mark_fixed(struct volume *v)
{
	const struct log_descriptor *log = &v->super->log;
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < SUPER_SLOTS && !err; i++) {
		err = alloc_load(&v->alloc, super_slot_block(i));
		if (!err)
			alloc_use(&v->alloc, super_slot_block(i));
	}
	for (uint64_t b = log->ring; b < log->ring + log->blocks && !err; b++) {
		err = alloc_load(&v->alloc, b);
		if (!err)
			alloc_use(&v->alloc, b);
	}
	return err;
}

static enum cv_err make_tree(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode root = { .mode = S_IFDIR | 0755,
		.uid = getuid(),
		.gid = getgid(),
		.links = 2,
		.parent = OBJECT_ROOT };
	struct txn txn;

	err = volume_assemble(v, VOLUME_CACHE_DEFAULT);
	if (!err)
		err = tree_create(&v->tree);
	if (!err)
		err = mark_fixed(v);
	if (err)
		return err;
	inode_now(&root.atime);
	root.mtime = root.ctime = root.btime = root.atime;
	txn_init(&txn);
	txn_put_inode(&txn, OBJECT_ROOT, &root);
	err = txn_commit(v, &txn, TXN_ADDS);
	txn_wipe(&txn);
	return err;
}

enum cv_err volume_create_store(
	struct store *store, const struct volume_create_options *o, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t blocks = o->size_bytes / NODE_BYTES * NODE_BLOCKS;
	struct volume *v = NULL;

	if (o->size_bytes < VOLUME_SIZE_MIN || o->size_bytes > VOLUME_SIZE_MAX)
		return why_set(why, CV_ERR_RANGE,
			"a volume has %" PRIu64 " to %" PRIu64 " bytes, not %" PRIu64,
			VOLUME_SIZE_MIN, VOLUME_SIZE_MAX, o->size_bytes);
	err = volume_new(&v, store);
	if (!err && o->full)
		err = fill_all(store, blocks, o);
	if (!err)
		err = set_super(v, o, blocks);
	if (!err && !o->full)
		err = log_fill(&v->super->log, store);
	if (!err && !o->full)
		err = ahead_first(store, blocks, v->super->node_cursor);
	if (!err)
		err = make_tree(v);
	if (!err)
		err = checkpoint_run(v, SUPER_CLEAN);
	if (!err)
		err = checkpoint_run(v, SUPER_CLEAN);
	volume_drop(v);
	if (err)
		(void)why_set(why, err, "%s", cv_err_text(err));
	return err;
}
