/* The content of one file, and the attributes of anything, out of the items that were found. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/salvage_state.h"
#include "fs/why.h"
#include "host/file.h"

/* What is known to be lost of the file at hand. */
struct losses {
	uint64_t blocks;
	uint64_t mapped; /* MAP entries that were found */
	FILE *list;      /* in memory: "offset length" per run */
	char *text;
	size_t text_len;
	uint64_t run_at;
	uint64_t run_blocks;
};

static void end_run(struct losses *l)
{
	if (l->run_blocks)
		(void)fprintf(l->list, "%" PRIu64 " %" PRIu64 "\n", l->run_at * BLOCK_BYTES,
			l->run_blocks * BLOCK_BYTES);
	l->run_blocks = 0;
}

static void lose(struct losses *l, uint64_t index)
{
	if (l->run_blocks && l->run_at + l->run_blocks != index)
		end_run(l);
	if (l->run_blocks == 0)
		l->run_at = index;
	l->run_blocks++;
	l->blocks++;
}

static enum cv_err write_block(struct salvage *s, int fd, uint64_t at, uint64_t size)
{
	size_t len = size - at < BLOCK_BYTES ? (size_t)(size - at) : BLOCK_BYTES;
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, s->plain + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? file_error(errno) : CV_ERR_IO;
		done += (size_t)n;
	}
	s->report->bytes += len;
	return CV_OK;
}

/* One MAP item, copied before the tree may move. */
static enum cv_err write_group(struct salvage *s, int fd, const struct item_key *key,
	const uint8_t *value, size_t len, uint64_t size, struct losses *l)
{
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i * MAP_ENTRY_BYTES < len && !err; i++) {
		uint64_t index = key->offset * MAP_BLOCKS + i;
		struct map_entry e;

		map_entry_get(&e, value, len, i);
		if (e.block == 0)
			continue;
		l->mapped++;
		if (index * BLOCK_BYTES >= size)
			continue;
		if (salvage_open_block(s, &e))
			lose(l, index);
		else
			err = write_block(s, fd, index * BLOCK_BYTES, size);
	}
	if (!err && s->options->progress &&
		s->options->progress(s->options->user, s->report->bytes, 0, s->path))
		err = why_set(s->why, CV_ERR_TIMEOUT, "stopped");
	return err;
}

static enum cv_err write_content(
	struct salvage *s, int fd, uint64_t object, uint64_t size, struct losses *l)
{
	struct item_key key = { .object = object, .type = ITEM_MAP };
	uint8_t copy[MAP_BLOCKS * MAP_ENTRY_BYTES];
	enum cv_err err = CV_OK;

	for (;; key.offset++) {
		const uint8_t *value;
		size_t len;

		err = tree_next(&s->items.tree, &key, &value, &len);
		if (err)
			break;
		memcpy(copy, value, len);
		err = write_group(s, fd, &key, copy, len, size, l);
		tree_trim(&s->items.tree);
		if (err)
			return err;
	}
	end_run(l);
	if (err && err != CV_ERR_NOT_FOUND)
		return err;
	return ftruncate(fd, (off_t)size) ? file_error(errno) : CV_OK;
}

/* NAME becomes NAME.partial, with a list of what it lacks beside it; or it goes. */
static void keep_partial(
	struct salvage *s, int dir_fd, const char *name, const struct losses *l, uint64_t lost)
{
	char to[NAME_BYTES_MAX + 32];
	int fd;

	(void)snprintf(to, sizeof(to), "%s.partial", name);
	if (!s->options->partial || linkat(dir_fd, name, dir_fd, to, 0)) {
		salvage_problem(s, &s->report->damaged, "%" PRIu64 " blocks are lost: left out", lost);
		(void)unlinkat(dir_fd, name, 0);
		return;
	}
	(void)unlinkat(dir_fd, name, 0);
	(void)snprintf(to, sizeof(to), "%s.partial.holes", name);
	fd = openat(dir_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || file_write_descriptor(fd, l->text, l->text_len))
		salvage_problem(s, &s->report->skipped, "the list of its holes cannot be written");
	if (fd >= 0)
		(void)close(fd);
	s->report->partial++;
	salvage_problem(s, NULL, "%" PRIu64 " blocks are lost: written as .partial", lost);
}

static enum cv_err judge(struct salvage *s, int dir_fd, const char *name,
	const struct inode *inode, struct losses *l)
{
	uint64_t unknown = inode->blocks > l->mapped ? inode->blocks - l->mapped : 0;

	if (inode->links == 0 || inode->blocks < l->mapped)
		unknown = unknown ? unknown : 1;
	if (unknown)
		(void)fprintf(l->list, "unknown %" PRIu64 "\n", unknown * BLOCK_BYTES);
	if (fflush(l->list))
		return CV_ERR_MEMORY;
	if (l->blocks + unknown == 0)
		s->report->files++;
	else
		keep_partial(s, dir_fd, name, l, l->blocks + unknown);
	return CV_OK;
}

enum cv_err salvage_file(struct salvage *s, int dir_fd, const char *name, uint64_t object,
	const struct inode *inode)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct losses l = { 0 };
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0) {
		salvage_problem(s, &s->report->skipped, "%s",
			errno == EEXIST ? "exists already: left as it is" : strerror(errno));
		return errno == ENOSPC ? CV_ERR_FULL : CV_OK;
	}
	l.list = open_memstream(&l.text, &l.text_len);
	if (!l.list) {
		(void)close(fd);
		return CV_ERR_MEMORY;
	}
	err = write_content(s, fd, object, inode->size, &l);
	(void)close(fd);
	if (err) {
		/* half a file under its own name would look whole */
		(void)unlinkat(dir_fd, name, 0);
		if (err != CV_ERR_TIMEOUT)
			(void)why_set(s->why, err, "%.160s: %s", s->path, cv_err_text(err));
	} else {
		salvage_attributes(s, dir_fd, name, object, inode);
		err = judge(s, dir_fd, name, inode, &l);
	}
	(void)fclose(l.list);
	free(l.text);
	return err;
}

static void set_xattrs(struct salvage *s, const char *path, uint64_t object)
{
	struct item_key key = { .object = object, .type = ITEM_XATTR };

	for (;; key.offset++) {
		struct xattr_entry x;
		const uint8_t *value;
		size_t len;
		size_t at = 0;

		if (tree_next(&s->items.tree, &key, &value, &len))
			return;
		while (xattr_next(&x, value, len, &at)) {
			char name[XATTR_NAME_BYTES_MAX + 1];

			memcpy(name, x.name, x.name_len);
			name[x.name_len] = '\0';
			if (lsetxattr(path, name, x.value, x.value_len, 0))
				salvage_problem(s, &s->report->skipped, "attribute %s: %s", name,
					strerror(errno));
		}
	}
}

/* What the host refuses to an unprivileged user is left out: owner, and with it setuid. */
void salvage_attributes(struct salvage *s, int dir_fd, const char *name, uint64_t object,
	const struct inode *inode)
{
	const struct timespec times[2] = { { inode->atime.sec, inode->atime.nsec },
		{ inode->mtime.sec, inode->mtime.nsec } };
	mode_t mode = inode->mode & 07777;
	char path[64 + NAME_BYTES_MAX];

	if (fchownat(dir_fd, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW))
		mode &= 01777;
	if (!S_ISLNK(inode->mode) && fchmodat(dir_fd, name, mode, 0))
		salvage_problem(s, &s->report->skipped, "mode: %s", strerror(errno));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, name);
	set_xattrs(s, path, object);
	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW))
		salvage_problem(s, &s->report->skipped, "times: %s", strerror(errno));
}
