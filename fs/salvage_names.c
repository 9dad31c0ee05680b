/* The tree of names, written out; then, under lost+found, what no name leads to. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/dirent_item.h"
#include "fs/salvage_state.h"
#include "host/file.h"

#define LOST_FOUND "lost+found"
#define DEPTH_MAX 200  /* a descriptor each; what lies deeper goes to lost+found */
#define CLIMB_MAX 4096 /* steps up from a lost directory */
#define NAMES_BYTES (DIRENT_NAMES_MAX * (DIRENT_HEAD_BYTES + NAME_BYTES_MAX))

void salvage_problem(struct salvage *s, uint64_t *counter, const char *format, ...)
{
	char text[256];
	va_list args;

	if (counter)
		(*counter)++;
	if (!s->options->problem)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	s->options->problem(s->options->user, s->path, text);
}

static enum cv_err write_dir(struct salvage *s, int dir_fd, uint64_t object,
	const struct inode *inode, unsigned depth);

static enum cv_err remember_link(struct salvage *s, uint64_t object)
{
	if (s->link_count == s->link_cap) {
		size_t cap = s->link_cap * 2 + 64;
		struct link_path *p = realloc(s->links, cap * sizeof(*p));

		if (!p)
			return CV_ERR_MEMORY;
		s->links = p;
		s->link_cap = cap;
	}
	s->links[s->link_count].object = object;
	s->links[s->link_count].path = strdup(s->path);
	return s->links[s->link_count++].path ? CV_OK : CV_ERR_MEMORY;
}

/* A further name of what is written already. */
static void write_link(struct salvage *s, int dir_fd, const char *name, uint64_t object)
{
	for (size_t i = 0; i < s->link_count; i++) {
		if (s->links[i].object != object)
			continue;
		if (linkat(s->out_fd, s->links[i].path, dir_fd, name, 0))
			salvage_problem(s, &s->report->skipped, "second name of %.100s: %s",
				s->links[i].path, strerror(errno));
		else
			s->report->links++;
		return;
	}
	salvage_problem(s, &s->report->damaged, "one more name of an object that has one already");
}

static bool write_symlink(struct salvage *s, int dir_fd, const char *name, uint64_t object)
{
	struct item_key key = { .object = object, .type = ITEM_SYMLINK };
	char target[SYMLINK_MAX + 1];
	const uint8_t *value;
	size_t len;

	if (tree_get(&s->items.tree, &key, &value, &len)) {
		salvage_problem(s, &s->report->damaged, "the target of the link is lost");
		return false;
	}
	memcpy(target, value, len);
	target[len] = '\0';
	return symlinkat(target, dir_fd, name) == 0;
}

/* Anything but files and directories. */
static void write_special(struct salvage *s, int dir_fd, const char *name, uint64_t object,
	const struct inode *inode)
{
	uint64_t before = s->report->damaged;
	bool link = S_ISLNK(inode->mode);
	bool made;

	errno = 0;
	made = link ? write_symlink(s, dir_fd, name, object)
		    : mknodat(dir_fd, name, (inode->mode & S_IFMT) | 0600, inode->rdev) == 0;
	if (!made && s->report->damaged == before)
		salvage_problem(s, &s->report->skipped, "%s",
			errno == EEXIST ? "exists already: left as it is" : strerror(errno));
	if (!made)
		return;
	salvage_attributes(s, dir_fd, name, object, inode);
	if (link)
		s->report->symlinks++;
	else
		s->report->specials++;
}

static enum cv_err write_below(struct salvage *s, int dir_fd, const char *name, uint64_t object,
	const struct inode *inode, unsigned depth)
{
	enum cv_err err = CV_ERR_INTERNAL;
	bool made = mkdirat(dir_fd, name, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST) {
		salvage_problem(s, &s->report->skipped, "%s", strerror(errno));
		return errno == ENOSPC ? CV_ERR_FULL : CV_OK;
	}
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		salvage_problem(s, &s->report->skipped, "exists already, and is no directory");
		return CV_OK;
	}
	err = write_dir(s, fd, object, inode, depth + 1);
	(void)close(fd);
	if (!err && made) {
		s->report->dirs++;
		salvage_attributes(s, dir_fd, name, object, inode);
	}
	return err;
}

/* One object under one name; s->path is its path. */
static enum cv_err write_object(
	struct salvage *s, int dir_fd, const char *name, uint64_t object, unsigned depth)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode inode;

	err = scratch_inode(&s->items, object, &inode);
	if (err == CV_ERR_NOT_FOUND) {
		salvage_problem(s, &s->report->damaged, "the inode %" PRIu64 " is lost", object);
		return CV_OK;
	}
	if (err)
		return err;
	if (scratch_is_done(&s->items, object)) {
		write_link(s, dir_fd, name, object);
		return CV_OK;
	}
	if (S_ISDIR(inode.mode) && depth >= DEPTH_MAX) {
		salvage_problem(s, NULL, "too deep: it goes to " LOST_FOUND);
		return CV_OK;
	}
	err = scratch_done(&s->items, object);
	if (!err && inode.links > 1 && !S_ISDIR(inode.mode))
		err = remember_link(s, object);
	if (err)
		return err;
	if (S_ISDIR(inode.mode))
		return write_below(s, dir_fd, name, object, &inode, depth);
	if (S_ISREG(inode.mode))
		return salvage_file(s, dir_fd, name, object, &inode);
	write_special(s, dir_fd, name, object, &inode);
	return CV_OK;
}

