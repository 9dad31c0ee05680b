/* Between mount.c (session, workers) and mount_ops.c, mount_file.c, mount_list.c and so on (requests). */
#ifndef CONCLAVE_FS_MOUNT_OPS_H
#define CONCLAVE_FS_MOUNT_OPS_H

#include <fuse_lowlevel.h>
#include <pthread.h>

#include "fs/counters.h"
#include "fs/inode.h"
#include "fs/lookups.h"
#include "fs/mount.h"
#include "fs/receiver.h"
#include "fs/state.h"

#define MOUNT_WORKERS 4
/* Of one request: several workers share a large read, and each needs a buffer of this size. */
#define MOUNT_TRANSFER_MAX ((size_t)256 << 10)

struct mount {
	struct fuse_session *session;
	struct volume *volume;
	struct lookups lookups;
	struct counters counters;
	struct receiver receiver;
	struct mount_options options;
	int ready_fd;
	int ended_fd;
	pthread_t workers[MOUNT_WORKERS];
	unsigned worker_count;
	unsigned running; /* volume lock */
	atomic_bool draining;
	atomic_bool hidden; /* content is read no more */
	int fuse_fd;
	int readahead_fd; /* mount_readahead.h; -1 once it was written to */
	bool greeted; /* what the kernel can do is known */
	bool writeback;
	bool no_opendir; /* the kernel can do without OPENDIR */
	bool acl;             /* the kernel checks access lists */
	bool clears;          /* setuid bits are ours to clear (mount_priv.h) */
	uint64_t init_unique; /* of the INIT request; 0 once it is answered */
};

/* Requests on names and attributes; on content; that list; on space; on extended attributes. */
void mount_ops_names(struct fuse_lowlevel_ops *ops);
void mount_ops_files(struct fuse_lowlevel_ops *ops);
void mount_ops_lists(struct fuse_lowlevel_ops *ops);
void mount_ops_space(struct fuse_lowlevel_ops *ops);
void mount_ops_xattrs(struct fuse_lowlevel_ops *ops);

/* The reply to INIT is with the kernel: the mount answers from now on. */
void mount_greeted(struct mount *m);
/* Locks and returns the mount that a request is for. */
struct mount *mount_lock(fuse_req_t req);
void mount_unlock(struct mount *m);
/* The errno for a result; CV_OK is 0. Every EIO gets a log line with the object and the reason. */
int mount_errno(struct mount *m, enum cv_err err, uint64_t object, const char *what);
/* Seconds for which the kernel may trust names and attributes. */
double mount_timeout(void);

#endif
