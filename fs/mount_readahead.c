#include "fs/mount_readahead.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int mount_readahead_open(const char *point)
{
	char path[64];
	struct statx st;

	/* the number of the device comes without asking the filesystem, which does not answer yet */
	if (!point || statx(AT_FDCWD, point, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &st) != 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", st.stx_dev_major,
		st.stx_dev_minor);
	return open(path, O_WRONLY | O_CLOEXEC);
}

void mount_readahead_set(int *fd)
{
	static const char kib[] = "1024\n";

	if (*fd < 0)
		return;
	/* reading ahead is a gift: without it everything works */
	(void)!write(*fd, kib, sizeof(kib) - 1);
	(void)close(*fd);
	*fd = -1;
}
