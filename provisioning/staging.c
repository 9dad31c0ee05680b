#include "provisioning/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

enum cv_err staging_remove_tree(const char *path)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
		return file_error(errno);
	return CV_OK;
}

static bool is_empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	int entries = 0;

	if (dir == NULL)
		return false;
	while (entries <= 2 && readdir(dir) != NULL)
		entries++;
	closedir(dir);
	return entries == 2;
}

/* The folder that `path` is in; "." if it names none. */
static enum cv_err parent_of(char out[FILE_PATH_BUF], const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);

	if (len >= FILE_PATH_BUF)
		return CV_ERR_TOO_LONG;
	if (slash == NULL)
		strcpy(out, ".");
	else if (len == 0)
		strcpy(out, "/");
	else {
		memcpy(out, path, len);
		out[len] = '\0';
	}
	return CV_OK;
}

static enum cv_err begin(struct staging *s, const char *place, bool over)
{
	char parent[FILE_PATH_BUF];
	size_t len = strlen(place);
	const char *name;
	enum cv_err err;
	int n;

	s->dir[0] = '\0';
	while (len > 1 && place[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof(s->place))
		return CV_ERR_TOO_LONG;
	memcpy(s->place, place, len);
	s->place[len] = '\0';
	if (!over && file_exists(s->place) && !is_empty_dir(s->place))
		return CV_ERR_EXISTS;
	err = parent_of(parent, s->place);
	if (err != CV_OK)
		return err;
	name = strrchr(s->place, '/') != NULL ? strrchr(s->place, '/') + 1 : s->place;
	n = snprintf(s->dir, sizeof(s->dir), "%s/.%s.new", parent, name);
	if (n < 0 || (size_t)n >= sizeof(s->dir)) {
		s->dir[0] = '\0';
		return CV_ERR_TOO_LONG;
	}
	err = staging_remove_tree(s->dir);
	if (err == CV_OK && mkdir(s->dir, 0700) != 0)
		err = file_error(errno);
	if (err != CV_OK)
		s->dir[0] = '\0';
	return err;
}

enum cv_err staging_begin(struct staging *s, const char *place)
{
	return begin(s, place, false);
}

enum cv_err staging_begin_over(struct staging *s, const char *place)
{
	return begin(s, place, true);
}

enum cv_err staging_path(const struct staging *s, char out[FILE_PATH_BUF], const char *name)
{
	return file_path_join(out, FILE_PATH_BUF, s->dir, name);
}

enum cv_err staging_make_dir(const struct staging *s, const char *name)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = staging_path(s, path, name);

	return err == CV_OK ? file_make_dir(path, 0700) : err;
}

enum cv_err staging_commit(struct staging *s)
{
	char parent[FILE_PATH_BUF];
	enum cv_err err = parent_of(parent, s->place);

	if (err == CV_OK)
		err = file_sync_dir(s->dir);
	if (err == CV_OK && rename(s->dir, s->place) != 0)
		err = file_error(errno);
	if (err != CV_OK)
		return err;
	s->dir[0] = '\0';
	return file_sync_dir(parent);
}

/* ".NAME.new" beside ".NAME.replaced". */
static enum cv_err replaced_name(char out[FILE_PATH_BUF], const struct staging *s)
{
	const size_t len = strlen(s->dir) - strlen("new");
	int n = snprintf(out, FILE_PATH_BUF, "%.*sreplaced", (int)len, s->dir);

	return n > 0 && n < FILE_PATH_BUF ? CV_OK : CV_ERR_TOO_LONG;
}

enum cv_err staging_commit_over(struct staging *s)
{
	char parent[FILE_PATH_BUF], old[FILE_PATH_BUF];
	enum cv_err err = parent_of(parent, s->place);

	if (err == CV_OK)
		err = replaced_name(old, s);
	if (err == CV_OK)
		err = staging_remove_tree(old);
	if (err == CV_OK)
		err = file_sync_dir(s->dir);
	if (err == CV_OK &&
		renameat2(AT_FDCWD, s->dir, AT_FDCWD, s->place, RENAME_EXCHANGE) != 0)
		err = file_error(errno);
	if (err != CV_OK)
		return err;
	/* a crash here leaves the old one under the hidden name, which the next staging removes */
	if (rename(s->dir, old) == 0)
		s->dir[0] = '\0';
	return file_sync_dir(parent);
}

void staging_abort(struct staging *s)
{
	/* what cannot be removed now is removed by the next staging_begin */
	if (s->dir[0] != '\0' && staging_remove_tree(s->dir) == CV_OK)
		s->dir[0] = '\0';
}
