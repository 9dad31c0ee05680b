/* Takes a volume's container, a file or a block device, for its user alone. */
#ifndef CONCLAVE_HOST_CLAIM_H
#define CONCLAVE_HOST_CLAIM_H

#include <stdbool.h>

#include "protocol/err.h"

/*
 * open(2). With O_EXCL in `flags` nobody can mount or format a block device meanwhile; while somebody
 * else has it so, this waits up to 2 seconds: who closed it may have it for a moment longer.
 * Returns the descriptor, or -1 with errno: EBUSY if it is still taken.
 */
int claim_open(const char *path, int flags);

/*
 * An flock on `fd` that lives as long as the open file: exclusive if `alone`, else shared. CV_ERR_BUSY:
 * somebody else has one; for a device that is asked for alone only after 2 seconds, as udev holds a
 * shared one while it looks at a disk that was just written. CV_ERR_READ_ONLY: `to_write`, and the
 * device takes no writes, though it was opened for them. CV_ERR_IO: cannot be locked.
 */
CV_MUST_CHECK enum cv_err claim_lock(int fd, bool to_write, bool alone);

#endif
