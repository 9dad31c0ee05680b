#include "fs/checkpoint.h"
#include "fs/dir.h"

/* One side of a rename. */
struct side {
	uint64_t dir;
	const struct dir_name *name;
	struct inode *parent;     /* both sides share one if the directory is the same */
	struct dirent_item *item; /* likewise */
	uint64_t object;          /* 0: no such name */
	struct inode inode;
};

struct rename {
	struct side from;
	struct side to;
	struct inode parents[2];
	struct dirent_item items[2];
	unsigned flags;
};

static enum cv_err side_load(struct volume *v, struct side *s)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct name_entry d;

	err = dir_name_check(s->name);
	if (!err)
		err = dir_get(v, s->dir, s->parent);
	if (!err)
		err = dirent_item_load(v, s->dir, s->name, s->item);
	if (!err)
		err = dirent_item_find(s->item, s->name, &d);
	if (err)
		return err;
	s->object = d.object;
	return inode_get(v, s->object, &s->inode);
}

/* CV_ERR_ARGUMENT if `object` is `dir` or lies above it. */
static enum cv_err not_above(struct volume *v, uint64_t object, uint64_t dir)
{
	enum cv_err err = CV_OK;

	while (!err) {
		struct inode inode;

		if (dir == object)
			return CV_ERR_ARGUMENT;
		if (dir == OBJECT_ROOT)
			return CV_OK;
		err = inode_get(v, dir, &inode);
		if (!err && !S_ISDIR(inode.mode))
			err = CV_ERR_TAMPERED;
		dir = inode.parent;
	}
	return err;
}

static enum cv_err may_replace(const struct rename *r)
{
	const struct inode *old = &r->to.inode;

	if (S_ISDIR(r->from.inode.mode)) {
		if (!S_ISDIR(old->mode))
			return CV_ERR_NOT_DIR;
		return old->size ? CV_ERR_NOT_EMPTY : CV_OK;
	}
	return S_ISDIR(old->mode) ? CV_ERR_IS_DIR : CV_OK;
}

static enum cv_err load(struct volume *v, struct rename *r)
{
	enum cv_err err = CV_ERR_INTERNAL;

	r->from.parent = &r->parents[0];
	r->from.item = &r->items[0];
	r->to.parent = &r->parents[1];
	r->to.item = &r->items[1];
	err = side_load(v, &r->from);
	if (err)
		return err;
	err = side_load(v, &r->to);
	if (err == CV_ERR_NOT_FOUND && r->to.object)
		return CV_ERR_TAMPERED; /* a name without its inode */
	if (err == CV_ERR_NOT_FOUND && r->to.parent->links) {
		err = r->flags & DIR_RENAME_EXCHANGE ? CV_ERR_NOT_FOUND : CV_OK;
	}
	if (err)
		return err;
	if (r->from.dir == r->to.dir)
		r->to.parent = r->from.parent;
	if (item_key_compare(&r->from.item->key, &r->to.item->key) == 0)
		r->to.item = r->from.item;
	if (r->to.object && r->flags & DIR_RENAME_NOREPLACE)
		return CV_ERR_EXISTS;
	if (S_ISDIR(r->from.inode.mode))
		err = not_above(v, r->from.object, r->to.dir);
	if (!err && r->to.object && r->flags & DIR_RENAME_EXCHANGE && S_ISDIR(r->to.inode.mode))
		err = not_above(v, r->to.object, r->from.dir);
	if (!err && r->to.object && r->to.object != r->from.object &&
		!(r->flags & DIR_RENAME_EXCHANGE))
		err = may_replace(r);
	return err;
}

/* A directory has moved from one parent to the other: its ".." counts there. */
static void move_dotdot(struct side *s, struct side *away)
{
	if (!S_ISDIR(s->inode.mode) || s->dir == away->dir)
		return;
	s->inode.parent = away->dir;
	s->parent->links--;
	away->parent->links++;
}

static void exchange(struct rename *r)
{
	dirent_item_point(r->from.item, r->from.name, r->to.object, r->to.inode.mode);
	dirent_item_point(r->to.item, r->to.name, r->from.object, r->from.inode.mode);
	move_dotdot(&r->from, &r->to);
	move_dotdot(&r->to, &r->from);
	inode_changed(&r->to.inode);
}

static enum cv_err replace(struct rename *r, struct txn *txn, uint64_t *gone)
{
	enum cv_err err = CV_OK;

	if (r->to.object) {
		dirent_item_point(r->to.item, r->to.name, r->from.object, r->from.inode.mode);
		r->to.parent->links -= S_ISDIR(r->to.inode.mode) ? 1 : 0;
		dir_drop_link(txn, r->to.object, &r->to.inode, gone);
	}
	dirent_item_remove(r->from.item, r->from.name);
	if (!r->to.object) {
		err = dirent_item_add(r->to.item, r->to.name, r->from.object, r->from.inode.mode);
		r->to.parent->size++;
	}
	r->from.parent->size--;
	move_dotdot(&r->from, &r->to);
	return err;
}

static void gather(struct rename *r, struct txn *txn)
{
	inode_changed(&r->from.inode);
	inode_modified(r->from.parent);
	if (r->to.parent != r->from.parent)
		inode_modified(r->to.parent);
	dirent_item_store(txn, r->from.item);
	if (r->to.item != r->from.item)
		dirent_item_store(txn, r->to.item);
	txn_put_inode(txn, r->from.object, &r->from.inode);
	if (r->flags & DIR_RENAME_EXCHANGE)
		txn_put_inode(txn, r->to.object, &r->to.inode);
	txn_put_inode(txn, r->from.dir, r->from.parent);
	if (r->to.parent != r->from.parent)
		txn_put_inode(txn, r->to.dir, r->to.parent);
}

enum cv_err dir_rename(struct volume *v, uint64_t dir, const struct dir_name *name, uint64_t to_dir,
	const struct dir_name *to_name, unsigned flags, uint64_t *gone)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct rename r = { .from = { .dir = dir, .name = name },
		.to = { .dir = to_dir, .name = to_name },
		.flags = flags };
	struct txn txn;

	*gone = 0;
	if (flags & ~(unsigned)(DIR_RENAME_NOREPLACE | DIR_RENAME_EXCHANGE) ||
		flags == (DIR_RENAME_NOREPLACE | DIR_RENAME_EXCHANGE))
		return CV_ERR_ARGUMENT;
	txn_init(&txn);
	err = load(v, &r);
	/* two names of one object: POSIX wants that nothing happens */
	if (err || r.from.object == r.to.object)
		goto out;
	if (flags & DIR_RENAME_EXCHANGE)
		exchange(&r);
	else
		err = replace(&r, &txn, gone);
	if (err)
		goto out;
	gather(&r, &txn);
	err = txn_commit(v, &txn, TXN_FREES);
	if (!err)
		err = checkpoint_if_due(v);
out:
	if (err)
		*gone = 0;
	txn_wipe(&txn);
	return err;
}
