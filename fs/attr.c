#include "fs/attr.h"

#include "fs/acl.h"

enum cv_err attr_stage(struct volume *v, struct txn *t, uint64_t object, struct inode *inode,
	const struct attr_change *change)
{
	const struct inode *from = &change->from;
	unsigned set = change->set;
	enum cv_err err = CV_OK;

	if (set & ATTR_SET_MODE) {
		inode->mode = (inode->mode & S_IFMT) | (from->mode & 07777);
		err = acl_stage_mode(v, t, object, inode->mode);
	}
	if (set & ATTR_SET_UID)
		inode->uid = from->uid;
	if (set & ATTR_SET_GID)
		inode->gid = from->gid;
	if (set & ATTR_SET_ATIME)
		inode->atime = from->atime;
	if (set & ATTR_SET_MTIME)
		inode->mtime = from->mtime;
	inode_changed(inode);
	if (set & ATTR_SET_CTIME)
		inode->ctime = from->ctime;
	return err;
}

enum cv_err attr_set(struct volume *v, uint64_t object, const struct attr_change *change)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	struct txn txn;

	txn_init(&txn);
	err = inode_get(v, object, &inode);
	if (!err)
		err = attr_stage(v, &txn, object, &inode, change);
	if (err)
		goto out;
	txn_put_inode(&txn, object, &inode);
	err = txn_commit(v, &txn, TXN_FREES);
out:
	txn_wipe(&txn);
	return err;
}
