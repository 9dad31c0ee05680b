#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

/* The directory of `path` into dir. */
static enum cv_err parent_of(char dir[FILE_PATH_BUF], const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;

	if (slash == NULL) {
		memcpy(dir, ".", 2);
		return CV_OK;
	}
	if (n >= FILE_PATH_BUF)
		return CV_ERR_TOO_LONG;
	if (n == 0)
		n = 1; /* "/name" */
	memcpy(dir, path, n);
	dir[n] = '\0';
	return CV_OK;
}

enum cv_err file_sync_dir(const char *path)
{
	enum cv_err err = CV_OK;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return file_error(errno);
	/* some filesystems cannot sync a directory and need not: EINVAL */
	if (fsync(fd) != 0 && errno != EINVAL)
		err = file_error(errno);
	close(fd);
	return err;
}

static enum cv_err open_temporary(int *fd, char temp[FILE_PATH_BUF], const char *path)
{
	for (int tries = 0; tries < 16; tries++) {
		int n = snprintf(temp, FILE_PATH_BUF, "%s.%08x.tmp", path, randombytes_random());

		if (n < 0 || n >= FILE_PATH_BUF)
			return CV_ERR_TOO_LONG;
		*fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*fd >= 0)
			return CV_OK;
		if (errno != EEXIST)
			return file_error(errno);
	}
	return CV_ERR_EXISTS;
}

static enum cv_err fill_and_close(int fd, const void *data, size_t len, mode_t mode)
{
	enum cv_err err = file_write_descriptor(fd, data, len);

	if (err == CV_OK && fchmod(fd, mode) != 0)
		err = file_error(errno);
	if (err == CV_OK && fsync(fd) != 0)
		err = file_error(errno);
	if (close(fd) != 0 && err == CV_OK)
		err = file_error(errno);
	return err;
}

/*
 * A device, a pipe or a link is not ours to replace: root would lose /dev/null to an option's
 * value.
 */
static bool may_replace(const char *path)
{
	struct stat st;

	return lstat(path, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

static enum cv_err write_file(
	const char *path, const void *data, size_t len, mode_t mode, bool replace)
{
	char temp[FILE_PATH_BUF];
	char dir[FILE_PATH_BUF];
	int fd = -1;
	enum cv_err err = !replace || may_replace(path) ? parent_of(dir, path) : CV_ERR_EXISTS;

	if (err == CV_OK)
		err = open_temporary(&fd, temp, path);
	if (err != CV_OK)
		return err;
	err = fill_and_close(fd, data, len, mode);
	if (err == CV_OK &&
		(replace ? rename(temp, path) :
			   renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE)) != 0)
		err = file_error(errno);
	if (err != CV_OK) {
		int saved = errno;

		unlink(temp);
		errno = saved;
		return err;
	}
	return file_sync_dir(dir);
}

enum cv_err file_write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
	return write_file(path, data, len, mode, true);
}

enum cv_err file_write_new(const char *path, const void *data, size_t len, mode_t mode)
{
	if (file_exists(path))
		return CV_ERR_EXISTS;
	return write_file(path, data, len, mode, false);
}

enum cv_err file_remove(const char *path)
{
	char dir[FILE_PATH_BUF];
	enum cv_err err = parent_of(dir, path);

	if (err != CV_OK)
		return err;
	if (unlink(path) != 0)
		return file_error(errno);
	return file_sync_dir(dir);
}
