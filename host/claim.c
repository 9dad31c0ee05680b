#include "host/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "host/clock.h"

#define PATIENCE_MS UINT64_C(2000)
#define LOOK_AGAIN_MS 10

static bool wait_until(uint64_t end_ms)
{
	if (clock_monotonic_ms() >= end_ms)
		return false;
	(void)poll(NULL, 0, LOOK_AGAIN_MS);
	return true;
}

int claim_open(const char *path, int flags)
{
	uint64_t until = clock_monotonic_ms() + PATIENCE_MS;
	int fd;

	do
		fd = open(path, flags);
	while (fd < 0 && errno == EBUSY && wait_until(until));
	return fd;
}

static bool is_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
}

enum cv_err claim_lock(int fd, bool to_write, bool alone)
{
	uint64_t until = clock_monotonic_ms();
	int protected = 0;

	if (to_write && ioctl(fd, BLKROGET, &protected) == 0 && protected)
		return CV_ERR_READ_ONLY;
	if (alone && is_device(fd))
		until += PATIENCE_MS;
	while (flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return CV_ERR_IO;
		if (errno == EWOULDBLOCK && !wait_until(until))
			return CV_ERR_BUSY;
	}
	return CV_OK;
}
