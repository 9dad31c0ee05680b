#include "fs/inode.h"

#include <time.h>

void inode_now(struct item_time *t)
{
	struct timespec ts;

	/* The clock of the kernel's own stamps of cached writes: a finer one would run ahead of them, and
	 * a file seem older than one that was made before it. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	t->sec = ts.tv_sec;
	t->nsec = (uint32_t)ts.tv_nsec;
}

enum cv_err inode_get(struct volume *v, uint64_t object, struct inode *inode)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct item_key key = { .object = object, .type = ITEM_INODE };
	const uint8_t *value;
	size_t len;

	err = tree_get(&v->tree, &key, &value, &len);
	if (!err)
		inode_decode(inode, value);
	return err;
}

void inode_changed(struct inode *inode)
{
	inode_now(&inode->ctime);
	inode->change++;
}

void inode_modified(struct inode *inode)
{
	inode_changed(inode);
	inode->mtime = inode->ctime;
}

static void time_stat(struct timespec *ts, const struct item_time *t)
{
	ts->tv_sec = t->sec;
	ts->tv_nsec = t->nsec;
}

void inode_stat(struct stat *st, uint64_t object, const struct inode *inode)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = object;
	st->st_mode = inode->mode;
	st->st_nlink = inode->links;
	st->st_uid = inode->uid;
	st->st_gid = inode->gid;
	st->st_rdev = inode->rdev;
	st->st_size = (off_t)inode->size;
	st->st_blksize = BLOCK_BYTES;
	st->st_blocks = (blkcnt_t)(inode->blocks * (BLOCK_BYTES / 512));
	time_stat(&st->st_atim, &inode->atime);
	time_stat(&st->st_mtim, &inode->mtime);
	time_stat(&st->st_ctim, &inode->ctime);
}
