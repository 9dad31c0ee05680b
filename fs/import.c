/* Copying a directory tree of the host into a volume. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/data.h"
#include "fs/import_xattr.h"
#include "fs/path.h"
#include "fs/why.h"
#include "host/file.h"

#define COPY_BYTES ((size_t)1 << 20)
#define DEPTH_MAX 256

/* A file with more than one name that has been copied. */
struct seen {
	dev_t device;
	ino_t inode;
	uint64_t object;
};

struct import {
	struct volume *v;
	volume_progress *progress;
	void *user;
	struct volume_import_report *report;
	struct volume_why *why;
	uint64_t total;
	uint8_t *buf;
	struct seen *seen;
	size_t seen_count;
	size_t seen_cap;
};

static enum cv_err host_error(struct import *im, const char *name)
{
	return why_set(im->why, file_error(errno), "import: %s: %s", name, strerror(errno));
}

static enum cv_err volume_error(struct import *im, enum cv_err err, const char *name)
{
	return err ? why_set(im->why, err, "import: %s: %s", name, cv_err_text(err)) : CV_OK;
}

static enum cv_err tell(struct import *im, const char *name)
{
	if (im->progress && im->progress(im->user, im->report->bytes, im->total, name))
		return why_set(im->why, CV_ERR_TIMEOUT, "import: %s: stopped", name);
	return CV_OK;
}

static enum cv_err remember(struct import *im, const struct stat *st, uint64_t object)
{
	if (im->seen_count == im->seen_cap) {
		size_t cap = im->seen_cap * 2 + 64;
		struct seen *p = realloc(im->seen, cap * sizeof(*p));

		if (!p)
			return CV_ERR_MEMORY;
		im->seen = p;
		im->seen_cap = cap;
	}
	im->seen[im->seen_count++] = (struct seen){ st->st_dev, st->st_ino, object };
	return CV_OK;
}

static const struct seen *recall(const struct import *im, const struct stat *st)
{
	for (size_t i = im->seen_count; i > 0; i--)
		if (im->seen[i - 1].inode == st->st_ino && im->seen[i - 1].device == st->st_dev)
			return &im->seen[i - 1];
	return NULL;
}

/* Owner, mode and times as on the host; last, because writing changes them. */
static enum cv_err set_attributes(struct import *im, uint64_t object, const struct stat *st)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct attr_change change = { .set = ATTR_SET_MODE | ATTR_SET_UID | ATTR_SET_GID |
					     ATTR_SET_ATIME | ATTR_SET_MTIME,
		.from = { .mode = st->st_mode,
			.uid = st->st_uid,
			.gid = st->st_gid,
			.atime = { st->st_atim.tv_sec, (uint32_t)st->st_atim.tv_nsec },
			.mtime = { st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec } } };

	(void)pthread_mutex_lock(&im->v->lock);
	err = attr_set(im->v, object, &change);
	if (!err)
		err = checkpoint_if_due(im->v);
	(void)pthread_mutex_unlock(&im->v->lock);
	return err;
}

static enum cv_err write_locked(
	struct import *im, uint64_t object, uint64_t offset, const uint8_t *buf, size_t len)
{
	enum cv_err err = CV_ERR_INTERNAL;
	size_t done;

	(void)pthread_mutex_lock(&im->v->lock);
	err = data_write(im->v, object, offset, buf, len, &done);
	(void)pthread_mutex_unlock(&im->v->lock);
	return err;
}

/* Copies what the host says is data; holes stay holes. */
static enum cv_err copy_content(
	struct import *im, int fd, const char *name, uint64_t object, uint64_t size)
{
	enum cv_err err = CV_OK;
	off_t at = 0;

	while ((uint64_t)at < size && !err) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			data = at; /* a filesystem without SEEK_DATA: all of it is data */
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			hole = (off_t)size;
		for (at = data; at < hole && !err;) {
			size_t want =
				(size_t)(hole - at) < COPY_BYTES ? (size_t)(hole - at) : COPY_BYTES;
			ssize_t n = pread(fd, im->buf, want, at);

			if (n < 0)
				return host_error(im, name);
			if (n == 0)
				return CV_OK; /* it became shorter meanwhile */
			err = volume_error(im,
				write_locked(im, object, (uint64_t)at, im->buf, (size_t)n), name);
			at += n;
			im->report->bytes += (uint64_t)n;
			if (!err)
				err = tell(im, name);
		}
	}
	return err;
}

static enum cv_err copy_file(
	struct import *im, int dir_fd, const char *name, uint64_t object, const struct stat *st)
{
	enum cv_err err = CV_ERR_INTERNAL;
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return host_error(im, name);
	err = copy_content(im, fd, name, object, (uint64_t)st->st_size);
	(void)close(fd);
	if (!err) {
		(void)pthread_mutex_lock(&im->v->lock);
		err = volume_error(im, data_truncate(im->v, object, (uint64_t)st->st_size, NULL), name);
		(void)pthread_mutex_unlock(&im->v->lock);
	}
	return err;
}

