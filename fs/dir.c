#include "fs/dir.h"

#include "fs/acl.h"
#include "fs/checkpoint.h"

#define COOKIE_FIRST 3 /* 1 and 2 stand behind "." and ".." */

enum cv_err dir_get(struct volume *v, uint64_t dir, struct inode *inode)
{
	enum cv_err err = inode_get(v, dir, inode);

	if (err)
		return err;
	if (!S_ISDIR(inode->mode))
		return CV_ERR_NOT_DIR;
	return inode->links ? CV_OK : CV_ERR_NOT_FOUND;
}

enum cv_err dir_lookup(
	struct volume *v, uint64_t dir, const struct dir_name *name, uint64_t *object)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct dirent_item item;
	struct name_entry d;

	err = dir_name_check(name);
	if (!err)
		err = dirent_item_load(v, dir, name, &item);
	if (!err)
		err = dirent_item_find(&item, name, &d);
	if (!err)
		*object = d.object;
	return err;
}

/* The item for a name that must not be there yet. */
static enum cv_err load_free(
	struct volume *v, uint64_t dir, const struct dir_name *name, struct dirent_item *item)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct name_entry d;

	err = dir_name_check(name);
	if (!err)
		err = dirent_item_load(v, dir, name, item);
	if (err)
		return err;
	return dirent_item_find(item, name, &d) == CV_OK ? CV_ERR_EXISTS : CV_OK;
}

static enum cv_err new_inode(
	const struct dir_new *new, const struct inode *parent, uint64_t dir, struct inode *inode)
{
	memset(inode, 0, sizeof(*inode));
	inode->mode = new->mode;
	inode->uid = new->uid;
	inode->gid = new->gid;
	inode->rdev = new->rdev;
	inode->links = 1;
	if (parent->mode & S_ISGID) {
		inode->gid = parent->gid;
		if (S_ISDIR(new->mode))
			inode->mode |= S_ISGID;
	}
	if (S_ISDIR(new->mode)) {
		inode->links = 2;
		inode->parent = dir;
	}
	if (S_ISLNK(new->mode)) {
		inode->size = strlen(new->target);
		if (inode->size > SYMLINK_MAX)
			return CV_ERR_NAME_LONG;
		if (inode->size == 0)
			return CV_ERR_NOT_FOUND;
	}
	inode_now(&inode->btime);
	inode->atime = inode->mtime = inode->ctime = inode->btime;
	return CV_OK;
}

enum cv_err dir_create(struct volume *v, uint64_t dir, const struct dir_name *name,
	const struct dir_new *new, uint64_t *object)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t number = v->super->next_object;
	struct item_key link_key = { .object = number, .type = ITEM_SYMLINK };
	struct dirent_item item;
	struct inode parent;
	struct inode inode;
	struct txn txn;

	txn_init(&txn);
	err = dir_get(v, dir, &parent);
	if (!err)
		err = load_free(v, dir, name, &item);
	if (!err)
		err = new_inode(new, &parent, dir, &inode);
	if (!err && S_ISDIR(new->mode) && parent.links >= LINKS_MAX)
		err = CV_ERR_LINKS;
	if (!err)
		err = acl_stage_new(v, &txn, dir, number, &inode, new->umask);
	if (!err)
		err = dirent_item_add(&item, name, number, inode.mode);
	if (err)
		goto out;
	parent.size++;
	parent.links += S_ISDIR(new->mode) ? 1 : 0;
	inode_modified(&parent);
	dirent_item_store(&txn, &item);
	txn_put_inode(&txn, number, &inode);
	if (S_ISLNK(new->mode))
		txn_put(&txn, &link_key, (const uint8_t *)new->target, inode.size);
	txn_put_inode(&txn, dir, &parent);
	err = txn_commit(v, &txn, TXN_ADDS);
	if (!err)
		*object = number;
	if (!err)
		err = checkpoint_if_due(v);
out:
	txn_wipe(&txn);
	return err;
}

enum cv_err dir_link(struct volume *v, uint64_t object, uint64_t dir, const struct dir_name *name)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct dirent_item item;
	struct inode parent;
	struct inode inode;
	struct txn txn;

	txn_init(&txn);
	err = dir_get(v, dir, &parent);
	if (!err)
		err = inode_get(v, object, &inode);
	if (!err)
		err = load_free(v, dir, name, &item);
	if (err)
		goto out;
	err = S_ISDIR(inode.mode)        ? CV_ERR_PERMISSION
	      : inode.links >= LINKS_MAX ? CV_ERR_LINKS
	      : inode.links == 0         ? CV_ERR_NOT_FOUND
					 : dirent_item_add(&item, name, object, inode.mode);
	if (err)
		goto out;
	inode.links++;
	inode_changed(&inode);
	parent.size++;
	inode_modified(&parent);
	dirent_item_store(&txn, &item);
	txn_put_inode(&txn, object, &inode);
	txn_put_inode(&txn, dir, &parent);
	err = txn_commit(v, &txn, TXN_ADDS);
	if (!err)
		err = checkpoint_if_due(v);
