/*
 * One measured step on a mounted filesystem; bench/fs.py runs it on each side in turn.
 *
 * usage: fs_ops STEP PATH [COUNT [THREADS [SYNC]]]
 * Output   one line: seconds of the step, operations (or bytes) done, median and 99th percentile of
 *          one operation in microseconds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/fs_ops.h"
#include "bench/measure.h"

#define MIB ((size_t)1 << 20)
#define PAGE ((size_t)4096)
#define THREADS_MAX 64

void fs_ops_must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fs_ops: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Content that does not compress and that no side can guess. */
void fs_ops_fill(uint8_t *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		memcpy(buf + i, &seed, 8);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void fs_ops_report(uint64_t started, uint64_t done, uint32_t *us, size_t count)
{
	double seconds = (double)(measure_now_ns() - started) / 1e9;

	if (count)
		qsort(us, count, sizeof(*us), by_value);
	printf("%.6f %" PRIu64 " %u %u\n", seconds, done, count ? us[count / 2] : 0,
		count ? us[count * 99 / 100] : 0);
}

static int open_must(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	fs_ops_must(fd >= 0, path);
	return fd;
}

/* The file's pages leave the kernel's cache; what is below may keep them. */
static void forget_pages(int fd)
{
	fs_ops_must(fsync(fd) == 0, "fsync");
	fs_ops_must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
}

static void step_write(const struct fs_ops *o)
{
	uint64_t started = measure_now_ns();
	int fd = open_must(o->path, O_WRONLY | O_CREAT | O_TRUNC);
	uint8_t *buf = malloc(MIB);

	fs_ops_must(buf != NULL, "memory");
	fs_ops_fill(buf, MIB, 1);
	for (size_t i = 0; i < o->count; i++) {
		buf[i % MIB]++;
		fs_ops_must(write(fd, buf, MIB) == (ssize_t)MIB, "write");
	}
	fs_ops_must(fsync(fd) == 0, "fsync");
	fs_ops_must(close(fd) == 0, "close");
	fs_ops_report(started, o->count * MIB, NULL, 0);
	free(buf);
}

static void step_read(const struct fs_ops *o)
{
	uint8_t *buf = malloc(MIB);
	int fd = open_must(o->path, O_RDONLY);
	uint64_t started;
	uint64_t all = 0;
	ssize_t n;

	fs_ops_must(buf != NULL, "memory");
	forget_pages(fd);
	started = measure_now_ns();
	while ((n = read(fd, buf, MIB)) > 0)
		all += (uint64_t)n;
	fs_ops_must(n == 0, "read");
	fs_ops_report(started, all, NULL, 0);
	(void)close(fd);
	free(buf);
}

/* Each thread has its share of a permutation, so that no page is touched twice. */
struct worker {
	const struct fs_ops *o;
	pthread_t thread;
	const uint32_t *pages;
	uint32_t *us;
	size_t count;
	bool writes;
};

static void *work(void *user)
{
	struct worker *w = user;
	uint8_t buf[4096];
	int fd = open_must(w->o->path, w->writes ? O_RDWR : O_RDONLY);

	fs_ops_fill(buf, sizeof(buf), (uintptr_t)w);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (size_t i = 0; i < w->count; i++) {
		uint64_t began = measure_now_ns();
		off_t at = (off_t)(w->pages[i] * PAGE);

		buf[0]++;
		if (w->writes)
			fs_ops_must(pwrite(fd, buf, PAGE, at) == (ssize_t)PAGE, "write");
		else
			fs_ops_must(pread(fd, buf, PAGE, at) == (ssize_t)PAGE, "read");
		if (w->o->sync)
			fs_ops_must(fdatasync(fd) == 0, "fdatasync");
		w->us[i] = (uint32_t)((measure_now_ns() - began) / 1000);
	}
	fs_ops_must(close(fd) == 0, "close");
	return NULL;
}

static uint32_t *permutation(size_t pages)
{
	uint32_t *order = malloc(pages * sizeof(*order));
	uint64_t seed = 7;

	fs_ops_must(order != NULL, "memory");
	for (size_t i = 0; i < pages; i++)
		order[i] = (uint32_t)i;
	for (size_t i = pages - 1; i > 0; i--) {
		size_t k;
		uint32_t t = order[i];

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		k = (size_t)(seed >> 33) % (i + 1);
		order[i] = order[k];
		order[k] = t;
	}
	return order;
}

static void random_pages(const struct fs_ops *o, bool writes)
{
	struct worker w[THREADS_MAX] = {0};
	int fd = open_must(o->path, O_RDWR);
	struct stat st;
	uint32_t *order;
	uint32_t *us;
	uint64_t started;
	size_t pages;
	size_t share;

	fs_ops_must(fstat(fd, &st) == 0, "stat");
	pages = (size_t)st.st_size / PAGE;
	if (pages > o->count)
		pages = o->count;
	fs_ops_must(o->threads > 0 && o->threads <= THREADS_MAX && pages >= o->threads, "sizes");
	order = permutation((size_t)st.st_size / PAGE);
	us = calloc(pages, sizeof(*us));
	fs_ops_must(us != NULL, "memory");
	forget_pages(fd);
	share = pages / o->threads;
	started = measure_now_ns();
	for (size_t i = 0; i < o->threads; i++) {
		w[i] = (struct worker){o, 0, order + i * share, us + i * share, share, writes};
		fs_ops_must(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0, "thread");
	}
	for (size_t i = 0; i < o->threads; i++)
		(void)pthread_join(w[i].thread, NULL);
	fs_ops_report(started, share * o->threads, us, share * o->threads);
	(void)close(fd);
	free(order);
	free(us);
}

static void step_random_read(const struct fs_ops *o)
{
	random_pages(o, false);
}

static void step_random_write(const struct fs_ops *o)
{
	random_pages(o, true);
}

static void step_append(const struct fs_ops *o)
{
	uint8_t buf[512];
	uint32_t *us = calloc(o->count, sizeof(*us));
	uint64_t started = measure_now_ns();
	int fd = open_must(o->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);

	fs_ops_must(us != NULL, "memory");
	fs_ops_fill(buf, sizeof(buf), 3);
	for (size_t i = 0; i < o->count; i++) {
		uint64_t began = measure_now_ns();

		buf[0]++;
		fs_ops_must(write(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf), "write");
		if (o->sync)
			fs_ops_must(fdatasync(fd) == 0, "fdatasync");
		us[i] = (uint32_t)((measure_now_ns() - began) / 1000);
	}
	fs_ops_must(close(fd) == 0, "close");
	fs_ops_report(started, o->count, us, o->count);
	free(us);
}

static const struct {
	const char *name;
	void (*run)(const struct fs_ops *o);
} steps[] = {
	{"write", step_write},
	{"read", step_read},
	{"random-read", step_random_read},
	{"random-write", step_random_write},
	{"append", step_append},
	{"create", fs_ops_create},
	{"stat", fs_ops_stat},
	{"list", fs_ops_list},
	{"read-small", fs_ops_read_small},
	{"unlink", fs_ops_unlink},
	{"walk", fs_ops_walk},
	{"age", fs_ops_age},
};

int main(int argc, char **argv)
{
	struct fs_ops o = {.count = 1, .threads = 1};

	if (argc < 3) {
		fputs("usage: fs_ops STEP PATH [COUNT [THREADS [SYNC]]]\n", stderr);
		return 2;
	}
	o.path = argv[2];
	if (argc > 3)
		o.count = strtoull(argv[3], NULL, 10);
	if (argc > 4)
		o.threads = strtoull(argv[4], NULL, 10);
	o.sync = argc > 5 && strcmp(argv[5], "sync") == 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(argv[1], steps[i].name) != 0)
			continue;
		steps[i].run(&o);
		return 0;
	}
	fprintf(stderr, "fs_ops: %s: no such step\n", argv[1]);
	return 2;
}
