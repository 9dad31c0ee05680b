#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/fs_ops.h"
#include "bench/measure.h"

#define PER_DIR 1000
#define SMALL_BYTES 1024
#define PATH_BYTES 512

static void small_path(char *out, const struct fs_ops *o, size_t i)
{
	int n = snprintf(out, PATH_BYTES, "%s/%03zu/file-%06zu", o->path, i / PER_DIR, i);

	fs_ops_must(n > 0 && n < PATH_BYTES, "path");
}

static void dir_path(char *out, const struct fs_ops *o, size_t d)
{
	int n = snprintf(out, PATH_BYTES, "%s/%03zu", o->path, d);

	fs_ops_must(n > 0 && n < PATH_BYTES, "path");
}

void fs_ops_create(const struct fs_ops *o)
{
	uint64_t started = measure_now_ns();
	uint8_t buf[SMALL_BYTES];
	char path[PATH_BYTES];

	fs_ops_fill(buf, sizeof(buf), 5);
	fs_ops_must(mkdir(o->path, 0755) == 0, "mkdir");
	for (size_t i = 0; i < o->count; i++) {
		int fd;

		if (i % PER_DIR == 0) {
			dir_path(path, o, i / PER_DIR);
			fs_ops_must(mkdir(path, 0755) == 0, "mkdir");
		}
		small_path(path, o, i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		fs_ops_must(fd >= 0, "create");
		buf[0]++;
		fs_ops_must(write(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf), "write");
		if (o->sync)
			fs_ops_must(fsync(fd) == 0, "fsync");
		fs_ops_must(close(fd) == 0, "close");
	}
	fs_ops_report(started, o->count, NULL, 0);
}

void fs_ops_stat(const struct fs_ops *o)
{
	uint64_t started = measure_now_ns();
	char path[PATH_BYTES];
	struct stat st;

	for (size_t i = 0; i < o->count; i++) {
		small_path(path, o, i);
		fs_ops_must(stat(path, &st) == 0, "stat");
	}
	fs_ops_report(started, o->count, NULL, 0);
}

void fs_ops_list(const struct fs_ops *o)
{
	uint64_t started = measure_now_ns();
	char path[PATH_BYTES];
	uint64_t names = 0;

	for (size_t d = 0; d < (o->count + PER_DIR - 1) / PER_DIR; d++) {
		const struct dirent *e;
		DIR *dir;

		dir_path(path, o, d);
		dir = opendir(path);
		fs_ops_must(dir != NULL, "opendir");
		while ((e = readdir(dir)) != NULL)
			names += e->d_name[0] != '.';
		(void)closedir(dir);
	}
	fs_ops_must(names == o->count, "readdir: not the names that were made");
	fs_ops_report(started, names, NULL, 0);
}

void fs_ops_read_small(const struct fs_ops *o)
{
	uint64_t started = measure_now_ns();
	uint8_t buf[SMALL_BYTES];
	char path[PATH_BYTES];

	for (size_t i = 0; i < o->count; i++) {
		int fd;

		small_path(path, o, i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		fs_ops_must(fd >= 0, "open");
		fs_ops_must(read(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf), "read");
		(void)close(fd);
	}
	fs_ops_report(started, o->count, NULL, 0);
}

void fs_ops_unlink(const struct fs_ops *o)
{
	uint64_t started = measure_now_ns();
	char path[PATH_BYTES];

	for (size_t i = 0; i < o->count; i++) {
		small_path(path, o, i);
		fs_ops_must(unlink(path) == 0, "unlink");
	}
	for (size_t d = 0; d < (o->count + PER_DIR - 1) / PER_DIR; d++) {
		dir_path(path, o, d);
		fs_ops_must(rmdir(path) == 0, "rmdir");
	}
	fs_ops_must(rmdir(o->path) == 0, "rmdir");
	fs_ops_report(started, o->count, NULL, 0);
}

static uint64_t walked;

static int visit(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	static uint8_t buf[65536];
	int fd;

	(void)ftw;
	walked++;
	if (kind != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	fs_ops_must(fd >= 0, path);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	(void)close(fd);
	return 0;
}

/* Every name of a tree with its attributes, and all content. */
void fs_ops_walk(const struct fs_ops *o)
{
	uint64_t started = measure_now_ns();

	walked = 0;
	fs_ops_must(nftw(o->path, visit, 32, FTW_PHYS) == 0, "walk");
	fs_ops_report(started, walked, NULL, 0);
}

/*
 * A volume that was in use for long: `count` MiB of files of many sizes, of which every second is
 * deleted and the rest is overwritten in places, twice over.
 */
void fs_ops_age(const struct fs_ops *o)
{
	static const size_t sizes[] = {3000, 16384, 70000, 4096, 400000, 1 << 20};
	uint64_t started = measure_now_ns();
	uint8_t *buf = malloc(1 << 20);
	uint64_t seed = 11;
	size_t bytes = 0;
	size_t files = 0;
	char path[PATH_BYTES];

	fs_ops_must(buf != NULL && (mkdir(o->path, 0755) == 0 || errno == EEXIST), "mkdir");
	fs_ops_fill(buf, 1 << 20, 9);
	for (; bytes < o->count << 20; files++) {
		size_t len = sizes[files % 6];
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%06zu", o->path, files);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		fs_ops_must(fd >= 0 && write(fd, buf, len) == (ssize_t)len, "write");
		(void)close(fd);
		bytes += len;
	}
	for (size_t i = 0; i < files * 2; i++) {
		size_t n = i % files;
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%06zu", o->path, n);
		if (n % 2) {
			(void)unlink(path);
			continue;
		}
		fd = open(path, O_WRONLY | O_CLOEXEC);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		fs_ops_must(fd >= 0 && pwrite(fd, buf, 2000,
					       (off_t)((seed >> 33) % sizes[n % 6])) == 2000,
			"overwrite");
		(void)close(fd);
	}
	fs_ops_report(started, files, NULL, 0);
	free(buf);
}
