#include "provisioning/demo_compare.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"

#define CHUNK 65536
#define DEPTH_MAX 64

static enum cv_err compare_files(const char *left, const char *right, uint64_t *bytes)
{
	static char a[CHUNK], b[CHUNK];
	FILE *l = fopen(left, "re"), *r = fopen(right, "re");
	enum cv_err err = l != NULL && r != NULL ? CV_OK : CV_ERR_IO;

	while (err == CV_OK) {
		size_t n = fread(a, 1, CHUNK, l), m = fread(b, 1, CHUNK, r);

		if (ferror(l) || ferror(r))
			err = CV_ERR_IO;
		else if (n != m || memcmp(a, b, n) != 0)
			err = CV_ERR_MISMATCH;
		else if (n == 0)
			break;
		*bytes += n;
	}
	if (l != NULL)
		fclose(l);
	if (r != NULL)
		fclose(r);
	return err;
}

static enum cv_err compare_links(const char *left, const char *right)
{
	char a[FILE_PATH_BUF], b[FILE_PATH_BUF];
	ssize_t n = readlink(left, a, sizeof(a)), m = readlink(right, b, sizeof(b));

	if (n < 0 || m < 0)
		return CV_ERR_IO;
	return n == m && memcmp(a, b, (size_t)n) == 0 ? CV_OK : CV_ERR_MISMATCH;
}

static enum cv_err compare_dirs(
	const char *left, const char *right, uint64_t *files, uint64_t *bytes, int depth);

static enum cv_err compare_entry(
	const char *left, const char *right, uint64_t *files, uint64_t *bytes, int depth)
{
	struct stat a, b;

	if (lstat(left, &a) != 0)
		return CV_ERR_IO;
	if (lstat(right, &b) != 0)
		return errno == ENOENT ? CV_ERR_MISMATCH : CV_ERR_IO;
	if ((a.st_mode & S_IFMT) != (b.st_mode & S_IFMT))
		return CV_ERR_MISMATCH;
	if (S_ISDIR(a.st_mode))
		return compare_dirs(left, right, files, bytes, depth + 1);
	if (S_ISLNK(a.st_mode))
		return compare_links(left, right);
	if (!S_ISREG(a.st_mode))
		return CV_OK;
	(*files)++;
	return compare_files(left, right, bytes);
}

static enum cv_err compare_dirs(
	const char *left, const char *right, uint64_t *files, uint64_t *bytes, int depth)
{
	char l[FILE_PATH_BUF], r[FILE_PATH_BUF];
	DIR *dir = depth < DEPTH_MAX ? opendir(left) : NULL;
	struct dirent *e;
	enum cv_err err = CV_OK;

	if (dir == NULL)
		return CV_ERR_IO;
	while (err == CV_OK && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		err = file_path_join(l, sizeof(l), left, e->d_name);
		if (err == CV_OK)
			err = file_path_join(r, sizeof(r), right, e->d_name);
		if (err == CV_OK)
			err = compare_entry(l, r, files, bytes, depth);
	}
	closedir(dir);
	return err;
}

enum cv_err demo_compare_trees(
	const char *left, const char *right, uint64_t *files, uint64_t *bytes)
{
	return compare_dirs(left, right, files, bytes, 0);
}
