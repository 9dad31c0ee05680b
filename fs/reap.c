#include "fs/reap.h"

#include <inttypes.h>
#include <sched.h>

#include "fs/checkpoint.h"
#include "fs/flush.h"
#include "fs/inode.h"
#include "fs/txn.h"
#include "host/log.h"

#define SLICE_ITEMS 256 /* a leaf a quarter full holds at least 6 MAP items */
#define SLICE_XATTR_BYTES 65536
#define SMALL_BLOCKS 16

static struct item_key orphan_key(uint64_t object)
{
	return (struct item_key){ .object = OBJECT_VOLUME, .type = ITEM_ORPHAN, .offset = object };
}

static enum cv_err orphan_get(
	struct volume *v, uint64_t object, enum orphan_kind *kind, uint64_t *from)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct item_key key = orphan_key(object);
	const uint8_t *value;
	size_t len;

	err = tree_get(&v->tree, &key, &value, &len);
	if (!err)
		orphan_decode(value, kind, from);
	return err;
}

bool reap_waits(struct volume *v, uint64_t object)
{
	enum orphan_kind kind;
	uint64_t from;

	return v->super->orphans && orphan_get(v, object, &kind, &from) == CV_OK &&
	       kind == ORPHAN_UNLINKED;
}

/* Adds removal of extended attributes; *more is set if some are left behind the slice. */
static enum cv_err gather_xattrs(struct volume *v, struct txn *t, uint64_t object, bool *more)
{
	struct item_key key = { .object = object, .type = ITEM_XATTR };
	enum cv_err err = CV_OK;
	size_t bytes = 0;

	for (unsigned items = 0;; items++, key.offset++) {
		const uint8_t *value;
		size_t len;

		err = tree_next(&v->tree, &key, &value, &len);
		if (err)
			break;
		*more = items == SLICE_ITEMS || bytes > SLICE_XATTR_BYTES;
		if (*more)
			break;
		txn_del(t, &key);
		bytes += len;
	}
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

/* Adds unmapping of all blocks from `from` on that one MAP item holds; counts them. */
static void unmap_item(struct txn *t, const struct item_key *key, uint64_t from,
	const uint8_t *value, size_t len, uint64_t *freed)
{
	static const struct map_entry holes[MAP_BLOCKS];
	uint16_t mask = 0;

	for (unsigned i = 0; i * MAP_ENTRY_BYTES < len; i++) {
		if (key->offset * MAP_BLOCKS + i < from || le48(value + i * MAP_ENTRY_BYTES) == 0)
			continue;
		mask |= (uint16_t)(1u << i);
		(*freed)++;
	}
	if (mask)
		txn_map(t, key->object, key->offset, mask, holes);
}

/* Gathers a slice; *more is set if mapped blocks are left behind it. */
static enum cv_err slice_gather(struct volume *v, struct txn *t, uint64_t object, uint64_t from,
	uint64_t *freed, bool *more)
{
	struct item_key key = { .object = object, .type = ITEM_MAP, .offset = from / MAP_BLOCKS };
	enum cv_err err = CV_OK;

	*more = false;
	for (unsigned items = 0; !err; items++, key.offset++) {
		const uint8_t *value;
		size_t len;

		err = tree_next(&v->tree, &key, &value, &len);
		if (err)
			break;
		if (items == SLICE_ITEMS) {
			*more = true;
			break;
		}
		unmap_item(t, &key, from, value, len, freed);
	}
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

static void finish(struct txn *t, uint64_t object, enum orphan_kind kind, const struct inode *inode)
{
	struct item_key inode_key = { .object = object, .type = ITEM_INODE };
	struct item_key symlink_key = { .object = object, .type = ITEM_SYMLINK };
	struct item_key orphan = orphan_key(object);

	if (kind == ORPHAN_UNLINKED) {
		txn_del(t, &inode_key);
		if (S_ISLNK(inode->mode))
			txn_del(t, &symlink_key);
	}
	txn_del(t, &orphan);
}

/* Adds a slice; *more is set if others must follow. kind NULL: no ORPHAN item to finish with. */
static enum cv_err stage(struct volume *v, struct txn *t, uint64_t object,
	const enum orphan_kind *kind, uint64_t from, bool *more)
{
	enum cv_err err = CV_ERR_INTERNAL;
	bool unlinked = kind && *kind == ORPHAN_UNLINKED;
	size_t before = t->records;
	struct inode inode;
	uint64_t freed = 0;

	err = inode_get(v, object, &inode);
	*more = false;
	if (!err && unlinked)
		err = gather_xattrs(v, t, object, more);
	/* attributes and blocks in slices of their own: one transaction stays small */
	if (!err && t->records == before)
		err = slice_gather(v, t, object, from, &freed, more);
	else
		*more = true;
	if (err)
		return err;
	if (freed && (*more || !unlinked)) {
		inode.blocks -= freed < inode.blocks ? freed : inode.blocks;
		txn_put_inode(t, object, &inode);
	}
	if (!*more && kind)
		finish(t, object, *kind, &inode);
	return CV_OK;
}

static enum cv_err commit(struct volume *v, struct txn *t)
{
	enum cv_err err = txn_commit(v, t, TXN_REAPS);

	return err ? err : checkpoint_if_due(v);
}

static enum cv_err slice(
	struct volume *v, uint64_t object, const enum orphan_kind *kind, uint64_t from, bool *more)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct txn txn;

	txn_init(&txn);
	err = stage(v, &txn, object, kind, from, more);
	if (!err)
		err = commit(v, &txn);
	txn_wipe(&txn);
	return err;
}

/* Freeing 16 TiB takes its time; whoever waits for the lock shall not wait for all of it. */
static void give_way(struct volume *v)
{
	store_tell_wait(v->store);
	(void)pthread_mutex_unlock(&v->lock);
	(void)sched_yield();
	(void)pthread_mutex_lock(&v->lock);
}

enum cv_err reap_object(struct volume *v, uint64_t object)
{
	enum cv_err err = CV_OK;
	bool more = true;

