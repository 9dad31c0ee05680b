#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "host/secret.h"

enum cv_err file_path_join(char *out, size_t cap, const char *dir, const char *name)
{
	size_t dir_len = strlen(dir);
	const char *slash = dir_len > 0 && dir[dir_len - 1] == '/' ? "" : "/";
	int n = snprintf(out, cap, "%s%s%s", dir, slash, name);

	return n < 0 || (size_t)n >= cap ? CV_ERR_TOO_LONG : CV_OK;
}

enum cv_err file_read_descriptor(int fd, uint8_t *out, size_t cap, size_t *len)
{
	size_t have = 0;
	uint8_t extra;

	for (;;) {
		/* once the buffer is full, one more byte tells "exactly full" from "too long" */
		ssize_t n = have < cap ? read(fd, out + have, cap - have) : read(fd, &extra, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(errno);
		if (n == 0)
			break;
		if (have == cap)
			return CV_ERR_TOO_LONG;
		have += (size_t)n;
	}
	*len = have;
	return CV_OK;
}

enum cv_err file_write_descriptor(int fd, const void *data, size_t len)
{
	const uint8_t *pos = data;

	while (len > 0) {
		ssize_t n = write(fd, pos, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(errno);
		pos += n;
		len -= (size_t)n;
	}
	return CV_OK;
}

/* Opens a regular file without blocking on a FIFO, and gives its size. */
static enum cv_err open_regular(int *fd, struct stat *st, const char *path, int extra_flags)
{
	int f = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | extra_flags);

	if (f < 0)
		return file_error(errno);
	if (fstat(f, st) != 0) {
		enum cv_err err = file_error(errno);

		close(f);
		return err;
	}
	if (!S_ISREG(st->st_mode)) {
		close(f);
		return S_ISDIR(st->st_mode) ? CV_ERR_IS_DIR : CV_ERR_TYPE;
	}
	*fd = f;
	return CV_OK;
}

/*
 * The size that fstat gave is a hint only (/proc says 0, another process may append): the buffer
 * starts there and grows up to the limit.
 */
static enum cv_err read_growing(int fd, size_t hint, size_t limit, uint8_t **out, size_t *len)
{
	size_t cap = hint < limit ? hint : limit;
	uint8_t *buf = NULL;
	enum cv_err err = CV_ERR_INTERNAL;

	for (;;) {
		size_t have = 0;
		uint8_t *grown = realloc(buf, cap + 1);

		if (grown == NULL) {
			err = CV_ERR_MEMORY;
			break;
		}
		buf = grown;
		if (lseek(fd, 0, SEEK_SET) < 0) {
			err = file_error(errno);
			break;
		}
		err = file_read_descriptor(fd, buf, cap, &have);
		if (err == CV_OK) {
			buf[have] = '\0';
			*out = buf;
			*len = have;
			return CV_OK;
		}
		if (err != CV_ERR_TOO_LONG || cap == limit)
			break;
		cap = cap < limit / 2 ? cap * 2 + 4096 : limit;
		if (cap > limit)
			cap = limit;
	}
	free(buf);
	return err;
}

enum cv_err file_read(uint8_t **out, size_t *len, const char *path, size_t limit)
{
	struct stat st;
	int fd = -1;
	enum cv_err err = open_regular(&fd, &st, path, 0);

	if (err != CV_OK)
		return err;
	if (st.st_size > 0 && (uint64_t)st.st_size > limit)
		err = CV_ERR_TOO_LONG;
	else
		err = read_growing(fd, (size_t)st.st_size, limit, out, len);
	close(fd);
	return err;
}

static bool is_credential(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t n = dir != NULL ? strlen(dir) : 0;

	return n > 1 && strncmp(path, dir, n) == 0 && path[n] == '/' &&
		strstr(path + n, "/../") == NULL;
}

static enum cv_err check_secret(const struct stat *st, const char *path)
{
	mode_t forbidden = is_credential(path) ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO;

	if (st->st_uid != geteuid() && st->st_uid != 0)
		return CV_ERR_PERMISSION;
	return (st->st_mode & forbidden) != 0 ? CV_ERR_PERMISSION : CV_OK;
}

enum cv_err file_read_secret(uint8_t **out, size_t *len, const char *path, size_t limit)
{
	struct stat st;
	uint8_t *buf = NULL;
	size_t have = 0;
	int fd = -1;
	enum cv_err err = open_regular(&fd, &st, path, O_NOFOLLOW);

	if (err != CV_OK)
		return err;
	err = check_secret(&st, path);
	if (err != CV_OK)
		goto out;
	if (st.st_size < 0 || (uint64_t)st.st_size > limit) {
		err = CV_ERR_TOO_LONG;
		goto out;
	}
	buf = secret_alloc((size_t)st.st_size + 1);
	if (buf == NULL) {
		err = CV_ERR_MEMORY;
		goto out;
	}
	err = file_read_descriptor(fd, buf, (size_t)st.st_size, &have);
	if (err == CV_OK && have != (size_t)st.st_size)
		err = CV_ERR_BUSY; /* it shrank while we read */
	if (err != CV_OK)
		goto out;
	*out = buf;
	*len = have;
	buf = NULL;
out:
	secret_free(buf);
	close(fd);
	return err;
}

enum cv_err file_read_secret_exact(uint8_t *out, size_t len, const char *path)
{
	uint8_t *data = NULL;
	size_t have = 0;
	enum cv_err err = file_read_secret(&data, &have, path, len);

	if (err == CV_OK && have != len)
		err = CV_ERR_FORMAT;
	if (err == CV_ERR_TOO_LONG)
		err = CV_ERR_FORMAT;
	if (err == CV_OK)
		memcpy(out, data, len);
	else
		memset(out, 0, len);
	secret_free(data);
	return err;
}

enum cv_err file_make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		/* the umask may have taken bits away */
		return chmod(path, mode) == 0 ? CV_OK : file_error(errno);
	}
	if (errno != EEXIST)
		return file_error(errno);
	if (stat(path, &st) != 0)
		return file_error(errno);
	return S_ISDIR(st.st_mode) ? CV_OK : CV_ERR_NOT_DIR;
}

enum cv_err file_check_private_dir(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return file_error(errno);
	if (!S_ISDIR(st.st_mode))
		return CV_ERR_NOT_DIR;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return CV_ERR_PERMISSION;
	return (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? CV_ERR_PERMISSION : CV_OK;
}

bool file_exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
}

enum cv_err file_lock(int *fd, const char *path)
{
	int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	if (f < 0)
		return file_error(errno);
	if (flock(f, LOCK_EX | LOCK_NB) != 0) {
		enum cv_err err = file_error(errno);

		close(f);
		return err;
	}
	*fd = f;
	return CV_OK;
}

enum cv_err file_check_ram(const char *path)
{
	struct statfs st;

	if (statfs(path, &st) != 0)
		return file_error(errno);
	return st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC ? CV_OK : CV_ERR_MISMATCH;
}
