#include "fs/checkpoint.h"

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

enum cv_err checkpoint_write_slot(struct volume *v, unsigned i, const uint8_t block[BLOCK_BYTES])
{
	enum cv_err err = CV_ERR_INTERNAL;

	err = store_write(v->store, super_slot_block(i) * BLOCK_BYTES, block, BLOCK_BYTES);
	return err ? err : store_flush(v->store);
}

static enum cv_err super_write(struct volume *v, enum super_state state)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct super *s = v->super;
	uint8_t block[BLOCK_BYTES];
	unsigned slot;

	s->clear.generation++;
	s->root = v->tree.root;
	s->state = state;
	alloc_report(&v->alloc, s);
	err = super_seal(block, s, v->volume_key);
	slot = (unsigned)(s->clear.generation % 2);
	if (!err)
		err = checkpoint_write_slot(v, slot, block);
	if (!err)
		err = checkpoint_write_slot(v, slot + 2, block);
	return err;
}

enum cv_err checkpoint_run(struct volume *v, enum super_state state)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t next = v->super->clear.generation + 1;

	if (v->read_only || v->frozen)
		return CV_ERR_READ_ONLY;
	v->keyring.next_generation = next;
	err = settle(v);
	if (err)
		goto out;
	alloc_store(&v->alloc);
	err = tree_seal(&v->tree, next);
	/* also covers the data blocks that were written before */
	if (!err)
		err = store_flush(v->store);
	if (!err)
		err = super_write(v, state);
	if (err)
		goto out;
	alloc_release(&v->alloc);
	v->dirty = false;
	v->dirty_data = 0;
out:
	if (err)
		v->frozen = true;
	return err;
}

enum cv_err checkpoint_if_dirty(struct volume *v)
{
	if (v->frozen)
		return CV_ERR_READ_ONLY;
	return v->dirty ? checkpoint_run(v, SUPER_OPEN) : CV_OK;
}

enum cv_err checkpoint_if_due(struct volume *v)
{
	uint64_t dirty_nodes = tree_dirty(&v->tree);

	tree_trim(&v->tree);
	if (!v->dirty || v->frozen)
		return CV_OK;
	/* in a small volume the dirty nodes may not eat the reserve that they are written into */
	if (v->dirty_data + dirty_nodes * NODE_BYTES < VOLUME_DIRTY_MAX &&
		dirty_nodes * 8 < alloc_free_groups(&v->alloc))
		return CV_OK;
	return checkpoint_run(v, SUPER_OPEN);
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

bool checkpoint_gather(struct volume *v)
{
	/* dirty nodes hold reserve that they give up once they are written */
	if (alloc_pending(&v->alloc) == 0 && tree_dirty(&v->tree) == 0)
		return false;
	return checkpoint_run(v, SUPER_OPEN) == CV_OK;
}

enum cv_err checkpoint_make_room(struct volume *v, enum txn_class class)
{
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
