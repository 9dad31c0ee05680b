/* FUSE requests on extended attributes and access control lists. */
#include <errno.h>
#include <stdlib.h>

#include "fs/acl.h"
#include "fs/mount_ops.h"
#include "protocol/crypto.h"

/* Results that mean something else here than for a name in a directory. */
static int xattr_errno(struct mount *m, enum cv_err err, fuse_ino_t ino, const char *what)
{
	if (err == CV_ERR_NOT_FOUND)
		return ENODATA;
	if (err == CV_ERR_TOO_LONG)
		return E2BIG;
	if (err == CV_ERR_RANGE)
		return ERANGE;
	return mount_errno(m, err, ino, what);
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0 && text[strlen(with)] != '\0';
}

static bool is_acl(const char *text)
{
	return strcmp(text, ACL_ACCESS) == 0 || strcmp(text, ACL_DEFAULT) == 0;
}

/* Lists mean something only if the kernel checks by them. */
static bool known(const struct mount *m, const char *text)
{
	return starts(text, "user.") || starts(text, "trusted.") || starts(text, "security.") ||
	       (m->acl && is_acl(text));
}

static enum cv_err set_list(fuse_req_t req, struct mount *m, fuse_ino_t ino, const char *text,
	const char *value, size_t size)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;

	err = inode_get(m->volume, ino, &inode);
	if (err)
		return err;
	/* further groups of the caller are not known here; to lose the bit is the safe side */
	return acl_set(m->volume, ino, strcmp(text, ACL_DEFAULT) == 0, (const uint8_t *)value, size,
		ctx->uid == 0 || ctx->gid == inode.gid);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *text, const char *value,
	size_t size, int flags)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = xattr_name(text);
	enum cv_err err = CV_ERR_NOT_SUPPORTED;
	int e;

	if (known(m, text))
		err = is_acl(text) ? set_list(req, m, ino, text, value, size)
				   : xattr_set(m->volume, ino, &name, (const uint8_t *)value, size,
					     (unsigned)flags);
	e = xattr_errno(m, err, ino, "set attribute");
	mount_unlock(m);
	fuse_reply_err(req, e);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *text)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = xattr_name(text);
	enum cv_err err = CV_ERR_NOT_SUPPORTED;
	int e;

	if (known(m, text))
		err = is_acl(text) ? set_list(req, m, ino, text, NULL, 0)
				   : xattr_remove(m->volume, ino, &name);
	e = xattr_errno(m, err, ino, "remove attribute");
	mount_unlock(m);
	fuse_reply_err(req, e);
}

/* size 0 asks for the length. */
static void reply_bytes(fuse_req_t req, int e, const void *bytes, size_t len, size_t size)
{
	if (!e && size && len > size)
		e = ERANGE;
	if (e)
		fuse_reply_err(req, e);
	else if (size == 0)
		fuse_reply_xattr(req, len);
	else
		fuse_reply_buf(req, bytes, len);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size)
{
	struct mount *m = mount_lock(req);
	struct dir_name name = xattr_name(text);
	enum cv_err err = CV_ERR_NOT_SUPPORTED;
	uint8_t value[XATTR_VALUE_MAX];
	size_t len = 0;
	int e;

	if (known(m, text))
		err = xattr_get(m->volume, ino, &name, value, &len);
	e = xattr_errno(m, err, ino, "get attribute");
	mount_unlock(m);
	reply_bytes(req, e, value, len, size);
	crypto_wipe(value, len);
}

/* Takes names away that only the administrator may see. */
static size_t without_trusted(char *names, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		size_t bytes = strlen(names + at) + 1;

		if (!starts(names + at, "trusted.")) {
			memmove(names + kept, names + at, bytes);
			kept += bytes;
		}
		at += bytes;
	}
	return kept;
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char *names = malloc(XATTR_SPACE_MAX);
	struct mount *m;
	size_t len = 0;
	int e;

	if (!names) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	m = mount_lock(req);
	e = xattr_errno(m, xattr_list(m->volume, ino, names, &len), ino, "list attributes");
	mount_unlock(m);
	if (!e && fuse_req_ctx(req)->uid != 0)
		len = without_trusted(names, len);
	reply_bytes(req, e, names, len, size);
	free(names);
}

void mount_ops_xattrs(struct fuse_lowlevel_ops *ops)
{
	ops->setxattr = op_setxattr;
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
	ops->removexattr = op_removexattr;
}
