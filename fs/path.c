#include "fs/path.h"

#include <stdlib.h>

#include "fs/data.h"
#include "host/file.h"

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
