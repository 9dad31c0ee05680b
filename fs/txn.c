#include "fs/txn.h"

#include <stdlib.h>

#include "fs/checkpoint.h"
#include "fs/flush.h"
#include "fs/state.h"
#include "protocol/crypto.h"

void txn_init(struct txn *t)
{
	memset(t, 0, sizeof(*t));
}

void txn_wipe(struct txn *t)
{
	if (t->buf)
		crypto_wipe(t->buf, t->len);
	free(t->buf);
	memset(t, 0, sizeof(*t));
}

/* Room for a record; its value is the caller's to fill. NULL after an error. */
static uint8_t *record_add(
	struct txn *t, enum record_type type, const struct item_key *key, size_t len)
{
	size_t need = t->len + RECORD_HEAD_BYTES + len;
	uint8_t *p;

	if (t->err)
		return NULL;
	if (need > t->cap) {
		size_t cap = need * 2 + 512;
		uint8_t *buf = realloc(t->buf, cap);

		if (!buf) {
			t->err = CV_ERR_MEMORY;
			return NULL;
		}
		t->buf = buf;
		t->cap = cap;
	}
	p = t->buf + t->len;
	record_head_encode(p, type, key, len);
	t->len = need;
	t->records++;
	return p + RECORD_HEAD_BYTES;
}

void txn_put(struct txn *t, const struct item_key *key, const uint8_t *value, size_t len)
{
	uint8_t *p = record_add(t, RECORD_PUT, key, len);

	if (p)
		memcpy(p, value, len);
}

void txn_del(struct txn *t, const struct item_key *key)
{
	(void)record_add(t, RECORD_DEL, key, 0);
}

void txn_map(struct txn *t, uint64_t object, uint64_t group, uint16_t mask,
	const struct map_entry entries[MAP_BLOCKS])
{
	struct item_key key = { .object = object, .type = ITEM_MAP, .offset = group };
	uint16_t mapped = 0;
	uint8_t *p;

	for (unsigned i = 0; i < MAP_BLOCKS; i++)
		if (mask >> i & 1 && entries[i].block)
			mapped |= (uint16_t)(1u << i);
	mask &= (uint16_t)~mapped;
	if (mask) {
		p = record_add(t, RECORD_UNMAP, &key, RECORD_MASK_BYTES);
		if (p)
			put_le16(p, mask);
	}
	if (!mapped)
		return;
	p = record_add(t, RECORD_MAP, &key,
		RECORD_MASK_BYTES + (size_t)__builtin_popcount(mapped) * MAP_ENTRY_BYTES);
	if (!p)
		return;
	put_le16(p, mapped);
	p += RECORD_MASK_BYTES;
	for (unsigned i = 0; i < MAP_BLOCKS; i++) {
		if (!(mapped >> i & 1))
			continue;
		map_entry_encode(p, &entries[i]);
		p += MAP_ENTRY_BYTES;
	}
}

void txn_put_inode(struct txn *t, uint64_t object, const struct inode *inode)
{
	struct item_key key = { .object = object, .type = ITEM_INODE };
	uint8_t value[INODE_BYTES];

	inode_encode(value, inode);
	txn_put(t, &key, value, sizeof(value));
}

/* The 16 entries of a group as they are now; all holes if there is no item. */
static enum cv_err map_read(struct volume *v, const struct item_key *key, uint8_t *value)
{
	enum cv_err err = CV_ERR_INTERNAL;
	const uint8_t *old;
	size_t len;

	memset(value, 0, MAP_BLOCKS * MAP_ENTRY_BYTES);
	err = tree_get(&v->tree, key, &old, &len);
	if (err == CV_ERR_NOT_FOUND)
		return CV_OK;
	if (!err)
		memcpy(value, old, len);
	return err;
}

static enum cv_err map_prepare(struct volume *v, const struct record *r)
{
	uint8_t value[MAP_BLOCKS * MAP_ENTRY_BYTES];
	uint16_t mask = record_mask(r);
	enum cv_err err = map_read(v, &r->key, value);

	for (unsigned i = 0; i < MAP_BLOCKS && !err; i++) {
		uint64_t old = le48(value + i * MAP_ENTRY_BYTES);

		if (!(mask >> i & 1))
			continue;
		if (old)
			err = alloc_load(&v->alloc, old);
	}
	for (size_t i = 0; record_entry(r, i) && !err; i++)
		err = alloc_load(&v->alloc, le48(record_entry(r, i)));
	return err;
}

