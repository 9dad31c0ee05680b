/* Moving what is in use to the front of a volume, and giving the rest back. */
#ifndef CONCLAVE_FS_COMPACT_H
#define CONCLAVE_FS_COMPACT_H

#include "fs/volume.h"

struct volume_compact_report {
	uint64_t blocks;      /* data blocks moved */
	uint64_t nodes;	      /* paths moved for their nodes' sake */
	uint64_t end;	      /* bytes: nothing is in use behind this */
	uint64_t size;	      /* of the volume now */
};

/*
 * Nobody else may be at work on the volume. size 0: everything goes as far to the front as leaves
 * room to work; the size stays (trim.h gives the free space back). Else the volume gets that size,
 * rounded down to 16384, and a container that is a file is cut to it once both superblock pairs say
 * so. Cut off at any moment everything is there, partly moved. CV_ERR_RANGE: not below 32 MiB, and
 * never larger; CV_ERR_FULL: the content does not fit; CV_ERR_TAMPERED: what is damaged cannot be
 * moved. Progress counts data blocks.
 */
CV_MUST_CHECK enum cv_err volume_compact(struct volume *volume, uint64_t size,
	volume_progress *progress, void *user, struct volume_compact_report *report,
	struct volume_why *why);

#endif
