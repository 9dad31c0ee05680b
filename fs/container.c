/* Volumes as files and block devices: opening, locking and making the container itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/container.h"
#include "fs/open.h"
#include "fs/super.h"
#include "fs/why.h"
#include "host/claim.h"
#include "host/file.h"

/* Labels of filesystems, partitions, RAID and the like are within this much of the beginning. */
#define LABELS_BYTES (UINT64_C(1) << 20)

static enum cv_err refuse_open(struct volume_why *why, const char *path, int e)
{
	enum cv_err err = file_error(e);

	if (e == EISDIR)
		return why_set(why, CV_ERR_NOT_VOLUME, "%s: not a volume: a directory", path);
	if (e == EROFS)
		return why_set(why, CV_ERR_READ_ONLY, "%s: its filesystem is read-only", path);
	if (e == EBUSY)
		return why_set(why, CV_ERR_BUSY, "%s: in use: mounted, or part of another device",
			path);
	return why_set(why, err, "%s: %s", path, strerror(e));
}

enum cv_err container_open(
	int *out, const char *path, bool read_only, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct stat st;
	/* O_EXCL claims a block device, so that nobody mounts or formats it meanwhile */
	int fd = claim_open(path, (read_only ? O_RDONLY : O_RDWR | O_EXCL) | O_CLOEXEC |
					  O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return refuse_open(why, path, errno);
	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))) {
		(void)close(fd);
		return why_set(why, CV_ERR_NOT_VOLUME,
			"%s: not a volume: neither a file nor a block device", path);
	}
	err = claim_lock(fd, !read_only, !read_only);
	if (err) {
		(void)close(fd);
		return why_set(why, err, "%s: %s", path,
			err == CV_ERR_BUSY        ? "in use by another process"
			: err == CV_ERR_READ_ONLY ? "the device is read-only"
						  : "cannot be locked");
	}
	*out = fd;
	return CV_OK;
}

/* Like volume_open_store, on a descriptor; the store lives inside the volume. */
static enum cv_err open_descriptor(struct volume **out, int fd, bool owned,
	const struct volume_open_options *options, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct store_file *file = malloc(sizeof(*file));
	struct volume *v;

	if (!file)
		return CV_ERR_MEMORY;
	store_file_init(file, fd);
	err = volume_open_store(&v, &file->store, options, why);
	if (err) {
		free(file);
		return err;
	}
	v->file = file;
	v->fd = owned ? fd : -1;
	*out = v;
	return CV_OK;
}

enum cv_err volume_open_fd(struct volume **out, int fd, const struct volume_open_options *options,
	struct volume_why *why)
{
	return open_descriptor(out, fd, false, options, why);
}

enum cv_err volume_open(struct volume **out, const char *path,
	const struct volume_open_options *options, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_why inner = { "" };
	int fd = -1;

	err = container_open(&fd, path, options->read_only, why);
	if (err)
		return err;
	err = open_descriptor(out, fd, true, options, &inner);
	if (err) {
		(void)close(fd);
		(void)why_set(why, err, "%.100s: %s", path, inner.text);
	}
	return err;
}

static enum cv_err range_is_zero(bool *zero, int fd, uint64_t offset, uint64_t len)
{
	uint8_t block[BLOCK_BYTES];

	*zero = true;
	for (uint64_t end = offset + len; offset < end && *zero; offset += sizeof(block)) {
		ssize_t n = pread(fd, block, sizeof(block), (off_t)offset);

		if (n < 0)
			return CV_ERR_IO;
		*zero = all_zero(block, (size_t)n);
	}
	return CV_OK;
}

/* Nothing can be brought back that a new volume was made over: what holds data is not taken. */
static enum cv_err device_is_empty(int fd, const char *path, struct volume_why *why)
{
	bool zero = true;
	enum cv_err err = range_is_zero(&zero, fd, 0, LABELS_BYTES);

	for (unsigned i = 0; i < SUPER_SLOTS && !err && zero; i++)
		err = range_is_zero(&zero, fd, super_slot_block(i) * BLOCK_BYTES, BLOCK_BYTES);
	if (err)
		return why_set(why, err, "%s: cannot be read: %s", path, strerror(errno));
	return zero ? CV_OK : why_set(why, CV_ERR_EXISTS,
		"%s: holds something: it is made a volume only with --overwrite", path);
}

static enum cv_err device_take(int *out, const char *path, struct volume_create_options *o,
	struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	off_t end;
	int fd;

	err = container_open(&fd, path, false, why);
	if (err)
		return err;
	end = lseek(fd, 0, SEEK_END);
	if (end < 0 || (uint64_t)end < o->size_bytes || (uint64_t)end < VOLUME_SIZE_MIN)
		err = why_set(why, CV_ERR_RANGE, "%s: the device is smaller than that", path);
	else if (!o->overwrite)
		err = device_is_empty(fd, path, why);
	if (err) {
		(void)close(fd);
		return err;
	}
	if (!o->size_bytes)
		o->size_bytes = (uint64_t)end;
	*out = fd;
	return CV_OK;
}

/* The file to make a volume in: a new one, or a block device that is there. */
static enum cv_err container_make(int *out, bool *made, const char *path,
	struct volume_create_options *o, struct volume_why *why)
{
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		return device_take(out, path, o, why);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse_open(why, path, errno);
	*made = true;
	*out = fd;
	if (flock(fd, LOCK_EX | LOCK_NB) || ftruncate(fd, (off_t)o->size_bytes))
		return why_set(why, file_error(errno), "%s: %s", path, strerror(errno));
	return CV_OK;
}

static enum cv_err sync_parent(const char *path)
{
	enum cv_err err = CV_ERR_INTERNAL;
	char *copy = strdup(path);
	char *slash;

	if (!copy)
		return CV_ERR_MEMORY;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy ? 1 : 0] = '\0';
	err = file_sync_dir(slash ? copy : ".");
	free(copy);
	return err;
}

enum cv_err volume_create(
	const char *path, const struct volume_create_options *options, struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_create_options o = *options;
	struct volume_why inner = { "" };
	struct store_file file;
	bool made = false;
	int fd = -1;

	if (o.size_bytes && (o.size_bytes < VOLUME_SIZE_MIN || o.size_bytes > VOLUME_SIZE_MAX))
		return why_set(why, CV_ERR_RANGE, "%s: a volume has 32 MiB to 64 TiB", path);
	o.size_bytes -= o.size_bytes % NODE_BYTES;
	err = container_make(&fd, &made, path, &o, why);
	if (err)
		goto out;
	store_file_init(&file, fd);
	err = volume_create_store(&file.store, &o, &inner);
	if (err) {
		(void)why_set(why, err, "%.100s: %s", path, inner.text);
		goto out;
	}
	/* size and name of a new file, too */
	if (fsync(fd))
		err = why_set(why, CV_ERR_IO, "%s: %s", path, strerror(errno));
	if (!err && made)
		err = sync_parent(path);
out:
	if (fd >= 0)
		(void)close(fd);
	if (err && made)
		(void)unlink(path);
	return err;
}
