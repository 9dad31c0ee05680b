#include "fs/path.h"

#include <stdlib.h>

#include "fs/data.h"
#include "host/file.h"
#include "host/log.h"

#define EXPORT_BYTES ((size_t)1 << 20)

enum cv_err path_resolve(struct volume *v, const char *path, uint64_t *object)
{
	uint64_t at = OBJECT_ROOT;

	for (;;) {
		enum cv_err err = CV_ERR_INTERNAL;
		struct dir_name name;
		struct inode inode;

		path += strspn(path, "/");
		if (!*path)
			break;
		name.bytes = path;
		name.len = strcspn(path, "/");
		err = dir_get(v, at, &inode);
		if (!err)
			err = dir_lookup(v, at, &name, &at);
		if (err)
			return err;
		path += name.len;
	}
	*object = at;
	return CV_OK;
}

enum cv_err volume_read(
	struct volume *v, const char *path, uint64_t offset, void *buf, size_t len, size_t *got)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t object;

	(void)pthread_mutex_lock(&v->lock);
	err = path_resolve(v, path, &object);
	if (!err)
		err = data_read(v, object, offset, buf, len, got);
	tree_trim(&v->tree);
	(void)pthread_mutex_unlock(&v->lock);
	return err;
}

enum cv_err volume_export(struct volume *v, const char *path, int fd)
{
	enum cv_err err = CV_OK;
	uint8_t *buf = malloc(EXPORT_BYTES);
	uint64_t offset = 0;
	size_t got = 1;

	if (!buf)
		return CV_ERR_MEMORY;
	while (got && !err) {
		err = volume_read(v, path, offset, buf, EXPORT_BYTES, &got);
		if (!err)
			err = file_write_descriptor(fd, buf, got);
		offset += got;
	}
	free(buf);
	return err;
}

#define DEPTH_MAX 64
#define AFTER_DOTS 2 /* a cookie of dir_read */

struct name_of {
	uint64_t object;
	char text[NAME_BYTES_MAX + 1];
};

static int take_name(void *user, const struct dir_name *name, uint64_t object, uint32_t type,
	uint64_t next, unsigned index)
{
	struct name_of *n = user;

	(void)type;
	(void)next;
	(void)index;
	if (object != n->object)
		return 0;
	memcpy(n->text, name->bytes, name->len);
	n->text[name->len] = '\0';
	return 1;
}

/* Puts "/name" before what is at *start; what does not fit becomes "...". */
static bool put_before(char *out, size_t *start, const char *name)
{
	char text[4 * NAME_BYTES_MAX + 8];
	size_t len = log_escape(text, sizeof(text), name);

	if (len + 1 + 3 > *start) {
		*start -= 3;
		memcpy(out + *start, "...", 3);
		return false;
	}
	*start -= len;
	memcpy(out + *start, text, len);
	out[--*start] = '/';
	return true;
}

enum cv_err path_find(struct volume *v, uint64_t object, uint64_t parent, char *out, size_t cap)
{
	enum cv_err err = CV_OK;
	size_t start = cap - 1;
	struct inode inode;

	out[start] = '\0';
	for (unsigned depth = 0; object != OBJECT_ROOT && depth < DEPTH_MAX; depth++) {
		struct name_of name = { .object = object, .text = "" };

		if (inode_get(v, object, &inode) == CV_OK && S_ISDIR(inode.mode))
			parent = inode.parent;
		err = parent ? dir_read(v, parent, AFTER_DOTS, take_name, &name) : CV_ERR_NOT_FOUND;
		if (!err && !name.text[0])
			err = CV_ERR_NOT_FOUND;
		if (err)
			return err;
		if (!put_before(out, &start, name.text))
			break;
		object = parent;
		parent = 0;
	}
	if (out[start] == '\0')
		out[--start] = '/';
	memmove(out, out + start, cap - start);
	return CV_OK;
}