	while (more && !err) {
		enum orphan_kind kind;
		uint64_t from;

		err = orphan_get(v, object, &kind, &from);
		if (err == CV_ERR_NOT_FOUND)
			return CV_OK;
		if (!err)
			err = slice(v, object, &kind, from, &more);
		if (!err && more && v->shared)
			give_way(v);
	}
	return err;
}

/* Freed by so few records that some of its kind go into one transaction. */
static bool is_small(struct volume *v, uint64_t object)
{
	struct item_key key = { .object = object, .type = ITEM_XATTR };
	const uint8_t *value;
	struct inode inode;
	size_t len;

	if (inode_get(v, object, &inode) || inode.blocks > SMALL_BLOCKS)
		return false;
	return tree_next(&v->tree, &key, &value, &len) != CV_OK;
}

enum cv_err reap_soon(struct volume *v, uint64_t object)
{
	struct reap_queue *q = &v->reap;
	uint64_t short_of = 2 * checkpoint_reserve(v, TXN_DATA);

	if (!v->flush.started || alloc_free_groups(&v->alloc) < short_of || !is_small(v, object))
		return reap_object(v, object);
	q->object[q->count++] = object;
	flusher_wake(v);
	if (q->count == REAP_BATCH)
		reap_waiting(v);
	return CV_OK;
}

/* All of the queue in one transaction. */
static enum cv_err reap_batch(struct volume *v, const struct reap_queue *q)
{
	enum cv_err err = CV_OK;
	struct txn txn;

	txn_init(&txn);
	for (unsigned i = 0; i < q->count && !err; i++) {
		enum orphan_kind kind;
		uint64_t from;
		bool more;

		err = orphan_get(v, q->object[i], &kind, &from);
		if (!err)
			err = stage(v, &txn, q->object[i], &kind, from, &more);
		else if (err == CV_ERR_NOT_FOUND)
			err = CV_OK;
	}
	if (!err)
		err = commit(v, &txn);
	txn_wipe(&txn);
	return err;
}

void reap_waiting(struct volume *v)
{
	struct reap_queue q = v->reap;

	v->reap.count = 0;
	if (q.count == 0 || v->frozen || reap_batch(v, &q) == CV_OK)
		return;
	/* one that is damaged shall not keep the others */
	for (unsigned i = 0; i < q.count; i++) {
		enum cv_err err = reap_object(v, q.object[i]);

		if (!err)
			continue;
		v->io_errors++;
		v->tampered += err == CV_ERR_TAMPERED;
		log_error("free: inode %" PRIu64 ": %s", q.object[i], cv_err_text(err));
	}
}

enum cv_err reap_tail(struct volume *v, uint64_t object, uint64_t from)
{
	enum cv_err err = CV_OK;
	bool more = true;

	while (more && !err)
		err = slice(v, object, NULL, from, &more);
	return err;
}

enum cv_err reap_all(struct volume *v)
{
	struct item_key key = orphan_key(0);

	v->reap.count = 0;
	while (v->super->orphans) {
		enum cv_err err = CV_ERR_INTERNAL;
		const uint8_t *value;
		size_t len;

		err = tree_next(&v->tree, &key, &value, &len);
		if (err == CV_ERR_NOT_FOUND)
			break;
		if (!err)
			err = reap_object(v, key.offset);
		if (err)
			return err;
		key.offset++;
	}
	return CV_OK;
}
