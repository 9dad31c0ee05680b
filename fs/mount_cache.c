#include "fs/mount_cache.h"

#include <fcntl.h>

#include "fs/checkpoint.h"

#define LOW_WATER_PART 16 /* of the volume, but no more than */
#define WRITER 1 /* handle of a descriptor that may write */
#define LOW_WATER_BYTES ((uint64_t)64 << 20)

bool mount_may_write(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

static bool nearly_full(const struct volume *v)
{
	uint64_t reserve = checkpoint_reserve(v, TXN_DATA) * NODE_BLOCKS;
	uint64_t unused = volume_blocks(v) - v->alloc.used_blocks;
	uint64_t mark = volume_blocks(v) / LOW_WATER_PART;

	if (mark > LOW_WATER_BYTES / BLOCK_BYTES)
		mark = LOW_WATER_BYTES / BLOCK_BYTES;
	return unused < reserve + mark;
}

bool mount_failed(struct mount *m, uint64_t object, const struct fuse_file_info *fi)
{
	return fi && fi->fh == WRITER && lookups_take_failure(&m->lookups, object);
}

void mount_opened(struct mount *m, uint64_t object, struct fuse_file_info *fi)
{
	/* nobody else changes the volume: what the kernel has cached stays true */
	fi->keep_cache = 1;
	if (!mount_may_write(fi))
		return;
	fi->fh = WRITER;
	lookups_writer(&m->lookups, object, 1);
	/* the kernel would take more than there is room for: writes come here one by one */
	if (m->writeback && nearly_full(m->volume)) {
		fi->direct_io = 1;
		fi->keep_cache = 0;
	}
}

void mount_stat(struct mount *m, uint64_t object, const struct inode *inode, struct stat *st,
	double *timeout)
{
	*timeout = mount_timeout();
	inode_stat(st, object, inode);
	if (!m->writeback || !S_ISREG(inode->mode) || !lookups_writers(&m->lookups, object))
		return;
	/* without any it would pass for one big hole; the kernel asks again after a close */
	if (inode->blocks == 0)
		st->st_blocks = BLOCK_BYTES / 512;
	if (nearly_full(m->volume))
		*timeout = 0;
}
