/* Between fs_ops.c (content of one file) and fs_ops_names.c (many small files). */
#ifndef CONCLAVE_BENCH_FS_OPS_H
#define CONCLAVE_BENCH_FS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs_ops {
	const char *path;
	size_t count;
	size_t threads;
	bool sync;
};

/* A step that goes wrong has no figure: one line, exit 1. */
void fs_ops_must(bool good, const char *what);
void fs_ops_fill(uint8_t *buf, size_t len, uint64_t seed);
/* Prints the line of a step; `us` holds `count` times of single operations and is sorted. */
void fs_ops_report(uint64_t started, uint64_t done, uint32_t *us, size_t count);

void fs_ops_create(const struct fs_ops *o);
void fs_ops_stat(const struct fs_ops *o);
void fs_ops_list(const struct fs_ops *o);
void fs_ops_read_small(const struct fs_ops *o);
void fs_ops_unlink(const struct fs_ops *o);
void fs_ops_walk(const struct fs_ops *o);
void fs_ops_age(const struct fs_ops *o);

#endif
