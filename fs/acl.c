#include "fs/acl.h"

#include "fs/checkpoint.h"

#define ACL_VERSION 2
#define ACL_HEAD_BYTES 4
#define ACL_ENTRY_BYTES 8
#define ACL_SHORTEST (ACL_HEAD_BYTES + 3 * ACL_ENTRY_BYTES) /* says no more than a mode */

enum acl_tag {
	ACL_USER_OBJ = 1,
	ACL_USER = 2,
	ACL_GROUP_OBJ = 4,
	ACL_GROUP = 8,
	ACL_MASK = 16,
	ACL_OTHER = 32
};

/* Where the entry of a tag that appears once is; 0 if there is none. */
static size_t entry_of(const uint8_t *list, size_t len, enum acl_tag tag)
{
	for (size_t at = ACL_HEAD_BYTES; at < len; at += ACL_ENTRY_BYTES)
		if (le16(list + at) == tag)
			return at;
	return 0;
}

bool acl_valid(const uint8_t *list, size_t len)
{
	unsigned last = 0;
	bool named = false;
	unsigned once = 0;

	if (len < ACL_SHORTEST || (len - ACL_HEAD_BYTES) % ACL_ENTRY_BYTES ||
		le32(list) != ACL_VERSION)
		return false;
	for (size_t at = ACL_HEAD_BYTES; at < len; at += ACL_ENTRY_BYTES) {
		unsigned tag = le16(list + at);
		bool repeats = tag == ACL_USER || tag == ACL_GROUP;

		if (tag == 0 || tag > ACL_OTHER || (tag & (tag - 1)) || le16(list + at + 2) > 7)
			return false;
		if (tag < last || (tag == last && !repeats))
			return false;
		named |= repeats;
		once |= tag;
		last = tag;
	}
	return (once & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)) ==
		       (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER) &&
	       (!named || once & ACL_MASK);
}

/* Where the permissions are that the bits of a mode stand for: owner, group class, others. */
static void places(const uint8_t *list, size_t len, size_t at[3])
{
	at[0] = entry_of(list, len, ACL_USER_OBJ) + 2;
	at[1] = entry_of(list, len, ACL_MASK) + 2;
	if (at[1] == 2)
		at[1] = entry_of(list, len, ACL_GROUP_OBJ) + 2;
	at[2] = entry_of(list, len, ACL_OTHER) + 2;
}

uint32_t acl_mode(const uint8_t *list, size_t len)
{
	uint32_t mode = 0;
	size_t at[3];

	places(list, len, at);
	for (unsigned i = 0; i < 3; i++)
		mode = mode << 3 | le16(list + at[i]);
	return mode;
}

static void put_mode(uint8_t *list, size_t len, uint32_t mode)
{
	size_t at[3];

	places(list, len, at);
	for (unsigned i = 0; i < 3; i++)
		put_le16(list + at[i], (uint16_t)(mode >> (6 - 3 * i) & 7));
}

/* NOT_FOUND, or a list that is valid. */
static enum cv_err load(
	struct volume *v, uint64_t object, const char *text, uint8_t *list, size_t *len)
{
	struct dir_name name = xattr_name(text);
	enum cv_err err = xattr_get(v, object, &name, list, len);

	return !err && !acl_valid(list, *len) ? CV_ERR_TAMPERED : err;
}

static enum cv_err stage(struct volume *v, struct txn *t, uint64_t object, const char *text,
	const uint8_t *list, size_t len)
{
	struct dir_name name = xattr_name(text);
	enum cv_err err = xattr_stage(v, t, object, &name, len ? list : NULL, len);

	/* to take away what is not there is done */
	return err == CV_ERR_NOT_FOUND && len == 0 ? CV_OK : err;
}

enum cv_err acl_set(struct volume *v, uint64_t object, bool is_default, const uint8_t *list,
	size_t len, bool keep_setgid)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t copy[XATTR_VALUE_MAX];
	struct inode inode;
	struct txn txn;

	if (len > sizeof(copy))
		return CV_ERR_TOO_LONG;
	if (len && !acl_valid(list, len))
		return CV_ERR_ARGUMENT;
	txn_init(&txn);
	err = inode_get(v, object, &inode);
	if (!err && is_default && !S_ISDIR(inode.mode))
		err = len ? CV_ERR_PERMISSION : CV_OK;
	if (err)
		goto out;
	if (len)
		memcpy(copy, list, len);
	if (!is_default && len) {
		inode.mode = (inode.mode & ~0777u) | acl_mode(copy, len);
		if (!keep_setgid)
			inode.mode &= ~(uint32_t)S_ISGID;
		len = len == ACL_SHORTEST ? 0 : len;
	}
	err = stage(v, &txn, object, is_default ? ACL_DEFAULT : ACL_ACCESS, copy, len);
	if (!err)
		err = xattr_commit(v, &txn, object, &inode, len ? TXN_ADDS : TXN_FREES);
out:
	txn_wipe(&txn);
	return err;
}

enum cv_err acl_stage_mode(struct volume *v, struct txn *t, uint64_t object, uint32_t mode)
{
	uint8_t list[XATTR_VALUE_MAX];
	size_t len;
	enum cv_err err = load(v, object, ACL_ACCESS, list, &len);

	if (err)
		return err == CV_ERR_NOT_FOUND ? CV_OK : err;
	put_mode(list, len, mode);
	return stage(v, t, object, ACL_ACCESS, list, len);
}

enum cv_err acl_stage_new(struct volume *v, struct txn *t, uint64_t dir, uint64_t object,
	struct inode *inode, uint32_t umask)
{
	uint8_t list[XATTR_VALUE_MAX];
	size_t len;
	enum cv_err err = CV_ERR_INTERNAL;

	if (S_ISLNK(inode->mode))
		return CV_OK;
	err = load(v, dir, ACL_DEFAULT, list, &len);
	if (err == CV_ERR_NOT_FOUND) {
		inode->mode &= ~(umask & 0777);
		return CV_OK;
	}
	if (!err && S_ISDIR(inode->mode))
		err = stage(v, t, object, ACL_DEFAULT, list, len);
	if (err)
		return err;
	inode->mode &= acl_mode(list, len) | ~0777u;
	put_mode(list, len, inode->mode);
	return len == ACL_SHORTEST ? CV_OK : stage(v, t, object, ACL_ACCESS, list, len);
}
