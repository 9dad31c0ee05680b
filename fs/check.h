/* What volume_check finds, in full: each problem with the file that it is about. */
#ifndef CONCLAVE_FS_CHECK_H
#define CONCLAVE_FS_CHECK_H

#include "fs/volume.h"

#define CHECK_LISTED_MAX 1000 /* further ones are counted only */

struct volume_problem {
	const char *path; /* in the volume, from "/" on; NULL if it is not known */
	uint64_t object;  /* 0: the volume as a whole */
	uint64_t block;   /* of the container; 0: it is about no block */
	const char *text;
};

typedef void volume_problem_found(void *user, const struct volume_problem *problem);

struct volume_check_options {
	volume_progress *progress; /* counts blocks; may be NULL, as found */
	void *progress_user;
	volume_problem_found *found; /* called at the end, in the order of the walk */
	void *found_user;
};

/*
 * volume_check with a list. What follows from a node that does not open (names of objects that it
 * held, blocks that it referred to) is not told again.
 *
 * Memory   32 bytes for each object and a bit for each block of the 64 MiB regions that are in use:
 *          48 MiB for a volume of 1 TiB that is full of a million files. Nothing grows with the
 *          number of problems.
 */
CV_MUST_CHECK enum cv_err volume_check_list(struct volume *volume,
	const struct volume_check_options *options, struct volume_check_report *report);

#endif
