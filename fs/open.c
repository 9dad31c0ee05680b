#include "fs/open.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/flush.h"
#include "fs/reap.h"
#include "fs/replay.h"
#include "fs/slots.h"
#include "fs/why.h"
#include "host/secret.h"

enum cv_err volume_new(struct volume **out, struct store *store)
{
	struct volume *v = calloc(1, sizeof(*v));

	if (!v)
		return CV_ERR_MEMORY;
	if (flush_init(&v->flush)) {
		free(v);
		return CV_ERR_MEMORY;
	}
	(void)pthread_mutex_init(&v->lock, NULL);
	checkpoint_init(&v->checkpoint);
	v->fd = -1;
	v->store = store;
	v->super = secret_alloc(sizeof(*v->super));
	v->volume_key = secret_alloc(AEAD_KEY_BYTES);
	data_pool_init(&v->pool);
	if (!v->super || !v->volume_key) {
		volume_drop(v);
		return CV_ERR_MEMORY;
	}
	*out = v;
	return CV_OK;
}

void volume_drop(struct volume *v)
{
	if (!v)
		return;
	flusher_stop(v);
	log_wipe(&v->log);
	alloc_wipe(&v->alloc);
	tree_wipe(&v->tree);
	keyring_wipe(&v->keyring);
	data_pool_wipe(&v->pool);
	free(v->file);
	secret_free(v->super);
	secret_free(v->volume_key);
	if (v->fd >= 0)
		(void)close(v->fd);
	checkpoint_wipe(&v->checkpoint);
	flush_wipe(&v->flush);
	(void)pthread_mutex_destroy(&v->lock);
	free(v);
}

static enum cv_err check_size(struct volume *v, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t bytes;

	err = store_size(v->store, &bytes);
	if (err)
		return why_set(why, err, "the container's size cannot be read");
	if (bytes / BLOCK_BYTES < volume_blocks(v))
		return why_set(why, CV_ERR_TAMPERED,
			"the container was cut: %" PRIu64 " of %" PRIu64 " bytes are left", bytes,
			volume_blocks(v) * BLOCK_BYTES);
	return CV_OK;
}

enum cv_err volume_assemble(struct volume *v, size_t cache_bytes)
{
	enum cv_err err = keyring_init(&v->keyring, v->super);

	if (!err)
		err = tree_init(
			&v->tree, v->store, &v->keyring, volume_blocks(v), cache_bytes);
	if (!err)
		err = alloc_init(&v->alloc, &v->tree, volume_blocks(v));
	if (err)
		return err;
	tree_set_space(&v->tree, &alloc_tree_space, &v->alloc);
	alloc_resume(&v->alloc, v->super);
	return CV_OK;
}

/* The tree of the superblock that counts. */
static enum cv_err open_tree(struct volume *v, size_t cache_bytes, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;

	cache_bytes = cache_bytes ? cache_bytes : VOLUME_CACHE_DEFAULT;
	v->dirty_max = cache_bytes / 4;
	if (v->dirty_max < VOLUME_DIRTY_MIN)
		v->dirty_max = VOLUME_DIRTY_MIN;
	if (v->dirty_max > VOLUME_DIRTY_MAX)
		v->dirty_max = VOLUME_DIRTY_MAX;
	v->durable_generation = v->super->clear.generation;
	log_attach(&v->log, v->store, &v->super->log);
	err = volume_assemble(v, cache_bytes);
	if (err)
		return err;
	err = tree_open(&v->tree, &v->super->root);
	if (err)
		return why_set(why, err, "the root node at block %" PRIu64 " does not open",
			v->super->root.block);
	return CV_OK;
}

/* What the last session has done since its last checkpoint. */
static enum cv_err recover(
	struct volume *v, const struct volume_open_options *options, struct volume_why *why)
{
	const struct super *s = v->super;

	if (!(s->clear.features & FEATURE_LOG) || s->state == SUPER_CLEAN)
		return CV_OK;
	return replay_log(v, options->accept_older, why);
}

/* The first writes of a session: whole pair, fresh log key, leftovers of the last session. */
static enum cv_err begin_writing(struct volume *v, struct slots *slots)
{
	enum cv_err err = CV_OK;
	struct super *s = v->super;
	unsigned pair = slots->newest % 2;