static enum cv_err create_locked(struct import *im, uint64_t dir, const char *text,
	const struct dir_new *new, uint64_t *object)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct dir_name name = { text, strlen(text) };

	(void)pthread_mutex_lock(&im->v->lock);
	err = dir_create(im->v, dir, &name, new, object);
	if (err == CV_ERR_EXISTS && S_ISDIR(new->mode)) {
		struct inode inode;

		err = dir_lookup(im->v, dir, &name, object);
		if (!err)
			err = inode_get(im->v, *object, &inode);
		if (!err && !S_ISDIR(inode.mode))
			err = CV_ERR_EXISTS;
	}
	(void)pthread_mutex_unlock(&im->v->lock);
	return err;
}

static enum cv_err link_again(
	struct import *im, uint64_t dir, const char *text, const struct seen *seen)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct dir_name name = { text, strlen(text) };

	(void)pthread_mutex_lock(&im->v->lock);
	err = dir_link(im->v, seen->object, dir, &name);
	(void)pthread_mutex_unlock(&im->v->lock);
	im->report->links++;
	return volume_error(im, err, text);
}

static enum cv_err import_dir(struct import *im, int fd, uint64_t dir, unsigned depth);

static void count(struct import *im, mode_t mode)
{
	struct volume_import_report *r = im->report;

	if (S_ISREG(mode))
		r->files++;
	else if (S_ISDIR(mode))
		r->dirs++;
	else if (S_ISLNK(mode))
		r->symlinks++;
	else
		r->specials++;
}

static enum cv_err import_below(
	struct import *im, int dir_fd, const char *name, uint64_t object, unsigned depth)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return host_error(im, name);
	return import_dir(im, fd, object, depth + 1);
}

static enum cv_err import_entry(
	struct import *im, int dir_fd, const char *name, uint64_t dir, unsigned depth)
{
	enum cv_err err = CV_ERR_INTERNAL;
	char target[SYMLINK_MAX + 1];
	const struct seen *seen;
	struct dir_new new;
	uint64_t object;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return host_error(im, name);
	seen = st.st_nlink > 1 && !S_ISDIR(st.st_mode) ? recall(im, &st) : NULL;
	if (seen)
		return link_again(im, dir, name, seen);
	new = (struct dir_new){ .mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.rdev = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? st.st_rdev : 0 };
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

		if (n < 0 || (size_t)n == sizeof(target))
			return host_error(im, name);
		target[n] = '\0';
		new.target = target;
	}
	err = volume_error(im, create_locked(im, dir, name, &new, &object), name);
	if (!err && st.st_nlink > 1 && !S_ISDIR(st.st_mode))
		err = remember(im, &st, object);
	if (!err && S_ISREG(st.st_mode))
		err = copy_file(im, dir_fd, name, object, &st);
	if (!err && S_ISDIR(st.st_mode))
		err = import_below(im, dir_fd, name, object, depth);
	if (!err)
		err = volume_error(im, set_attributes(im, object, &st), name);
	/* last: a change of owner or content takes some of them away */
	if (!err)
		err = import_xattrs(im->v, dir_fd, name, object, &im->report->xattrs, im->why);
	if (err)
		return err;
	count(im, st.st_mode);
	return tell(im, name);
}

/* Takes over fd. */
static enum cv_err import_dir(struct import *im, int fd, uint64_t dir, unsigned depth)
{
	enum cv_err err = CV_OK;
	DIR *d = fdopendir(fd);
	struct dirent *e;

	if (!d) {
		(void)close(fd);
		return host_error(im, "directory");
	}
	if (depth > DEPTH_MAX)
		err = why_set(im->why, CV_ERR_TOO_LONG, "import: more than 256 directories deep");
	while (!err) {
		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			err = import_entry(im, fd, e->d_name, dir, depth);
	}
	if (!err && errno)
		err = host_error(im, "directory");
	(void)closedir(d);
	return err;
}

/* Bytes of regular files below, for the progress. Best effort: what cannot be seen is left out. */
static uint64_t measure(int dir_fd, const char *name, unsigned depth)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 || depth > DEPTH_MAX ? NULL : fdopendir(fd);
	uint64_t sum = 0;
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while ((e = readdir(d))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
			fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size
				       ? (uint64_t)st.st_blocks * 512
				       : (uint64_t)st.st_size;
		else if (S_ISDIR(st.st_mode))
			sum += measure(fd, e->d_name, depth + 1);
	}
	(void)closedir(d);
	return sum;
}

static enum cv_err import_root(struct import *im, const char *source, const char *target)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t object;
	int fd;

	(void)pthread_mutex_lock(&im->v->lock);
	err = path_resolve(im->v, target, &object);
	(void)pthread_mutex_unlock(&im->v->lock);
	if (err)
		return volume_error(im, err, target);
	fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return host_error(im, source);
	im->total = measure(fd, ".", 0);
	return import_dir(im, fd, object, 0);
}

enum cv_err volume_import(struct volume *volume, const char *source, const char *target,
	volume_progress *progress, void *user, struct volume_import_report *report,
	struct volume_why *why)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct volume_import_report unused;
	struct import im = { .v = volume,
		.progress = progress,
		.user = user,
		.report = report ? report : &unused,
		.why = why };

	memset(im.report, 0, sizeof(*im.report));
	(void)why_set(why, CV_OK, "%s", "");
	im.buf = malloc(COPY_BYTES);
	if (!im.buf)
		return CV_ERR_MEMORY;
	err = import_root(&im, source, target);
	if (!err)
		err = volume_error(&im, volume_sync(volume), "sync");
	free(im.buf);
	free(im.seen);
	return err;
}