enum cv_err txn_prepare(struct volume *v, const uint8_t *records, size_t len)
{
	enum cv_err err = CV_OK;
	const uint8_t *end = records + len;
	const uint8_t *p = records;
	struct record r;
	size_t puts = 0;

	while (!err && record_next(&r, &p, end)) {
		err = tree_prepare(&v->tree, &r.key);
		if (!err && r.key.type == ITEM_MAP)
			err = map_prepare(v, &r);
		puts++;
	}
	return err ? err : tree_reserve(&v->tree, puts);
}

static void count_item(struct volume *v, const struct record *r, bool there)
{
	struct super *s = v->super;
	bool put = r->type == RECORD_PUT;

	if (put && r->key.object >= s->next_object)
		s->next_object = r->key.object + 1;
	if (put == there)
		return;
	if (r->key.type == ITEM_INODE)
		s->objects += put ? 1 : (uint64_t)-1;
	if (r->key.type == ITEM_ORPHAN)
		s->orphans += put ? 1 : (uint64_t)-1;
}

static void map_apply(struct volume *v, const struct record *r)
{
	uint8_t value[MAP_BLOCKS * MAP_ENTRY_BYTES];
	uint16_t mask = record_mask(r);
	size_t len = sizeof(value);
	size_t next = 0;

	/* cannot fail: the path was prepared */
	if (map_read(v, &r->key, value) != CV_OK)
		abort();
	for (unsigned i = 0; i < MAP_BLOCKS; i++) {
		uint8_t *slot = value + i * MAP_ENTRY_BYTES;
		const uint8_t *entry;

		if (!(mask >> i & 1))
			continue;
		if (le48(slot))
			alloc_retire(&v->alloc, le48(slot), 1);
		entry = record_entry(r, next++);
		if (entry) {
			alloc_use(&v->alloc, le48(entry));
			memcpy(slot, entry, MAP_ENTRY_BYTES);
		} else {
			memset(slot, 0, MAP_ENTRY_BYTES); /* UNMAP */
		}
	}
	while (len && le48(value + len - MAP_ENTRY_BYTES) == 0)
		len -= MAP_ENTRY_BYTES;
	if (len)
		tree_put(&v->tree, &r->key, value, len);
	else
		tree_del(&v->tree, &r->key);
}

void txn_apply(struct volume *v, const uint8_t *records, size_t len)
{
	const uint8_t *end = records + len;
	const uint8_t *p = records;
	struct record r;

	while (record_next(&r, &p, end)) {
		const uint8_t *old;
		size_t old_len;

		if (r.key.type == ITEM_MAP) {
			map_apply(v, &r);
			continue;
		}
		count_item(v, &r, tree_get(&v->tree, &r.key, &old, &old_len) == CV_OK);
		if (r.type == RECORD_PUT)
			tree_put(&v->tree, &r.key, r.value, r.len);
		else
			tree_del(&v->tree, &r.key);
	}
	v->dirty = true;
}

/* The frame is written before the tree changes, so the reply never comes before it. */
static enum cv_err write_frame(struct volume *v, const struct txn *t)
{
	enum cv_err err = CV_ERR_INTERNAL;

	/* checkpoint_make_room has seen to it */
	if (!log_has_room(&v->log, t->len))
		return CV_ERR_INTERNAL;
	err = log_append(&v->log, t->buf, t->len);
	if (err)
		v->frozen = true;
	return err;
}

enum cv_err txn_commit(struct volume *v, struct txn *t, enum txn_class class)
{
	enum cv_err err = t->err;

	if (err)
		return err;
	if (v->read_only || v->frozen || keyring_full(&v->keyring))
		return CV_ERR_READ_ONLY;
	if (t->len == 0)
		return CV_OK;
	if (t->len > FRAME_RECORDS_MAX)
		return CV_ERR_INTERNAL;
	err = checkpoint_make_room(v, class, t->len);
	if (!err)
		err = txn_prepare(v, t->buf, t->len);
	if (!err && v->log.active)
		err = write_frame(v, t);
	if (err)
		return err;
	txn_apply(v, t->buf, t->len);
	flusher_wake(v);
	return CV_OK;
}