out:
	txn_wipe(&txn);
	return err;
}

void dir_drop_link(struct txn *t, uint64_t object, struct inode *inode, uint64_t *gone)
{
	struct item_key key = { .object = OBJECT_VOLUME, .type = ITEM_ORPHAN, .offset = object };
	uint8_t orphan[ORPHAN_BYTES];

	inode->links = S_ISDIR(inode->mode) ? 0 : inode->links - 1;
	inode_changed(inode);
	txn_put_inode(t, object, inode);
	*gone = 0;
	if (inode->links)
		return;
	orphan_encode(orphan, ORPHAN_UNLINKED, 0);
	txn_put(t, &key, orphan, sizeof(orphan));
	*gone = object;
}

static enum cv_err removable(const struct inode *inode, bool want_dir)
{
	if (want_dir && !S_ISDIR(inode->mode))
		return CV_ERR_NOT_DIR;
	if (!want_dir && S_ISDIR(inode->mode))
		return CV_ERR_IS_DIR;
	return want_dir && inode->size ? CV_ERR_NOT_EMPTY : CV_OK;
}

static enum cv_err remove_name(
	struct volume *v, uint64_t dir, const struct dir_name *name, bool want_dir, uint64_t *gone)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct dirent_item item;
	struct inode parent;
	struct inode inode;
	struct name_entry d;
	struct txn txn;

	txn_init(&txn);
	*gone = 0;
	err = dir_get(v, dir, &parent);
	if (!err)
		err = dir_name_check(name);
	if (!err)
		err = dirent_item_load(v, dir, name, &item);
	if (!err)
		err = dirent_item_find(&item, name, &d);
	if (!err)
		err = inode_get(v, d.object, &inode);
	if (!err)
		err = removable(&inode, want_dir);
	if (err)
		goto out;
	parent.size--;
	parent.links -= want_dir ? 1 : 0;
	inode_modified(&parent);
	dir_drop_link(&txn, d.object, &inode, gone);
	dirent_item_remove(&item, name);
	dirent_item_store(&txn, &item);
	txn_put_inode(&txn, dir, &parent);
	err = txn_commit(v, &txn, TXN_FREES);
	if (!err)
		err = checkpoint_if_due(v);
out:
	txn_wipe(&txn);
	return err;
}

enum cv_err dir_unlink(struct volume *v, uint64_t dir, const struct dir_name *name, uint64_t *gone)
{
	return remove_name(v, dir, name, false, gone);
}

enum cv_err dir_rmdir(struct volume *v, uint64_t dir, const struct dir_name *name, uint64_t *gone)
{
	return remove_name(v, dir, name, true, gone);
}

enum cv_err dir_readlink(struct volume *v, uint64_t object, char *out)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct item_key key = { .object = object, .type = ITEM_SYMLINK };
	const uint8_t *value;
	size_t len;

	err = tree_get(&v->tree, &key, &value, &len);
	if (err)
		return err;
	memcpy(out, value, len);
	out[len] = '\0';
	return CV_OK;
}

static int entry_dots(
	uint64_t dir, const struct inode *inode, uint64_t cookie, dir_entry *entry, void *user)
{
	static const struct dir_name dots[2] = { { ".", 1 }, { "..", 2 } };
	const uint64_t objects[2] = { dir, inode->parent };

	for (uint64_t i = cookie; i < 2; i++)
		if (entry(user, &dots[i], objects[i], S_IFDIR, i + 1, 0))
			return 1;
	return 0;
}

enum cv_err dir_read(struct volume *v, uint64_t dir, uint64_t cookie, dir_entry *entry, void *user)
{
	struct item_key key = { .object = dir, .type = ITEM_DIRENT };
	enum cv_err err = CV_ERR_INTERNAL;
	struct tree_place place = { 0 };
	struct inode inode;

	err = inode_get(v, dir, &inode);
	if (!err && !S_ISDIR(inode.mode))
		err = CV_ERR_NOT_DIR;
	if (err || entry_dots(dir, &inode, cookie, entry, user))
		return err;
	key.offset = cookie < COOKIE_FIRST ? 0 : cookie - COOKIE_FIRST + 1;
	for (;; key.offset++) {
		unsigned index = 0;
		const uint8_t *value;
		struct name_entry d;
		size_t at = 0;
		size_t len;

		err = tree_step(&v->tree, &place, &key, &value, &len);
		if (err == CV_ERR_NOT_FOUND ||
			(!err && (key.object != dir || key.type != ITEM_DIRENT)))
			return CV_OK;
		if (err)
			return err;
		for (; dirent_next(&d, value, len, &at); index++) {
			struct dir_name name = { (const char *)d.name, d.name_len };

			if (entry(user, &name, d.object, (uint32_t)d.type << 12,
				    key.offset + COOKIE_FIRST, index))
				return CV_OK;
		}
	}
}
