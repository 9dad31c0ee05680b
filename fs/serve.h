/*
 * The life of a mounted volume: requests in worker threads, and here the control socket, signals,
 * a checkpoint each second while something is dirty, and the end.
 */
#ifndef CONCLAVE_FS_SERVE_H
#define CONCLAVE_FS_SERVE_H

#include "fs/mount.h"
#include "fs/unmounter.h"

struct serve {
	struct volume *volume;
	struct mount *mount;
	struct unmounter unmounter;
	int control_fd;
	int signal_fd;
	int ready_fd; /* eventfds */
	int ended_fd;
	uint64_t idle_ms; /* unmount after so long without use; 0: never */
};

/*
 * Serves until the mount is gone, UNMOUNT or SIGTERM; then the last checkpoint and CLOSED. The
 * volume is used up afterwards, and if the mount could not be taken away its workers are stopped
 * for good: the process must end.
 */
CV_MUST_CHECK enum cv_err serve_run(struct serve *s);

#endif
