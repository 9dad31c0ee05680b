#include "fs/mount_priv.h"

#include <errno.h>
#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/mount_buffer.h"

static _Thread_local bool asked;
static _Thread_local uint32_t caller_uid, caller_gid;
static _Thread_local bool reading; /* the request that this thread has at hand is READ */
static _Thread_local bool greeting; /* it is INIT */

bool mount_priv_asked(void)
{
	return asked;
}

/* What of SETATTR is only about how the file was named. */
#define NO_CHANGE (FATTR_FH | FATTR_LOCKOWNER | FATTR_KILL_SUIDGID)

static void look_at(struct mount *m, const uint8_t *buf, size_t len)
{
	struct fuse_in_header head;
	struct fuse_init_in init;
	struct fuse_setattr_in set;
	struct fuse_write_in write;

	asked = false;
	if (len < sizeof(head))
		return;
	memcpy(&head, buf, sizeof(head));
	reading = head.opcode == FUSE_READ;
	greeting = head.opcode == FUSE_INIT;
	caller_uid = head.uid;
	caller_gid = head.gid;
	counters_request(&m->counters, head.opcode);
	buf += sizeof(head);
	len -= sizeof(head);
	if (head.opcode == FUSE_INIT && len >= 16) {
		memcpy(&init, buf, 16);
		m->init_unique = init.flags & FUSE_HANDLE_KILLPRIV_V2 ? head.unique : 0;
	} else if (head.opcode == FUSE_WRITE && len >= sizeof(write)) {
		memcpy(&write, buf, sizeof(write));
		asked = write.write_flags & FUSE_WRITE_KILL_SUIDGID;
		counters_written(&m->counters, write.size);
	} else if (head.opcode == FUSE_SETATTR && len >= sizeof(set)) {
		memcpy(&set, buf, sizeof(set));
		asked = set.valid & FATTR_KILL_SUIDGID || (set.valid & ~NO_CHANGE) == 0;
	}
}

static void count_read(struct mount *m, const struct iovec *iov, int count)
{
	/* the first is the header */
	for (int i = 1; i < count; i++)
		counters_read(&m->counters, iov[i].iov_len);
	reading = false;
}

static ssize_t read_request(int fd, void *buf, size_t cap, void *user)
{
	struct mount *m = user;
	ssize_t n = receiver_read(&m->receiver, fd, buf, cap);

	mount_buffer_set(buf, cap);
	if (n > 0)
		look_at(m, buf, (size_t)n);
	return n;
}

/* The reply to INIT, and only that one, gets the flag. */
static ssize_t write_reply(int fd, struct iovec *iov, int count, void *user)
{
	struct mount *m = user;
	struct fuse_out_header head;
	struct fuse_init_out *out;
	ssize_t n;

	if (m->init_unique && count == 2 && iov[0].iov_len == sizeof(head) &&
		iov[1].iov_len >= offsetof(struct fuse_init_out, max_background)) {
		memcpy(&head, iov[0].iov_base, sizeof(head));
		if (head.unique == m->init_unique && head.error == 0) {
			out = iov[1].iov_base;
			out->flags |= FUSE_HANDLE_KILLPRIV_V2;
			m->init_unique = 0;
			m->clears = true;
		}
	}
	if (reading)
		count_read(m, iov, count);
	n = writev(fd, iov, count);
	if (greeting)
		mount_greeted(m);
	greeting = false;
	return n;
}

enum cv_err mount_priv_attach(struct mount *m, int fd)
{
	static const struct fuse_custom_io io = { .writev = write_reply, .read = read_request };

	return fuse_session_custom_io(m->session, &io, fd) == 0 ? CV_OK : CV_ERR_FUSE;
}

enum cv_err mount_priv_clear(struct mount *m, uint64_t object, struct attr_change *change)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;
	uint32_t mode;

	if (!m->clears)
		return CV_OK;
	err = inode_get(m->volume, object, &inode);
	if (err || S_ISDIR(inode.mode))
		return err;
	mode = change->set & ATTR_SET_MODE ? change->from.mode : inode.mode;
	mode &= ~(uint32_t)S_ISUID;
	/*
	 * Without execute permission for the group the bit stays for those who may set it. Further
	 * groups of the caller are not known here; to lose the bit is the safe side.
	 */
	if (mode & S_IXGRP || (caller_uid != 0 && caller_gid != inode.gid))
		mode &= ~(uint32_t)S_ISGID;
	if (mode == inode.mode)
		return CV_OK;
	change->from.mode = mode;
	change->set |= ATTR_SET_MODE;
	return CV_OK;
}
