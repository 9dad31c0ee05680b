/*
 * The kernel reads 128 KiB ahead of a program through FUSE. More is a setting of the mount that only
 * the administrator may change (/sys/class/bdi/DEVICE/read_ahead_kb), and only once the kernel has
 * taken its own figure from the reply to INIT.
 */
#ifndef CONCLAVE_FS_MOUNT_READAHEAD_H
#define CONCLAVE_FS_MOUNT_READAHEAD_H

/* Before the sandbox; -1 if it is not allowed or `point` (may be NULL) is not known. */
int mount_readahead_open(const char *point);
/* Raises it and closes *fd; nothing to do for -1. */
void mount_readahead_set(int *fd);

#endif
