#include "fs/mount_ops.h"

#include "fs/attr.h"
#include "fs/checkpoint.h"
#include "fs/data.h"
#include "fs/dir.h"
#include "fs/mount_atime.h"
#include "fs/mount_cache.h"
#include "fs/mount_priv.h"
#include "fs/reap.h"

#define TIMEOUT_S 86400.0

double mount_timeout(void)
{
	return TIMEOUT_S;
}

struct mount *mount_lock(fuse_req_t req)
{
	struct mount *m = fuse_req_userdata(req);

	(void)pthread_mutex_lock(&m->volume->lock);
	return m;
}

void mount_unlock(struct mount *m)
{
	tree_trim(&m->volume->tree);
	(void)pthread_mutex_unlock(&m->volume->lock);
}

/* Fills an entry and counts the lookup under `parent`. */
static enum cv_err fill_entry(
	struct mount *m, uint64_t parent, uint64_t object, struct fuse_entry_param *e)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;

	err = inode_get(m->volume, object, &inode);
	if (err == CV_ERR_NOT_FOUND)
		return CV_ERR_TAMPERED; /* a name without its inode */
	if (!err)
		err = lookups_add(&m->lookups, object, parent);
	if (err)
		return err;
	memset(e, 0, sizeof(*e));
	e->ino = object;
	e->entry_timeout = TIMEOUT_S;
	mount_stat(m, object, &inode, &e->attr, &e->attr_timeout);
	lookups_told(&m->lookups, object, e->attr_timeout > 0);
	return CV_OK;
}

static struct dir_name as_name(const char *text)
{
	return (struct dir_name){ text, strlen(text) };
}

static void reply_entry(fuse_req_t req, int e, const struct fuse_entry_param *entry)
{
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_entry(req, entry);
}

/* "." and ".." of a file handle: the object itself, and the directory above. */
static enum cv_err lookup_dots(struct mount *m, uint64_t object, bool up, struct fuse_entry_param *e)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;

	err = inode_get(m->volume, object, &inode);
	if (!err && up && !S_ISDIR(inode.mode))
		err = CV_ERR_NOT_DIR;
	if (!err && inode.links == 0)
		err = CV_ERR_NOT_FOUND;
	if (err)
		return err;
	object = up ? inode.parent : object;
	return fill_entry(m, lookups_parent(&m->lookups, object), object, e);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *text)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = as_name(text);
	struct fuse_entry_param entry;
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t object;
	int e;

	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
		e = mount_errno(m, lookup_dots(m, parent, text[1], &entry), parent, "lookup");
		mount_unlock(m);
		reply_entry(req, e, &entry);
		return;
	}
	err = dir_lookup(m->volume, parent, &name, &object);
	if (err == CV_ERR_NOT_FOUND) {
		/* ino 0: the kernel remembers that there is no such name */
		memset(&entry, 0, sizeof(entry));
		entry.entry_timeout = TIMEOUT_S;
		err = CV_OK;
	} else if (!err) {
		err = fill_entry(m, parent, object, &entry);
	}
	e = mount_errno(m, err, parent, "lookup");
	mount_unlock(m);
	reply_entry(req, e, &entry);
}

static void forget_locked(struct mount *m, uint64_t object, uint64_t count)
{
	enum cv_err err = CV_ERR_INTERNAL;

	if (lookups_forget(&m->lookups, object, count) || m->volume->read_only ||
		m->volume->frozen || !reap_waits(m->volume, object))
		return;
	err = reap_soon(m->volume, object);
	if (err)
		(void)mount_errno(m, err, object, "free");
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct mount *m = mount_lock(req);

	forget_locked(m, ino, count);
	mount_unlock(m);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct mount *m = mount_lock(req);

	for (size_t i = 0; i < count; i++)
		forget_locked(m, forgets[i].ino, forgets[i].nlookup);
	mount_unlock(m);
	fuse_reply_none(req);
}

