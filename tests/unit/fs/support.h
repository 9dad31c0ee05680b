/* A container in memory that records what is done to it, and short ways to work on a volume. */
#ifndef CONCLAVE_TESTS_FS_SUPPORT_H
#define CONCLAVE_TESTS_FS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/data.h"
#include "fs/dir.h"
#include "fs/open.h"
#include "fs/path.h"
#include "fs/reap.h"

/* One recorded call. */
struct record_op {
	bool flush;
	size_t covers; /* of a flush: the calls that were done when it began */
	bool resize;  /* offset: the new size */
	bool discard; /* offset and len */
	uint64_t offset;
	size_t len;
	uint8_t *bytes; /* what was written */
};

/*
 * A container in memory: 4096-byte blocks. Those never written are NULL, and read as what the image
 * below has, or as zeros.
 */
struct image {
	struct store store;
	uint64_t size;
	const struct image *below;
	uint8_t **block;
	bool recording;
	struct record_op *ops;
	size_t op_count;
	size_t op_cap;
	/* the n-th write or flush from now on fails; 0: none */
	unsigned long fail_at;
	unsigned long fail_reads_at;
	unsigned long fail_flush_at; /* the n-th flush */
	unsigned long flushes;
	enum cv_err fail_with;
	bool fail_sticky; /* everything after it fails, too */
	/* bytes whose writes neither fail nor count */
	uint64_t spared_first;
	uint64_t spared_end;
	void (*on_flush)(void *user); /* called while a flush is on its way */
	void *on_flush_user;
	_Atomic unsigned long calls; /* several threads may flush and write */
	_Atomic unsigned long reads;
};

extern const uint8_t TEST_SECRET[CV_SECRET_BYTES];
extern const uint8_t TEST_RECOVERY[VOLUME_RECOVERY_BYTES];
extern const uint8_t TEST_VOLUME_ID[CV_VOLUME_ID_BYTES];

void support_init(void);

struct volume_create_options test_create_options(uint64_t size);
struct volume_open_options test_open_options(void);

/* A blank image. */
struct image *image_blank(uint64_t size);
/* An image with a fresh volume. */
struct image *image_new(uint64_t size);
struct image *image_copy(const struct image *image);
/* A copy that holds what differs only; `image` must stay as it is while the copy lives. */
struct image *image_over(const struct image *image);
void image_free(struct image *image);
struct volume *image_open(struct image *image);
enum cv_err image_try_open(struct image *image, struct volume **v);
/* The block for reading and changing by a test; made if it was never written. */
uint8_t *image_block(struct image *image, uint64_t block);
void image_record(struct image *image);
/* Applies one recorded write to another image. */
void image_apply(struct image *image, const struct record_op *op);

void fill_pattern(uint8_t *p, size_t len, uint32_t seed);
uint32_t next_random(uint32_t *state);

/* Whole-file helpers; they assert success. */
uint64_t must_resolve(struct volume *v, const char *path);
uint64_t make_file(struct volume *v, const char *path);
uint64_t make_dir(struct volume *v, const char *path);
void put_file(struct volume *v, const char *path, const uint8_t *data, size_t len);
void write_at(struct volume *v, uint64_t object, uint64_t offset, const void *data, size_t len);
void remove_path(struct volume *v, const char *path);
/* volume_check finds nothing. */
void assert_clean(struct volume *v);

/* Splits "/a/b" into the directory's object and the last name. */
void split_path(struct volume *v, const char *path, uint64_t *dir, struct dir_name *name);

#endif
