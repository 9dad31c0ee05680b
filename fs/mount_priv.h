/*
 * Setuid, setgid and FUSE_HANDLE_KILLPRIV_V2.
 *
 * Unless a filesystem takes this duty, the kernel asks for security.capability before every
 * write(2), which halves the rate of small writes. No libfuse can promise it in every version we
 * build with, and none hands the kernel's "clear the bits" flags on, so the raw requests and the
 * INIT reply are looked at on their way. With the duty taken
 *   - a SETATTR that sets nothing precedes each write, fallocate or copy that must clear the bits,
 *   - WRITE and SETATTR of a size carry a flag,
 *   - a change of owner clears them without a word.
 * security.capability is still removed by the kernel, with a request of its own.
 */
#ifndef CONCLAVE_FS_MOUNT_PRIV_H
#define CONCLAVE_FS_MOUNT_PRIV_H

#include "fs/attr.h"
#include "fs/mount_ops.h"

/* In place of fuse_session_mount; takes the descriptor over. */
CV_MUST_CHECK enum cv_err mount_priv_attach(struct mount *m, int fd);

/* The request that this thread has at hand asks for the bits to be cleared. */
bool mount_priv_asked(void);
/* Lets `change` clear the bits of `object` if it has any. CV_ERR_NOT_FOUND. */
CV_MUST_CHECK enum cv_err mount_priv_clear(
	struct mount *m, uint64_t object, struct attr_change *change);

#endif
