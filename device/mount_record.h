/*
 * mount.json in the run directory: what is mounted where, for `unmount` and `status` when the
 * watcher is gone (the volume process lives on without it).
 */
#ifndef CONCLAVE_DEVICE_MOUNT_RECORD_H
#define CONCLAVE_DEVICE_MOUNT_RECORD_H

#include "host/file.h"

struct mount_record {
	char container[FILE_PATH_BUF];
	char mount_point[FILE_PATH_BUF];
};

CV_MUST_CHECK enum cv_err mount_record_write(const char *run_dir, const struct mount_record *r);
CV_MUST_CHECK enum cv_err mount_record_read(struct mount_record *r, const char *run_dir);
void mount_record_remove(const char *run_dir);

#endif