/* The names of one item; s->path is that of the directory, and again afterwards. */
static enum cv_err write_names(struct salvage *s, int dir_fd, const uint8_t *value, size_t len,
	unsigned depth, uint64_t *names)
{
	enum cv_err err = CV_OK;
	size_t end = strlen(s->path);
	struct name_entry d;
	size_t at = 0;

	while (!err && dirent_next(&d, value, len, &at)) {
		char name[NAME_BYTES_MAX + 1];
		int n;

		memcpy(name, d.name, d.name_len);
		name[d.name_len] = '\0';
		(*names)++;
		n = snprintf(s->path + end, sizeof(s->path) - end, "%s%s", end ? "/" : "", name);
		if ((size_t)n >= sizeof(s->path) - end)
			salvage_problem(s, NULL, "path too long: it goes to " LOST_FOUND);
		else
			err = write_object(s, dir_fd, name, d.object, depth);
		s->path[end] = '\0';
	}
	return err;
}

static enum cv_err write_dir(struct salvage *s, int dir_fd, uint64_t object,
	const struct inode *inode, unsigned depth)
{
	struct item_key key = { .object = object, .type = ITEM_DIRENT };
	uint8_t copy[NAMES_BYTES];
	uint64_t names = 0;
	enum cv_err err = CV_OK;

	for (;; key.offset++) {
		const uint8_t *value;
		size_t len;

		err = tree_next(&s->items.tree, &key, &value, &len);
		if (err)
			break;
		memcpy(copy, value, len);
		err = write_names(s, dir_fd, copy, len, depth, &names);
		if (err)
			return err;
	}
	if (err && err != CV_ERR_NOT_FOUND)
		return err;
	if (inode && inode->size != names)
		salvage_problem(s, &s->report->damaged,
			"a directory of %" PRIu64 " names, of which %" PRIu64 " were found",
			inode->size, names);
	return CV_OK;
}

/* The topmost lost directory above `object`, so that what is below keeps its names. */
static uint64_t climb(struct salvage *s, uint64_t object)
{
	uint64_t at = object;
	struct inode inode;

	for (unsigned i = 0; i < CLIMB_MAX; i++) {
		uint64_t parent;

		if (scratch_inode(&s->items, at, &inode) || !S_ISDIR(inode.mode))
			break;
		parent = inode.parent;
		if (parent == at || parent == OBJECT_ROOT ||
			scratch_inode(&s->items, parent, &inode) || !S_ISDIR(inode.mode) ||
			scratch_is_done(&s->items, parent))
			break;
		at = parent;
	}
	return at;
}

static enum cv_err write_lost(struct salvage *s, int *lost_fd, uint64_t object)
{
	char name[32];

	if (*lost_fd < 0) {
		if (mkdirat(s->out_fd, LOST_FOUND, 0700) && errno != EEXIST)
			return file_error(errno);
		*lost_fd = openat(s->out_fd, LOST_FOUND,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (*lost_fd < 0)
			return file_error(errno);
	}
	(void)snprintf(name, sizeof(name), "%" PRIu64, object);
	(void)snprintf(s->path, sizeof(s->path), LOST_FOUND "/%s", name);
	s->report->lost_found++;
	salvage_problem(s, NULL, "no name leads to it");
	return write_object(s, *lost_fd, name, object, 1);
}

/* A first round for directories, a second for what none of them had. */
static enum cv_err write_nameless(struct salvage *s, bool dirs)
{
	struct item_key key = { .object = OBJECT_FIRST_FREE };
	enum cv_err err = CV_OK;
	int lost_fd = -1;

	while (!err) {
		struct tree_place place = { 0 };
		struct inode inode = { 0 };
		const uint8_t *value;
		uint64_t object;
		size_t len;

		err = tree_step(&s->items.tree, &place, &key, &value, &len);
		if (err)
			break;
		object = key.object;
		if (key.type == ITEM_INODE)
			inode_decode(&inode, value);
		if (scratch_is_done(&s->items, object)) {
			/* done, or unlinked in the volume itself */
		} else if (key.type != ITEM_INODE && !dirs) {
			(void)snprintf(s->path, sizeof(s->path), "#%" PRIu64, object);
			salvage_problem(s, &s->report->damaged, "content without an inode");
		} else if (key.type == ITEM_INODE && inode.links > 0 &&
			   S_ISDIR(inode.mode) == dirs) {
			err = write_lost(s, &lost_fd, dirs ? climb(s, object) : object);
			if (!err && dirs && !scratch_is_done(&s->items, object))
				continue; /* its turn comes again */
		}
		key = (struct item_key){ .object = object + 1 };
	}
	if (lost_fd >= 0)
		(void)close(lost_fd);
	return err == CV_ERR_NOT_FOUND ? CV_OK : err;
}

enum cv_err salvage_write_all(struct salvage *s)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct inode root;
	bool known = scratch_inode(&s->items, OBJECT_ROOT, &root) == CV_OK;

	err = scratch_done(&s->items, OBJECT_ROOT);
	if (!err && !known)
		salvage_problem(s, &s->report->damaged, "the inode of the root directory is lost");
	if (!err)
		err = write_dir(s, s->out_fd, OBJECT_ROOT, known ? &root : NULL, 0);
	if (!err)
		err = write_nameless(s, true);
	if (!err)
		err = write_nameless(s, false);
	return err;
}
