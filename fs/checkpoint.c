#include "fs/checkpoint.h"

#include "fs/flush.h"
#include "fs/state.h"

/* Every dirty node and every changed bitmap item gets its place; each may bring up the other. */
static enum cv_err settle(struct volume *v)
{
	enum cv_err err = CV_OK;
	bool changed = true;

	while (changed && !err) {
		changed = false;
		err = alloc_place(&v->alloc, &changed);
		if (!err)
			err = tree_assign(&v->tree, &changed);
	}
	return err;
}

void checkpoint_init(struct checkpoint *c)
{
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->hardened, NULL);
}

void checkpoint_wipe(struct checkpoint *c)
{
	(void)pthread_cond_destroy(&c->hardened);
	(void)pthread_mutex_destroy(&c->lock);
}

enum cv_err checkpoint_write_slot(struct volume *v, unsigned i, const uint8_t block[BLOCK_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = store_write(v->store, super_slot_block(i) * BLOCK_BYTES, block, BLOCK_BYTES);
	return err ? err : flush_store(v);
}

/* The superblock for the tree as it was just sealed. */
static enum cv_err super_cut(struct volume *v, enum super_state state)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct checkpoint *c = &v->checkpoint;
	struct super *s = v->super;

	log_round(&v->log);
	c->tail = v->log.head;
	c->newest = log_newest(&v->log);
	s->log.tail = v->log.head % v->log.bytes / BLOCK_BYTES;
	s->log.seq = v->log.next;
	c->generation = ++s->clear.generation;
	s->root = v->tree.root;
	s->state = state;
	if (state == SUPER_CLEAN)
		s->clear.features &= ~FEATURE_LOG;
	else
		s->clear.features |= FEATURE_LOG;
	alloc_report(&v->alloc, s);
	err = super_seal(c->block, s, v->volume_key);
	/* the next try is for the same generation, or it would take the slots of the last one */
	if (err)
		s->clear.generation--;
	return err;
}

static enum cv_err cut(struct volume *v, enum super_state state)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t next = v->super->clear.generation + 1;
	uint32_t key = v->super->active_key;

	v->keyring.next_generation = next;
	err = keyring_refresh(&v->keyring);
	if (!err)
		err = settle(v);
	if (err)
		goto out;
	alloc_store(&v->alloc);
	err = tree_seal(&v->tree, next);
	if (!err)
		err = super_cut(v, state);
	if (err)
		goto out;
	alloc_cut(&v->alloc);
	v->dirty = false;
	v->dirty_data = 0;
	v->checkpoint.running = true;
	v->checkpoint.hard = false;
out:
	/* for want of memory, or of room below the container, nothing that counts was written, so it may
	 * be tried again; but not with a new data key, which a frame might name before a superblock has
	 * it */
	if (err && ((err != CV_ERR_MEMORY && err != CV_ERR_FULL) || v->super->active_key != key))
		v->frozen = true;
	return err;
}

/* Needs no lock: what it reads was set by the cut, and there is no other before the end. */
static enum cv_err harden(struct volume *v)
{
	const struct checkpoint *c = &v->checkpoint;
	unsigned slot = (unsigned)(c->generation % 2);
	enum cv_err err = CV_ERR_INTERNAL;

	/* the nodes, and the data blocks that were written before */
	err = flush_store(v);
	if (!err)
		err = checkpoint_write_slot(v, slot, c->block);
	if (!err)
		err = checkpoint_write_slot(v, slot + 2, c->block);
	return err;
}

static void publish(struct checkpoint *c, enum cv_err result)
{
	(void)pthread_mutex_lock(&c->lock);
	c->result = result;
	c->hard = true;
	(void)pthread_cond_broadcast(&c->hardened);
	(void)pthread_mutex_unlock(&c->lock);
}

static enum cv_err end(struct volume *v)
{
	struct checkpoint *c = &v->checkpoint;
	struct log *l = &v->log;

	c->running = false;
	if (c->result) {
		v->frozen = true;
	} else {
		alloc_release(&v->alloc);
		l->tail_before = l->tail;
		l->tail = c->tail;
		if (l->durable < c->newest)
			l->durable = c->newest;
		v->durable_generation = c->generation;
	}
	(void)pthread_cond_broadcast(&v->flush.done);
	return c->result;
}

/* The end of a checkpoint that another thread hardens, without letting go of the volume's lock. */
static enum cv_err join(struct volume *v)
{
	struct checkpoint *c = &v->checkpoint;

	if (!c->running)
		return CV_OK;
	(void)pthread_mutex_lock(&c->lock);
	while (!c->hard)
		(void)pthread_cond_wait(&c->hardened, &c->lock);
	(void)pthread_mutex_unlock(&c->lock);
	return end(v);
}

