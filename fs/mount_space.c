/* FUSE requests on the space of files: fallocate, and copies within the volume. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>

#include "fs/flush.h"
#include "fs/data.h"
#include "fs/mount_ops.h"
#include "protocol/crypto.h"

#define COPY_MAX ((size_t)1 << 20) /* of one request, so that others get the lock */

static enum cv_err allocate(
	struct volume *v, fuse_ino_t ino, int mode, uint64_t offset, uint64_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;

	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
		return data_allocate(v, ino, offset, len, mode != 0);
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
		return data_punch(v, ino, offset, len);
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		err = data_punch(v, ino, offset, len);
		return err ? err
			   : data_allocate(v, ino, offset, len, mode & FALLOC_FL_KEEP_SIZE);
	default:
		return CV_ERR_NOT_SUPPORTED;
	}
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len,
	struct fuse_file_info *fi)
{
	struct mount *m;
	enum cv_err err = CV_ERR_ARGUMENT;
	int e;

	(void)fi;
	m = mount_lock(req);
	if (offset >= 0 && len > 0)
		err = allocate(m->volume, ino, mode, (uint64_t)offset, (uint64_t)len);
	e = mount_errno(m, err, ino, "fallocate");
	mount_unlock(m);
	fuse_reply_err(req, e);
}

static void op_copy(fuse_req_t req, fuse_ino_t in, off_t off_in, struct fuse_file_info *fi_in,
	fuse_ino_t out, off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags)
{
	size_t part = len < COPY_MAX ? len : COPY_MAX;
	enum cv_err err = CV_ERR_ARGUMENT;
	uint8_t *buf = malloc(part ? part : 1);
	struct mount *m;
	size_t got = 0;
	size_t done = 0;
	int e;

	(void)fi_in;
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	m = mount_lock(req);
	if (flags == 0 && off_in >= 0 && off_out >= 0)
		err = data_read(m->volume, in, (uint64_t)off_in, buf, part, &got);
	if (!err && got)
		err = data_write(m->volume, out, (uint64_t)off_out, buf, got, &done);
	if (!err && done && fi_out->flags & O_DSYNC)
		err = flush_wait(m->volume);
	else if (err && done)
		err = CV_OK; /* a short copy; the next one will tell why */
	e = mount_errno(m, err, out, "copy");
	mount_unlock(m);
	if (e)
		fuse_reply_err(req, e);
	else
		fuse_reply_write(req, done);
	crypto_wipe(buf, got);
	free(buf);
}

void mount_ops_space(struct fuse_lowlevel_ops *ops)
{
	ops->fallocate = op_fallocate;
	ops->copy_file_range = op_copy;
}
