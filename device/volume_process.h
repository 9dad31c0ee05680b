/*
 * The volume process (host/volume_ctl.h), as its watcher sees it.
 */
#ifndef CONCLAVE_DEVICE_VOLUME_PROCESS_H
#define CONCLAVE_DEVICE_VOLUME_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "host/process.h"
#include "host/volume_ctl.h"
#include "protocol/err.h"
#include "protocol/limits.h"

struct volume_process {
	struct process process;
	int control; /* SOCK_SEQPACKET */
	bool ended;
	int status; /* wait status, once ended */
};

struct volume_start {
	const char *program;
	const char *mount_point;
	int container_fd; /* locked */
	int fuse_fd;
	int log_fd; /* becomes its standard error; -1: it inherits ours */
	bool read_only;
	uint64_t min_generation; /* 0 = any */
	bool accept_older;	 /* also when the newest superblocks are gone */
	unsigned int cache_mib;	 /* 0 = its own default */
	const char *words;	 /* of its -o; "" = none */
};

/* CONCLAVE_VOLUMED, the directory of this binary, the libexec directory; CV_ERR_NOT_FOUND. */
CV_MUST_CHECK enum cv_err volume_process_find(char *out, size_t cap);

/* Opens and locks the container: CV_ERR_NOT_FOUND, CV_ERR_BUSY (in use), CV_ERR_READ_ONLY, ... */
CV_MUST_CHECK enum cv_err volume_container_open(int *fd, const char *path, bool read_only);

/* Starts it and hands the secret over; everything it needs is inherited. Prints what fails. */
CV_MUST_CHECK enum cv_err volume_process_start(struct volume_process *v,
	const struct volume_start *start, const uint8_t secret[CV_SECRET_BYTES]);
/*
 * The next message; waits. CV_ERR_NOT_FOUND: it closed the socket (and is ending).
 */
CV_MUST_CHECK enum cv_err volume_process_receive(
	struct volume_process *v, struct volume_ctl_message *m);
CV_MUST_CHECK enum cv_err volume_process_send(
	struct volume_process *v, enum volume_ctl_type type, const char *text);
/* Reaps it; waits for its end. */
void volume_process_reap(struct volume_process *v);

#endif