enum cv_err checkpoint_run(struct volume *v, enum super_state state)
{
	enum cv_err err = CV_ERR_INTERNAL;

	if (v->read_only || v->frozen)
		return CV_ERR_READ_ONLY;
	err = join(v);
	if (!err)
		err = cut(v, state);
	if (err)
		return err;
	publish(&v->checkpoint, harden(v));
	return end(v);
}

void checkpoint_background(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t generation;

	if (v->read_only || v->frozen || v->checkpoint.running || cut(v, SUPER_OPEN))
		return;
	generation = v->checkpoint.generation;
	(void)pthread_mutex_unlock(&v->lock);
	err = harden(v);
	publish(&v->checkpoint, err);
	(void)pthread_mutex_lock(&v->lock);
	/* unless somebody who could not wait has ended it */
	if (v->checkpoint.running && v->checkpoint.generation == generation)
		(void)end(v);
}

enum cv_err checkpoint_if_dirty(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;

	if (v->frozen)
		return CV_ERR_READ_ONLY;
	err = join(v);
	if (err || !v->dirty)
		return err;
	return checkpoint_run(v, SUPER_OPEN);
}

/* `times` the limits up to which changes gather before a checkpoint. */
static bool due(const struct volume *v, uint64_t times)
{
	uint64_t nodes = tree_dirty(&v->tree);

	/* in a small volume the dirty nodes may not eat the reserve that they are written into */
	return nodes * NODE_BYTES >= times * v->dirty_max ||
	       nodes * 8 >= times * alloc_free_groups(&v->alloc) ||
	       v->dirty_data >= times * VOLUME_DIRTY_DATA_MAX ||
	       log_used(&v->log) >= times * (v->log.bytes / 4);
}

enum cv_err checkpoint_if_due(struct volume *v)
{
	enum cv_err err = CV_ERR_INTERNAL;

	tree_trim(&v->tree);
	alloc_trim(&v->alloc);
	if (!v->dirty || v->frozen || !due(v, 1))
		return CV_OK;
	if (flusher_kick(v) && !due(v, 2))
		return CV_OK;
	err = checkpoint_run(v, SUPER_OPEN);
	/* one that can be tried again does not undo what the log has; a full log stops what comes next,
	 * before it has changed anything */
	return v->frozen ? err : CV_OK;
}

uint64_t checkpoint_reserve(const struct volume *v, enum txn_class class)
{
	uint64_t groups = volume_blocks(v) / 50 / NODE_BLOCKS;
	uint64_t dirty = 4 * tree_dirty(&v->tree);

	if (groups < VOLUME_RESERVE_MIN / NODE_BYTES)
		groups = VOLUME_RESERVE_MIN / NODE_BYTES;
	if (groups < dirty)
		groups = dirty;
	switch (class) {
	case TXN_DATA:
		return groups;
	case TXN_ADDS:
		/* less than data: free space in pieces stays usable when no whole group is to spare
		 */
		return groups - groups / 4;
	case TXN_FREES:
		return groups / 2;
	case TXN_REAPS:
		return groups / 8;
	}
	return groups;
}

/* A block takes 36 bytes of a node; nodes are not full, and each is written anew before it is freed. */
#define ROOM_FOR_NODES 64

uint64_t checkpoint_room(const struct volume *v, uint64_t unused)
{
	uint64_t reserve = checkpoint_reserve(v, TXN_DATA) * NODE_BLOCKS;

	return unused > reserve ? (unused - reserve) / ROOM_FOR_NODES * (ROOM_FOR_NODES - 1) : 0;
}

bool checkpoint_gather(struct volume *v)
{
	/* dirty nodes hold reserve that they give up once they are written */
	if (alloc_pending(&v->alloc) == 0 && tree_dirty(&v->tree) == 0)
		return false;
	return checkpoint_run(v, SUPER_OPEN) == CV_OK;
}

enum cv_err checkpoint_make_room(struct volume *v, enum txn_class class, size_t len)
{
	/* each checkpoint moves the older pair's tail to where the newer one's was */
	for (int round = 0; round < 3 && v->log.active && !log_has_room(&v->log, len); round++) {
		enum cv_err err = checkpoint_run(v, SUPER_OPEN);

		if (err)
			return err;
	}
	/* what is freed now comes back after two checkpoints, and they retire nodes of their own */
	for (int round = 0; round < 3; round++) {
		if (alloc_free_groups(&v->alloc) > checkpoint_reserve(v, class))
			return CV_OK;
		if (!checkpoint_gather(v))
			break;
	}
	if (v->frozen)
		return CV_ERR_READ_ONLY;
	return alloc_free_groups(&v->alloc) > checkpoint_reserve(v, class) ? CV_OK : CV_ERR_FULL;
}
