#include "fs/xattr.h"

#include "fs/checkpoint.h"

struct xattr_item {
	struct item_key key;
	size_t len;
	uint8_t value[ITEM_VALUE_MAX];
};

static enum cv_err name_check(const struct dir_name *name)
{
	if (name->len > XATTR_NAME_BYTES_MAX)
		return CV_ERR_RANGE;
	return name->len && !memchr(name->bytes, 0, name->len) ? CV_OK : CV_ERR_ARGUMENT;
}

static enum cv_err item_load(
	struct volume *v, uint64_t object, const struct dir_name *name, struct xattr_item *item)
{
	enum cv_err err = name_check(name);
	const uint8_t *value;

	if (err)
		return err;
	item->key = (struct item_key){
		.object = object, .type = ITEM_XATTR, .offset = dir_name_hash(v, name)
	};
	item->len = 0;
	err = tree_get(&v->tree, &item->key, &value, &item->len);
	if (err == CV_ERR_NOT_FOUND) {
		item->len = 0;
		return CV_OK;
	}
	if (!err)
		memcpy(item->value, value, item->len);
	return err;
}

/* Where the attribute starts in the item; item->len if it is not there. */
static size_t entry_at(
	const struct xattr_item *item, const struct dir_name *name, struct xattr_entry *x)
{
	size_t start = 0;
	size_t at = 0;

	while (xattr_next(x, item->value, item->len, &at)) {
		if (x->name_len == name->len && memcmp(x->name, name->bytes, name->len) == 0)
			return start;
		start = at;
	}
	return item->len;
}

enum cv_err xattr_get(struct volume *v, uint64_t object, const struct dir_name *name, uint8_t *out,
	size_t *len)
{
	struct xattr_item item;
	struct xattr_entry x;
	enum cv_err err = item_load(v, object, name, &item);

	if (err)
		return err;
	if (entry_at(&item, name, &x) == item.len)
		return CV_ERR_NOT_FOUND;
	memcpy(out, x.value, x.value_len);
	*len = x.value_len;
	return CV_OK;
}

enum cv_err xattr_stage(struct volume *v, struct txn *t, uint64_t object,
	const struct dir_name *name, const uint8_t *value, size_t len)
{
	struct xattr_item item;
	struct xattr_entry x;
	enum cv_err err = item_load(v, object, name, &item);
	size_t start;

	if (err)
		return err;
	start = entry_at(&item, name, &x);
	if (start == item.len && !value)
		return CV_ERR_NOT_FOUND;
	if (start < item.len) {
		size_t bytes = xattr_bytes(&x);

		memmove(item.value + start, item.value + start + bytes, item.len - start - bytes);
		item.len -= bytes;
	}
	if (value) {
		x = (struct xattr_entry){ (const uint8_t *)name->bytes, value, name->len, len };
		if (xattr_bytes(&x) > ITEM_VALUE_MAX)
			return CV_ERR_TOO_LONG;
		if (xattr_bytes(&x) > ITEM_VALUE_MAX - item.len)
			return CV_ERR_FULL;
		item.len += xattr_encode(item.value + item.len, &x);
	}
	if (item.len)
		txn_put(t, &item.key, item.value, item.len);
	else
		txn_del(t, &item.key);
	return CV_OK;
}

typedef enum cv_err visit_entry(void *user, const struct xattr_entry *x);

static enum cv_err each(struct volume *v, uint64_t object, visit_entry *visit, void *user)
{
	struct item_key key = { .object = object, .type = ITEM_XATTR };
	enum cv_err err = CV_OK;

	for (; !err; key.offset++) {
		const uint8_t *value;
		struct xattr_entry x;
		size_t at = 0;
		size_t len;

		err = tree_next(&v->tree, &key, &value, &len);
		if (err)
			break;
		while (!err && xattr_next(&x, value, len, &at))
			err = visit(user, &x);
	}
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

struct sum {
	const struct dir_name *without;
	size_t bytes;
};

static enum cv_err add_up(void *user, const struct xattr_entry *x)
{
	struct sum *s = user;

	if (x->name_len != s->without->len || memcmp(x->name, s->without->bytes, x->name_len) != 0)
		s->bytes += XATTR_COST_BYTES + x->name_len + x->value_len;
	return CV_OK;
}

static enum cv_err fits(struct volume *v, uint64_t object, const struct dir_name *name, size_t len)
{
	struct sum s = { .without = name, .bytes = XATTR_COST_BYTES + name->len + len };
	enum cv_err err = each(v, object, add_up, &s);

	return !err && s.bytes > XATTR_SPACE_MAX ? CV_ERR_FULL : err;
}

/* The flags hold for what is there now. */
static enum cv_err allowed(
	struct volume *v, uint64_t object, const struct dir_name *name, unsigned flags)
{
	struct xattr_item item;
	struct xattr_entry x;
	enum cv_err err = item_load(v, object, name, &item);
	bool there;

	if (err)
		return err;
	there = entry_at(&item, name, &x) < item.len;
	if (there && flags & XATTR_ONLY_NEW)
		return CV_ERR_EXISTS;
	return !there && flags & XATTR_ONLY_OLD ? CV_ERR_NOT_FOUND : CV_OK;
}

enum cv_err xattr_commit(struct volume *v, struct txn *t, uint64_t object, struct inode *inode,
	enum txn_class class)
{
	enum cv_err err = CV_ERR_INTERNAL;

	inode_changed(inode);
	txn_put_inode(t, object, inode);
	err = txn_commit(v, t, class);
	return err ? err : checkpoint_if_due(v);
}

static enum cv_err commit(struct volume *v, uint64_t object, const struct dir_name *name,
	const uint8_t *value, size_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	struct txn txn;

	txn_init(&txn);
	err = inode_get(v, object, &inode);
	if (!err)
		err = xattr_stage(v, &txn, object, name, value, len);
	if (!err)
		err = xattr_commit(v, &txn, object, &inode, value ? TXN_ADDS : TXN_FREES);
	txn_wipe(&txn);
	return err;
}

enum cv_err xattr_set(struct volume *v, uint64_t object, const struct dir_name *name,
	const uint8_t *value, size_t len, unsigned flags)
{
	static const uint8_t nothing[1];
	enum cv_err err = CV_ERR_INTERNAL;

	if (flags & ~(unsigned)(XATTR_ONLY_NEW | XATTR_ONLY_OLD))
		return CV_ERR_ARGUMENT;
	err = allowed(v, object, name, flags);
	if (!err && len > ITEM_VALUE_MAX)
		err = CV_ERR_TOO_LONG;
	if (!err)
		err = fits(v, object, name, len);
	return err ? err : commit(v, object, name, len ? value : nothing, len);
}

enum cv_err xattr_remove(struct volume *v, uint64_t object, const struct dir_name *name)
{
	return commit(v, object, name, NULL, 0);
}

struct names {
	char *out;
	size_t len;
};

static enum cv_err add_name(void *user, const struct xattr_entry *x)
{
	struct names *n = user;

	if (x->name_len + 1 > XATTR_SPACE_MAX - n->len)
		return CV_ERR_TOO_LONG;
	memcpy(n->out + n->len, x->name, x->name_len);
	n->out[n->len + x->name_len] = '\0';
	n->len += x->name_len + 1;
	return CV_OK;
}

enum cv_err xattr_list(struct volume *v, uint64_t object, char *out, size_t *len)
{
	struct names n = { .out = out };
	enum cv_err err = each(v, object, add_name, &n);

	*len = n.len;
	return err;
}
