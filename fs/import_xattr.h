/* Extended attributes and access lists from a host file to an object of a volume. */
#ifndef CONCLAVE_FS_IMPORT_XATTR_H
#define CONCLAVE_FS_IMPORT_XATTR_H

#include "fs/volume.h"

/*
 * Copies user., trusted., security. and POSIX access lists of `name` in the directory dir_fd (not
 * through a symbolic link); what the caller may not read on the host is not seen. A host
 * filesystem without attributes has none. Takes the volume's lock. `count` goes up by one for each.
 * CV_ERR_TOO_LONG, CV_ERR_FULL: the volume cannot hold one (`why` names it); other errors as
 * xattr_set.
 */
CV_MUST_CHECK enum cv_err import_xattrs(struct volume *v, int dir_fd, const char *name,
	uint64_t object, uint64_t *count, struct volume_why *why);

#endif
