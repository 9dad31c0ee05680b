/* What the kernel says is mounted (/proc/self/mountinfo, proc(5)). */
#ifndef CONCLAVE_DEVICE_MOUNT_TABLE_H
#define CONCLAVE_DEVICE_MOUNT_TABLE_H

#include "host/file.h"

/*
 * The container behind the volume that is mounted at `mount_point` (absolute, without symbolic
 * links), the uppermost one if there are several. CV_ERR_NOT_FOUND: no volume of ours is there.
 */
CV_MUST_CHECK enum cv_err mount_table_container(
	char container[FILE_PATH_BUF], const char *mount_point);

/* True if a mount of this container is left, as a bind mount may be; also if that is unknown. */
bool mount_table_has(const char *container);

/*
 * One line of mountinfo, cut up: false if it is not a volume of ours. For mount_table.c and tests.
 */
bool mount_table_line(char *line, char **mount_point, char **container);

#endif