static void reply_attr(
	fuse_req_t req, struct mount *m, enum cv_err err, fuse_ino_t ino, const char *what)
{
	double timeout = 0;
	struct inode inode;
	struct stat st;
	int e;

	if (!err)
		err = inode_get(m->volume, ino, &inode);
	if (!err) {
		mount_stat(m, ino, &inode, &st, &timeout);
		lookups_told(&m->lookups, ino, timeout > 0);
	}
	e = mount_errno(m, err, ino, what);
	mount_unlock(m);
	if (e) {
		fuse_reply_err(req, e);
		return;
	}
	fuse_reply_attr(req, &st, timeout);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_lock(req);

	reply_attr(req, m, mount_failed(m, ino, fi) ? CV_ERR_FULL : CV_OK, ino, "stat");
}

static struct item_time time_from(const struct timespec *ts, bool now)
{
	struct item_time t = { .sec = ts->tv_sec, .nsec = (uint32_t)ts->tv_nsec };

	if (now)
		inode_now(&t);
	return t;
}

static struct attr_change change_from(const struct stat *st, int to_set)
{
	struct attr_change c = {
		.from = { .mode = st->st_mode, .uid = st->st_uid, .gid = st->st_gid }
	};

	c.from.atime = time_from(&st->st_atim, to_set & FUSE_SET_ATTR_ATIME_NOW);
	c.from.mtime = time_from(&st->st_mtim, to_set & FUSE_SET_ATTR_MTIME_NOW);
	c.from.ctime = time_from(&st->st_ctim, false);
	c.set |= to_set & FUSE_SET_ATTR_MODE ? ATTR_SET_MODE : 0;
	c.set |= to_set & FUSE_SET_ATTR_UID ? ATTR_SET_UID : 0;
	c.set |= to_set & FUSE_SET_ATTR_GID ? ATTR_SET_GID : 0;
	c.set |= to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW) ? ATTR_SET_ATIME : 0;
	c.set |= to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW) ? ATTR_SET_MTIME : 0;
	c.set |= to_set & FUSE_SET_ATTR_CTIME ? ATTR_SET_CTIME : 0;
	return c;
}

/*
 * The times that the kernel sends when a file loses its last name: it keeps them itself as long as
 * somebody has the file, and nobody can see them after that.
 */
static bool goes_with_it(struct mount *m, uint64_t object, const struct attr_change *change)
{
	struct inode inode;

	return m->writeback && change->set && !(change->set & ~(ATTR_SET_MTIME | ATTR_SET_CTIME)) &&
	       inode_get(m->volume, object, &inode) == CV_OK && S_ISREG(inode.mode) &&
	       inode.links == 0;
}

static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, struct fuse_file_info *fi)
{
	struct mount *m = mount_lock(req);
	struct attr_change change = change_from(st, to_set);
	enum cv_err err = CV_OK;

	(void)fi;
	/* size and mode in one transaction: new content never meets an old setuid bit */
	if (mount_priv_asked() || change.set & (ATTR_SET_UID | ATTR_SET_GID))
		err = mount_priv_clear(m, ino, &change);
	if (!err && to_set & FUSE_SET_ATTR_SIZE)
		err = data_truncate(
			m->volume, ino, (uint64_t)st->st_size, change.set ? &change : NULL);
	else if (!err && change.set && !goes_with_it(m, ino, &change))
		err = attr_set(m->volume, ino, &change);
	if (!err)
		err = checkpoint_if_due(m->volume);
	reply_attr(req, m, err, ino, "set attributes");
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct mount *m = mount_lock(req);
	char target[SYMLINK_MAX + 1];
	int e = mount_errno(m, dir_readlink(m->volume, ino, target), ino, "readlink");

	if (!e)
		mount_atime(m, ino, 0);
	mount_unlock(m);
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_readlink(req, target);
}

static struct dir_new new_object(fuse_req_t req, mode_t mode)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct dir_new){
		.mode = mode, .uid = ctx->uid, .gid = ctx->gid, .umask = (uint32_t)ctx->umask
	};
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *text, const struct dir_new *new)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = as_name(text);
	struct fuse_entry_param entry;
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t object;
	int e;

	err = dir_create(m->volume, parent, &name, new, &object);
	if (!err)
		err = fill_entry(m, parent, object, &entry);
	e = mount_errno(m, err, parent, "create");
	mount_unlock(m);
	reply_entry(req, e, &entry);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *text, mode_t mode, dev_t rdev)
{
	struct dir_new new = new_object(req, mode);

	new.rdev = S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0;
	make(req, parent, text, &new);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *text, mode_t mode)
{
	struct dir_new new = new_object(req, S_IFDIR | (mode & 07777));

	make(req, parent, text, &new);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *text)
{
	struct dir_new new = new_object(req, S_IFLNK | 0777);

	new.target = target;
	make(req, parent, text, &new);
}

