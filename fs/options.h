/* The command line of conclave-volumed (host/volume_ctl.h). */
#ifndef CONCLAVE_FS_OPTIONS_H
#define CONCLAVE_FS_OPTIONS_H

#include "fs/mount.h"
#include "host/sandbox.h"

struct options {
	int key_fd;
	int control_fd;
	int container_fd;
	int fuse_fd;
	const char *mount_point; /* NULL: not known, so somebody else unmounts */
	bool read_only;
	bool accept_older;
	uint64_t min_generation;
	size_t cache_bytes;
	enum sandbox_mode sandbox;
	uint64_t idle_ms; /* unmount after so long without use; 0: never */
	struct mount_options mount;
	bool help;
};

/* CV_ERR_ARGUMENT with one line in `why`. */
CV_MUST_CHECK enum cv_err volumed_options_parse(
	struct options *o, int argc, char **argv, struct volume_why *why);
extern const char options_help[];

#endif
