/*
 * The seam between the device's watcher and the volume process (conclave-volumed, from fs/).
 *
 * The watcher opens everything and starts the volume process with inherited descriptors, named on
 * its command line by number:
 *
 *   conclave-volumed --key-fd N --control-fd N --container-fd N --fuse-fd N [--mount-point TEXT]
 *                    [--read-only] [--min-generation G] [--cache-mib M] [-o OPT,...]
 *
 *   key-fd        pipe; exactly 32 bytes, the unlock secret, then end of file; read once
 *   control-fd    SOCK_SEQPACKET socket pair; one struct volume_ctl_message per packet
 *   container-fd  the container, opened O_RDWR (or O_RDONLY) and locked (flock LOCK_EX, shared
 *                 with the watcher, so it stays held until both are gone)
 *   fuse-fd       /dev/fuse, already mounted at the mount point (libfuse: "/dev/fd/N")
 *
 * The volume process answers READY once the volume is open and FUSE is initialised, or FAILED with
 * a cv_err and a one-line text and exits. After READY it serves until the mount goes away, UNMOUNT
 * arrives, or SIGTERM: it then writes a last checkpoint, answers CLOSED and exits 0. End of file on
 * the control socket is not a reason to stop serving. It drops to no network and no new files
 * before it touches one byte of the container.
 */
#ifndef CONCLAVE_HOST_VOLUME_CTL_H
#define CONCLAVE_HOST_VOLUME_CTL_H

#include <stdint.h>

#define VOLUME_CTL_TEXT_MAX 2048

enum volume_ctl_type {
	/* volume process to watcher */
	VOLUME_CTL_READY = 1,	 /* generation, epoch and kind of the slot that opened */
	VOLUME_CTL_FAILED = 2,	 /* error, text */
	VOLUME_CTL_CLOSED = 3,	 /* generation: everything is durable */
	VOLUME_CTL_STATUS = 4,	 /* answer to QUERY and SYNC; generation, error; text is JSON */
	VOLUME_CTL_IDLE = 5,	 /* unused for as long as -o idle says: unmount if nobody is in it */
	/* watcher to volume process */
	VOLUME_CTL_SYNC = 16,	 /* make everything durable, then answer STATUS */
	VOLUME_CTL_UNMOUNT = 17, /* unmount (lazily if text is "lazy"), then CLOSED */
	VOLUME_CTL_QUERY = 18,
	VOLUME_CTL_REKEY = 19 /* new data keys, at text bytes a second (empty: default) */
};

struct volume_ctl_message {
	uint32_t type;	/* enum volume_ctl_type */
	uint32_t error; /* enum cv_err */
	uint64_t generation;
	uint32_t epoch;
	uint32_t reserved;
	char text[VOLUME_CTL_TEXT_MAX]; /* NUL-terminated */
};

#endif