static void op_create(
	fuse_req_t req, fuse_ino_t parent, const char *text, mode_t mode, struct fuse_file_info *fi)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = as_name(text);
	struct dir_new new = new_object(req, S_IFREG | (mode & 07777));
	struct fuse_entry_param entry;
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	uint64_t object;
	int e;

	err = dir_create(m->volume, parent, &name, &new, &object);
	if (!err)
		err = fill_entry(m, parent, object, &entry);
	if (!err)
		mount_opened(m, object, fi);
	/* once more, now that there is a writer */
	if (!err)
		err = inode_get(m->volume, object, &inode);
	if (!err)
		mount_stat(m, object, &inode, &entry.attr, &entry.attr_timeout);
	e = mount_errno(m, err, parent, "create");
	mount_unlock(m);
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_create(req, &entry, fi);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *text)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = as_name(text);
	struct fuse_entry_param entry;
	enum cv_err err = CV_ERR_INTERNAL;
	int e;

	err = dir_link(m->volume, ino, parent, &name);
	if (!err)
		err = fill_entry(m, parent, ino, &entry);
	e = mount_errno(m, err, ino, "link");
	mount_unlock(m);
	reply_entry(req, e, &entry);
}

/* Replies; what lost its last name and is not known to the kernel is freed at once. */
static void reply_removed(
	fuse_req_t req, struct mount *m, enum cv_err err, fuse_ino_t parent, uint64_t gone)
{
	int e = mount_errno(m, err, parent, "remove");

	if (gone && lookups_get(&m->lookups, gone) == 0)
		(void)mount_errno(m, reap_soon(m->volume, gone), gone, "free");
	mount_unlock(m);
	fuse_reply_err(req, e);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *text)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = as_name(text);
	uint64_t gone = 0;
	enum cv_err err = dir_unlink(m->volume, parent, &name, &gone);

	reply_removed(req, m, err, parent, gone);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *text)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = as_name(text);
	uint64_t gone = 0;
	enum cv_err err = dir_rmdir(m->volume, parent, &name, &gone);

	reply_removed(req, m, err, parent, gone);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *text, fuse_ino_t to_parent,
	const char *to_text, unsigned flags)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = as_name(text);
	struct dir_name to_name = as_name(to_text);
	uint64_t gone = 0;
	/* RENAME_NOREPLACE and RENAME_EXCHANGE have these very values; others are refused */
	enum cv_err err = dir_rename(m->volume, parent, &name, to_parent, &to_name, flags, &gone);
	uint64_t moved;

	if (!err && dir_lookup(m->volume, to_parent, &to_name, &moved) == CV_OK)
		lookups_move(&m->lookups, moved, to_parent);
	reply_removed(req, m, err, parent, gone);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct mount *m = mount_lock(req);
	struct volume *v = m->volume;
	struct statvfs st = {
		.f_bsize = BLOCK_BYTES, .f_frsize = BLOCK_BYTES, .f_namemax = NAME_BYTES_MAX
	};
	uint64_t unused;

	(void)ino;
	reap_waiting(v);
	unused = volume_blocks(v) - v->alloc.used_blocks;
	st.f_blocks = volume_blocks(v);
	st.f_bfree = unused;
	st.f_bavail = checkpoint_room(v, unused);
	st.f_files = v->super->objects + st.f_bavail; /* so that df -i shows those in use */
	st.f_ffree = st.f_bavail;
	st.f_favail = st.f_bavail;
	mount_unlock(m);
	fuse_reply_statfs(req, &st);
}

void mount_ops_names(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->forget_multi = op_forget_multi;
	ops->getattr = op_getattr;
	ops->setattr = op_setattr;
	ops->readlink = op_readlink;
	ops->mknod = op_mknod;
	ops->mkdir = op_mkdir;
	ops->symlink = op_symlink;
	ops->create = op_create;
	ops->link = op_link;
	ops->unlink = op_unlink;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
	ops->statfs = op_statfs;
}
