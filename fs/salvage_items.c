/* The items that salvage finds, and which places of the tree they speak for. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/salvage_state.h"
#include "host/file.h"
#include "host/secret.h"
#include "protocol/crypto.h"

#define CACHE_BYTES ((size_t)32 << 20)
#define DIRTY_NODES 512
#define SCRATCH_BLOCKS ((uint64_t)1 << 40)

static enum cv_err space_prepare(void *user, uint64_t block)
{
	(void)user;
	(void)block;
	return CV_OK;
}

static void space_retire(void *user, uint64_t block)
{
	(void)user;
	(void)block;
}

static enum cv_err space_take(void *user, uint64_t *block)
{
	struct scratch *x = user;

	*block = x->next_block;
	x->next_block += NODE_BLOCKS;
	return CV_OK;
}

static const struct tree_space scratch_space = {
	.prepare = space_prepare,
	.retire = space_retire,
	.take = space_take,
};

enum cv_err scratch_open(struct scratch *x, int dir_fd)
{
	enum cv_err err = CV_ERR_INTERNAL;
	char name[] = ".salvage-items";
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* a filesystem without nameless files */
	if (fd < 0) {
		fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || unlinkat(dir_fd, name, 0))
			return file_error(errno);
	}
	store_file_init(&x->file, fd);
	x->super = secret_alloc(sizeof(*x->super));
	if (!x->super)
		return CV_ERR_MEMORY;
	memset(x->super, 0, sizeof(*x->super));
	x->super->clear.blocks = SCRATCH_BLOCKS;
	x->super->keyring[0].state = KEY_ACTIVE;
	x->next_block = NODE_BLOCKS;
	err = crypto_random(x->super->keyring[0].key, AEAD_KEY_BYTES);
	if (!err)
		err = keyring_init(&x->ring, x->super);
	if (!err)
		err = tree_init(&x->tree, &x->file.store, &x->ring, SCRATCH_BLOCKS, CACHE_BYTES);
	if (err)
		return err;
	tree_set_space(&x->tree, &scratch_space, x);
	return tree_create(&x->tree);
}

void scratch_close(struct scratch *x)
{
	if (!x->super)
		return;
	tree_wipe(&x->tree);
	keyring_wipe(&x->ring);
	secret_free(x->super);
	(void)close(x->file.fd);
}

/* Lets the memory go that the tree has gathered. */
static enum cv_err settle(struct scratch *x)
{
	enum cv_err err = CV_OK;
	bool changed;

	if (tree_dirty(&x->tree) >= DIRTY_NODES) {
		err = tree_assign(&x->tree, &changed);
		if (!err)
			err = tree_seal(&x->tree, ++x->generation);
	}
	tree_trim(&x->tree);
	return err;
}

static enum cv_err put(
	struct scratch *x, const struct item_key *key, const uint8_t *value, size_t len)
{
	enum cv_err err = tree_prepare(&x->tree, key);

	if (!err)
		err = tree_reserve(&x->tree, 1);
	if (err)
		return err;
	tree_put(&x->tree, key, value, len);
	return settle(x);
}

enum cv_err scratch_add(
	struct scratch *x, const struct item_key *key, const uint8_t *value, size_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	enum orphan_kind kind;
	const uint8_t *old;
	uint64_t from;
	size_t old_len;

	if (key->type == ITEM_BITMAP)
		return CV_OK;
	if (key->type == ITEM_ORPHAN) {
		orphan_decode(value, &kind, &from);
		if (kind != ORPHAN_UNLINKED)
			return CV_OK;
	}
	err = tree_get(&x->tree, key, &old, &old_len);
	return err == CV_ERR_NOT_FOUND ? put(x, key, value, len) : err;
}

static struct item_key done_key(uint64_t object)
{
	return (struct item_key){ .object = OBJECT_VOLUME, .type = ITEM_ORPHAN, .offset = object };
}

bool scratch_is_done(struct scratch *x, uint64_t object)
{
	struct item_key key = done_key(object);
	const uint8_t *value;
	size_t len;

	return tree_get(&x->tree, &key, &value, &len) == CV_OK;
}

enum cv_err scratch_done(struct scratch *x, uint64_t object)
{
	struct item_key key = done_key(object);
	uint8_t value[ORPHAN_BYTES];

	orphan_encode(value, ORPHAN_UNLINKED, 0);
	return put(x, &key, value, sizeof(value));
}

enum cv_err scratch_inode(struct scratch *x, uint64_t object, struct inode *inode)
{
	struct item_key key = { .object = object, .type = ITEM_INODE };
	const uint8_t *value;
	size_t len;
	enum cv_err err = tree_get(&x->tree, &key, &value, &len);

	if (!err)
		inode_decode(inode, value);
	return err;
}

bool ranges_hold(const struct ranges *r, const struct item_key *key)
{
	for (size_t i = 0; i < r->count; i++)
		if (item_key_compare(key, &r->range[i].low) >= 0 &&
			item_key_compare(key, &r->range[i].high) < 0)
			return true;
	return false;
}

enum cv_err ranges_append(struct ranges *r, const struct key_range *range)
{
	if (r->count == r->cap) {
		size_t cap = r->cap * 2 + 64;
		struct key_range *p = realloc(r->range, cap * sizeof(*p));

		if (!p)
			return CV_ERR_MEMORY;
		r->range = p;
		r->cap = cap;
	}
	r->range[r->count++] = *range;
	return CV_OK;
}

/* The first painted range that ends at `key` or behind it. */
static size_t first_behind(const struct ranges *r, const struct item_key *key)
{
	size_t low = 0;
	size_t high = r->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (item_key_compare(&r->range[mid].high, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool ranges_painted(const struct ranges *r, const struct item_key *key)
{
	size_t i = first_behind(r, key);

	return i < r->count && item_key_compare(&r->range[i].low, key) <= 0;
}

enum cv_err ranges_paint(struct ranges *r, const struct key_range *range)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct key_range all = *range;
	size_t at = first_behind(r, &range->low);
	size_t end = at;

	for (; end < r->count && item_key_compare(&r->range[end].low, &all.high) <= 0; end++) {
		if (item_key_compare(&r->range[end].low, &all.low) < 0)
			all.low = r->range[end].low;
		if (item_key_compare(&r->range[end].high, &all.high) > 0)
			all.high = r->range[end].high;
	}
	if (end == at) {
		err = ranges_append(r, range);
		if (err)
			return err;
		memmove(&r->range[at + 1], &r->range[at],
			(r->count - 1 - at) * sizeof(*r->range));
	} else {
		memmove(&r->range[at + 1], &r->range[end], (r->count - end) * sizeof(*r->range));
		r->count -= end - at - 1;
	}
	r->range[at] = all;
	return CV_OK;
}