	for (unsigned i = pair; i < SUPER_SLOTS && slots->repair && !err; i += 2)
		err = checkpoint_write_slot(v, i, slots->block[slots->newest]);
	if (err)
		return err;
	if (s->state != SUPER_CLEAN)
		s->keyring[s->active_key].seals += KEYRING_SEALS_LOST;
	err = log_renew(&v->log, &s->log);
	if (!err)
		err = checkpoint_run(v, SUPER_OPEN);
	/* no frame before the key is durable */
	if (!err)
		err = log_start(&v->log, &s->log, s->clear.volume_id);
	if (err)
		return err;
	/* a damaged orphan must not keep everything else from being used: check will show it */
	err = reap_all(v);
	if (err == CV_ERR_TAMPERED)
		(void)why_set(&v->notice, err, "an unlinked file could not be freed: damaged");
	if (err == CV_ERR_READ_ONLY && !v->frozen)
		err = CV_OK; /* the keyring is full; said below */
	if (keyring_full(&v->keyring))
		(void)why_set(&v->notice, CV_OK,
			"every data key is used up: read-only until `conclave volume rekey`");
	return err == CV_ERR_TAMPERED || err == CV_ERR_FULL ? CV_OK : err;
}

static enum cv_err open_slots(struct volume *v, struct slots *slots,
	const struct volume_open_options *options, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = slots_read(slots, v->store, why);
	if (!err)
		err = slots_open(slots, options->secret, options->accept_older, v->super,
			v->volume_key, &v->slot, why, &v->notice);
	if (err)
		return err;
	if (v->super->clear.features_read_only && !options->read_only)
		return why_set(why, CV_ERR_VERSION,
			"a feature that this version does not know allows reading only");
	if (v->super->clear.generation < options->min_generation)
		return why_set(why, CV_ERR_TOO_OLD,
			"generation %" PRIu64 " is older than %" PRIu64 ", the oldest allowed",
			v->super->clear.generation, options->min_generation);
	return check_size(v, why);
}

enum cv_err volume_open_store(struct volume **out, struct store *store,
	const struct volume_open_options *options, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct slots *slots = calloc(1, sizeof(*slots));
	struct volume *v = NULL;

	(void)why_set(why, CV_OK, "%s", "");
	if (!slots)
		return CV_ERR_MEMORY;
	err = volume_new(&v, store);
	if (err)
		goto out;
	v->read_only = options->read_only;
	err = open_slots(v, slots, options, why);
	if (!err)
		err = open_tree(v, options->cache_bytes, why);
	if (!err)
		err = recover(v, options, why);
	if (!err && !v->read_only) {
		err = begin_writing(v, slots);
		if (err == CV_ERR_FULL)
			(void)why_set(why, err,
				"no space left below the container: make some, or open it read-only");
	}
	if (err)
		goto out;
	*out = v;
	v = NULL;
out:
	if (err && why && !why->text[0])
		(void)why_set(why, err, "%s", cv_err_text(err));
	volume_drop(v);
	free(slots);
	return err;
}

enum cv_err volume_finish(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;

	/* from here on the lock is not let go of any more */
	v->shared = false;
	if (v->read_only)
		return CV_OK;
	if (v->frozen)
		return CV_ERR_IO;
	/* a damaged orphan stays for check to show: it must not keep the rest from being durable */
	err = reap_all(v);
	if (err && v->frozen)
		return err;
	err = checkpoint_run(v, SUPER_CLEAN);
	/* once more without a change, so that both pairs name the last tree and are clean */
	if (!err)
		return checkpoint_run(v, SUPER_CLEAN);
	/* the log has what was answered, for the next open */
	if (!v->frozen)
		(void)!flush_store(v);
	return err;
}

enum cv_err volume_close(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;

	if (!v)
		return CV_OK;
	flusher_stop(v);
	(void)pthread_mutex_lock(&v->lock);
	err = volume_finish(v);
	(void)pthread_mutex_unlock(&v->lock);
	volume_drop(v);
	return err;
}

enum cv_err volume_sync(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;

	(void)pthread_mutex_lock(&v->lock);
	err = v->read_only ? CV_OK : flush_wait(v);
	(void)pthread_mutex_unlock(&v->lock);
	return err;
}

uint64_t volume_generation(const struct volume *v)
{
	/* a checkpoint of another thread may be on its way; the lock is no part of what is const */
	pthread_mutex_t *lock = (pthread_mutex_t *)&v->lock;
	uint64_t generation;

	(void)pthread_mutex_lock(lock);
	generation = v->durable_generation;
	(void)pthread_mutex_unlock(lock);
	return generation;
}

const char *volume_notice(const struct volume *v)
{
	return v->notice.text[0] ? v->notice.text : NULL;
}

uint32_t volume_epoch(const struct volume *v)
{
	return v->super->clear.slots[v->slot].epoch;
}

enum volume_slot_kind volume_kind(const struct volume *v)
{
	return (enum volume_slot_kind)v->super->clear.slots[v->slot].kind;
}
