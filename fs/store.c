#include "fs/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static enum cv_err write_error(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return CV_ERR_FULL;
	case EROFS:
	case EBADF:
		return CV_ERR_READ_ONLY;
	default:
		return CV_ERR_IO;
	}
}

static enum cv_err file_store_read(struct store *s, uint64_t offset, void *buf, size_t len)
{
	int fd = ((struct store_file *)s)->fd;
	uint8_t *p = buf;

	if (s->on_wait) {
		const struct iovec whole = { buf, len };

		/* what the host has in its cache is there at once */
		if (preadv2(fd, &whole, 1, (off_t)offset, RWF_NOWAIT) == (ssize_t)len)
			return CV_OK;
		store_tell_wait(s);
	}
	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return CV_ERR_IO;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return CV_OK;
}

static enum cv_err file_store_write(struct store *s, uint64_t offset, const void *buf, size_t len)
{
	int fd = ((struct store_file *)s)->fd;
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return write_error(errno);
		if (n == 0)
			return CV_ERR_IO;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return CV_OK;
}

static enum cv_err file_store_flush(struct store *s)
{
	/* not retried on EINTR: after a failure the kernel may have dropped the dirty pages */
	return fdatasync(((struct store_file *)s)->fd) ? CV_ERR_IO : CV_OK;
}

static enum cv_err file_store_size(struct store *s, uint64_t *bytes)
{
	off_t end = lseek(((struct store_file *)s)->fd, 0, SEEK_END);

	if (end < 0)
		return CV_ERR_IO;
	*bytes = (uint64_t)end;
	return CV_OK;
}

static enum cv_err file_store_resize(struct store *s, uint64_t bytes)
{
	int fd = ((struct store_file *)s)->fd;
	struct stat st;

	if (fstat(fd, &st))
		return CV_ERR_IO;
	if (!S_ISREG(st.st_mode))
		return CV_ERR_NOT_SUPPORTED;
	return ftruncate(fd, (off_t)bytes) ? write_error(errno) : CV_OK;
}

static bool file_store_sparse(struct store *s, uint64_t offset, uint64_t len)
{
	off_t hole = lseek(((struct store_file *)s)->fd, (off_t)offset, SEEK_HOLE);

	return hole >= 0 && (uint64_t)hole < offset + len;
}

static enum cv_err file_store_discard(struct store *s, uint64_t offset, uint64_t len)
{
	int fd = ((struct store_file *)s)->fd;
	uint64_t range[2] = { offset, len };
	struct stat st;
	int failed;

	if (fstat(fd, &st))
		return CV_ERR_IO;
	do {
		if (S_ISBLK(st.st_mode))
			failed = ioctl(fd, BLKDISCARD, range);
		else
			failed = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)offset, (off_t)len);
	} while (failed && errno == EINTR);
	if (failed && (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOTTY || errno == EINVAL))
		return CV_ERR_NOT_SUPPORTED;
	return failed ? write_error(errno) : CV_OK;
}

static const struct store_ops file_ops = {
	.read = file_store_read,
	.write = file_store_write,
	.flush = file_store_flush,
	.size = file_store_size,
	.resize = file_store_resize,
	.discard = file_store_discard,
	.sparse = file_store_sparse,
};

void store_file_init(struct store_file *s, int fd)
{
	s->store = (struct store){ .ops = &file_ops };
	s->fd = fd;
}
