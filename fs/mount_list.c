/* FUSE requests that list directories. */
#include <errno.h>
#include <string.h>

#include "fs/dir.h"
#include "fs/mount_atime.h"
#include "fs/mount_buffer.h"
#include "fs/mount_cache.h"
#include "fs/mount_ops.h"

#define DIRENT_PLUS_BYTES 176 /* of a name of 17 to 24 bytes in a reply to READDIRPLUS */

/* One answer to READDIR or READDIRPLUS. */
struct listing {
	fuse_req_t req;
	struct mount *m;
	uint64_t dir;
	bool plus;
	bool names; /* nobody has asked about the inodes yet */
	char *buf;
	size_t cap;
	size_t len;
	size_t group; /* where the names that share a cookie begin */
	enum cv_err err;
};

static bool is_dots(const struct dir_name *name)
{
	return name->bytes[0] == '.' &&
	       (name->len == 1 || (name->len == 2 && name->bytes[1] == '.'));
}

static size_t add_entry(
	struct listing *l, const char *text, uint64_t object, uint32_t type, uint64_t next)
{
	struct stat st = { .st_ino = object, .st_mode = type };

	return fuse_add_direntry(l->req, l->buf + l->len, l->cap - l->len, text, &st, (off_t)next);
}

static size_t add_entry_plus(struct listing *l, const struct dir_name *name, const char *text,
	uint64_t object, uint32_t type, uint64_t next)
{
	struct fuse_entry_param e = { .attr = { .st_ino = object, .st_mode = type } };
	struct inode inode;
	size_t need;

	/* what the kernel has already goes out as a mere name: it then does nothing with it */
	if (!l->names && !is_dots(name) && !lookups_is_told(&l->m->lookups, object)) {
		l->err = inode_get(l->m->volume, object, &inode);
		if (l->err)
			return 0;
		e.ino = object;
		e.entry_timeout = mount_timeout();
		mount_stat(l->m, object, &inode, &e.attr, &e.attr_timeout);
	}
	need = fuse_add_direntry_plus(
		l->req, l->buf + l->len, l->cap - l->len, text, &e, (off_t)next);
	/* an entry that is handed over with its inode counts as a lookup */
	if (need <= l->cap - l->len && e.ino) {
		l->err = lookups_add(&l->m->lookups, object, l->dir);
		lookups_told(&l->m->lookups, object, !l->err && e.attr_timeout > 0);
	}
	return need;
}

static int list_entry(void *user, const struct dir_name *name, uint64_t object, uint32_t type,
	uint64_t next, unsigned index)
{
	struct listing *l = user;
	char text[NAME_BYTES_MAX + 1];
	size_t need;

	memcpy(text, name->bytes, name->len);
	text[name->len] = '\0';
	if (index == 0)
		l->group = l->len;
	need = l->plus ? add_entry_plus(l, name, text, object, type, next)
		       : add_entry(l, text, object, type, next);
	if (l->err)
		return 1;
	if (need > l->cap - l->len) {
		l->len = l->group;
		return 1;
	}
	l->len += need;
	return 0;
}

/*
 * The kernel asks for the inodes, too, with the first names of every directory, and then goes on
 * with them only if somebody looks at a file. For a small directory that is worth a try; in a large
 * one they lie in as many nodes as there are files, and each is one more inode for the kernel.
 */
static bool too_many_to_guess(const struct listing *l)
{
	struct inode inode;

	return inode_get(l->m->volume, l->dir, &inode) == CV_OK &&
	       inode.size > l->cap / DIRENT_PLUS_BYTES;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	struct listing l = {
		.req = req, .dir = ino, .plus = plus, .buf = (char *)mount_buffer(size), .cap = size
	};
	enum cv_err err = CV_ERR_INTERNAL;
	int e;

	l.m = mount_lock(req);
	l.names = plus && off == 0 && too_many_to_guess(&l);
	if (l.buf)
		err = dir_read(l.m->volume, ino, (uint64_t)off, list_entry, &l);
	/* what was listed before the error goes out; the next call meets it again */
	if (!err && l.len == 0)
		err = l.err;
	e = mount_errno(l.m, err, ino, "readdir");
	if (!e)
		mount_atime(l.m, ino, 0);
	mount_unlock(l.m);
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_buf(req, l.buf, l.len);
}

static void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, off, false);
}

static void op_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, off, true);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct mount *m = fuse_req_userdata(req);

	(void)ino;
	if (m->no_opendir) {
		/* the kernel asks no more, and keeps what it has listed */
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fuse_reply_open(req, fi);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

void mount_ops_lists(struct fuse_lowlevel_ops *ops)
{
	ops->opendir = op_opendir;
	ops->releasedir = op_releasedir;
	ops->readdir = op_readdir;
	ops->readdirplus = op_readdirplus;
}
