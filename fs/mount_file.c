/* FUSE requests on the content of files. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fs/data.h"
#include "fs/flush.h"
#include "fs/mount_atime.h"
#include "fs/mount_buffer.h"
#include "fs/mount_cache.h"
#include "fs/mount_priv.h"

/* It has no blocks, and the kernel may have been told something else (mount_cache.h). */
static bool is_empty(struct mount *m, fuse_ino_t ino)
{
	struct inode inode;

	return m->writeback && inode_get(m->volume, ino, &inode) == CV_OK && inode.blocks == 0;
}

/* Its attributes; the kernel may want other requests answered before it returns. */
static void put_in_doubt(struct mount *m, fuse_ino_t ino)
{
	receiver_pass(&m->receiver);
	(void)fuse_lowlevel_notify_inval_inode(m->session, ino, -1, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	bool update = mount_atime_due(req, ino, fi->flags);
	struct mount *m = mount_lock(req);
	bool forget;

	mount_opened(m, ino, fi);
	forget = mount_may_write(fi) && is_empty(m, ino);
	mount_unlock(m);
	fi->keep_cache = fi->keep_cache && !update;
	if (forget)
		put_in_doubt(m, ino);
	fuse_reply_open(req, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_lock(req);
	bool forget = false;

	if (mount_may_write(fi)) {
		lookups_writer(&m->lookups, ino, -1);
		/* with the close the kernel took its count of blocks for outdated */
		lookups_told(&m->lookups, ino, false);
		forget = is_empty(m, ino);
	}
	mount_unlock(m);
	fuse_reply_err(req, 0);
	if (forget)
		put_in_doubt(m, ino);
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct mount *m = mount_lock(req);
	uint8_t *buf = mount_buffer(size);
	enum cv_err err = CV_ERR_INTERNAL;
	size_t got = 0;
	int e;

	if (atomic_load(&m->hidden)) {
		mount_unlock(m);
		fuse_reply_err(req, ENOTCONN);
		return;
	}
	if (buf)
		err = data_read(m->volume, ino, (uint64_t)off, buf, size, &got);
	e = mount_errno(m, err, ino, "read");
	/* the kernel takes it that the access time has changed */
	lookups_told(&m->lookups, ino, false);
	if (!e)
		mount_atime(m, ino, fi->flags);
	mount_unlock(m);
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_buf(req, (const char *)buf, got);
}

/* Before the first byte, so that no crash leaves new content under an old setuid bit. */
static enum cv_err clear_first(struct mount *m, fuse_ino_t ino)
{
	struct attr_change change = { 0 };
	enum cv_err err = CV_OK;

	if (mount_priv_asked())
		err = mount_priv_clear(m, ino, &change);
	return err || !change.set ? err : attr_set(m->volume, ino, &change);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct mount *m = mount_lock(req);
	enum cv_err err = CV_ERR_INTERNAL;
	size_t done = 0;
	bool whole;
	int e;

	err = clear_first(m, ino);
	if (!err)
		err = data_write(m->volume, ino, (uint64_t)off, buf, size, &done);
	/* of a short answer to these the kernel would make EIO, whatever the reason */
	whole = fi->writepage || fi->flags & O_DIRECT;
	if (!err && whole && done < size)
		err = CV_ERR_FILE_SIZE;
	if (!err && fi->flags & O_DSYNC)
		err = flush_wait(m->volume);
	else if (err && done && !whole)
		err = CV_OK; /* a short write; the next one will tell why */
	e = mount_errno(m, err, ino, "write");
	if (e == ENOSPC && fi->writepage)
		lookups_failed(&m->lookups, ino);
	mount_unlock(m);
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_write(req, done);
	/* after the reply: nothing that the kernel may wait for is left to this thread */
	if (e == ENOSPC && fi->writepage)
		put_in_doubt(m, ino);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct mount *m = mount_lock(req);
	enum cv_err err = CV_OK;
	int e;

	(void)datasync;
	(void)fi;
	if (!m->volume->read_only)
		err = flush_wait(m->volume);
	/* a frozen volume has lost what was not durable: that is EIO, not EROFS */
	if (err == CV_ERR_READ_ONLY)
		err = CV_ERR_IO;
	e = mount_errno(m, err, ino, "fsync");
	mount_unlock(m);
	fuse_reply_err(req, e);
}

static void op_lseek(
	fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct mount *m;
	uint64_t found = 0;
	int e;

	(void)fi;
	if (off < 0 || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
		fuse_reply_err(req, off < 0 ? ENXIO : EINVAL);
		return;
	}
	m = mount_lock(req);
	/*
	 * Where the kernel may have bytes that have not come here, it must not be told of a hole, nor
	 * can it be told of the end: without this request it takes everything for data.
	 */
	if (m->writeback && lookups_writers(&m->lookups, ino)) {
		mount_unlock(m);
		fuse_reply_err(req, ENOSYS);
		return;
	}
	e = mount_errno(m, data_seek(m->volume, ino, (uint64_t)off, whence == SEEK_HOLE, &found),
		ino, "seek");
	mount_unlock(m);
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_lseek(req, (off_t)found);
}

void mount_ops_files(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->release = op_release;
	ops->read = op_read;
	ops->write = op_write;
	ops->fsync = op_fsync;
	ops->fsyncdir = op_fsync;
	ops->lseek = op_lseek;
}
