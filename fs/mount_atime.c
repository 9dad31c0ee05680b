#include "fs/mount_atime.h"

#include <fcntl.h>

#include "fs/attr.h"

#define DAY_S 86400

static bool later(const struct item_time *a, const struct item_time *b)
{
	return a->sec != b->sec ? a->sec > b->sec : a->nsec > b->nsec;
}

static bool due(struct mount *m, uint64_t object, int flags, struct inode *inode)
{
	struct volume *v = m->volume;
	struct item_time now;

	if (!m->options.atime || v->read_only || v->frozen || flags & O_NOATIME ||
		(flags & O_ACCMODE) == O_WRONLY || inode_get(v, object, inode) != CV_OK)
		return false;
	inode_now(&now);
	return !later(&inode->atime, &inode->mtime) || !later(&inode->atime, &inode->ctime) ||
	       now.sec - inode->atime.sec >= DAY_S;
}

void mount_atime(struct mount *m, uint64_t object, int flags)
{
	struct attr_change change = { .set = ATTR_SET_ATIME | ATTR_SET_CTIME };
	struct inode inode;

	if (!due(m, object, flags, &inode))
		return;
	inode_now(&change.from.atime);
	change.from.ctime = inode.ctime;
	/* a full volume keeps the old time: reading does not fail for that */
	(void)!attr_set(m->volume, object, &change);
}

bool mount_atime_due(fuse_req_t req, uint64_t object, int flags)
{
	struct mount *m = fuse_req_userdata(req);
	struct inode inode;
	bool is;

	if (!m->options.atime)
		return false;
	(void)mount_lock(req);
	is = due(m, object, flags, &inode);
	mount_unlock(m);
	return is;
}
