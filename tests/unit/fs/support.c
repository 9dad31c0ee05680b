#include "tests/unit/fs/support.h"

#include <stdio.h>

#include "host/secret.h"
#include "protocol/crypto.h"

const uint8_t TEST_SECRET[CV_SECRET_BYTES] = { 1, 2, 3, 4, 5 };
const uint8_t TEST_RECOVERY[VOLUME_RECOVERY_BYTES] = { 9, 9, 9 };
const uint8_t TEST_VOLUME_ID[CV_VOLUME_ID_BYTES] = { 0xc0, 0x11 };

void support_init(void)
{
	if (crypto_init() != CV_OK)
		abort();
}

static enum cv_err should_fail(struct image *image)
{
	unsigned long call = ++image->calls;

	if (image->fail_at && (call == image->fail_at ||
				      (image->fail_sticky && call > image->fail_at)))
		return image->fail_with;
	return CV_OK;
}

/* NULL: never written. */
static const uint8_t *block_below(const struct image *image, uint64_t block)
{
	while (image && (block >= image->size / BLOCK_BYTES || !image->block[block]))
		image = image->below;
	return image ? image->block[block] : NULL;
}

static enum cv_err image_read(struct store *s, uint64_t offset, void *buf, size_t len)
{
	struct image *image = (struct image *)s;
	uint8_t *p = buf;

	image->reads++;
	if (image->fail_reads_at && image->reads == image->fail_reads_at)
		return CV_ERR_IO;
	if (offset > image->size || len > image->size - offset)
		return CV_ERR_IO;
	for (size_t i = 0; i < len; i += BLOCK_BYTES) {
		const uint8_t *block = block_below(image, (offset + i) / BLOCK_BYTES);

		if (block)
			memcpy(p + i, block, BLOCK_BYTES);
		else
			memset(p + i, 0, BLOCK_BYTES);
	}
	return CV_OK;
}

uint8_t *image_block(struct image *image, uint64_t block)
{
	const uint8_t *below = block_below(image, block);

	if (!image->block[block]) {
		image->block[block] = calloc(1, BLOCK_BYTES);
		if (below)
			memcpy(image->block[block], below, BLOCK_BYTES);
	}
	return image->block[block];
}

static void image_put(struct image *image, uint64_t offset, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += BLOCK_BYTES)
		memcpy(image_block(image, (offset + i) / BLOCK_BYTES), bytes + i, BLOCK_BYTES);
}

static struct record_op *record_new(struct image *image)
{
	if (image->op_count == image->op_cap) {
		image->op_cap = image->op_cap * 2 + 64;
		image->ops = realloc(image->ops, image->op_cap * sizeof(*image->ops));
	}
	memset(&image->ops[image->op_count], 0, sizeof(*image->ops));
	return &image->ops[image->op_count++];
}

static enum cv_err image_write(struct store *s, uint64_t offset, const void *buf, size_t len)
{
	struct image *image = (struct image *)s;
	bool spared = offset >= image->spared_first && offset < image->spared_end;
	enum cv_err err = spared ? CV_OK : should_fail(image);

	if (err)
		return err;
	if (offset > image->size || len > image->size - offset)
		return CV_ERR_IO;
	if (image->recording) {
		struct record_op *op = record_new(image);

		op->offset = offset;
		op->len = len;
		op->bytes = malloc(len);
		memcpy(op->bytes, buf, len);
	}
	image_put(image, offset, buf, len);
	return CV_OK;
}

static enum cv_err image_flush(struct store *s)
{
	struct image *image = (struct image *)s;
	enum cv_err err = should_fail(image);
	size_t covers = image->op_count;

	image->flushes++;
	if (image->fail_flush_at && image->flushes == image->fail_flush_at)
		return image->fail_with;
	if (!err && image->on_flush)
		image->on_flush(image->on_flush_user);
	if (!err && image->recording) {
		struct record_op *op = record_new(image);

		op->flush = true;
		op->covers = covers;
	}
	return err;
}

static enum cv_err image_size(struct store *s, uint64_t *bytes)
{
	*bytes = ((struct image *)s)->size;
	return CV_OK;
}

static void image_set_size(struct image *image, uint64_t bytes)
{
	uint64_t old = image->size / BLOCK_BYTES;

	image->block = realloc(image->block, bytes / BLOCK_BYTES * sizeof(uint8_t *));
	for (uint64_t b = old; b < bytes / BLOCK_BYTES; b++)
		image->block[b] = NULL;
	image->size = bytes;
}

static enum cv_err image_resize(struct store *s, uint64_t bytes)
{
	struct image *image = (struct image *)s;
	enum cv_err err = should_fail(image);

	if (err)
		return err;
	for (uint64_t b = bytes / BLOCK_BYTES; b < image->size / BLOCK_BYTES; b++)
		free(image->block[b]);
	if (image->recording) {
		struct record_op *op = record_new(image);

		op->resize = true;
		op->offset = bytes;
	}
	image_set_size(image, bytes);
	return CV_OK;
}

static void image_drop(struct image *image, uint64_t offset, size_t len)
{
	for (uint64_t b = offset / BLOCK_BYTES; b < (offset + len) / BLOCK_BYTES; b++) {
		free(image->block[b]);
		image->block[b] = image->below ? calloc(1, BLOCK_BYTES) : NULL;
	}
}

static enum cv_err image_discard(struct store *s, uint64_t offset, uint64_t len)
{
	struct image *image = (struct image *)s;
	bool spared = offset >= image->spared_first && offset < image->spared_end;
	enum cv_err err = spared ? CV_OK : should_fail(image);

	if (err)
		return err;
	if (offset > image->size || len > image->size - offset)
		return CV_ERR_IO;
	if (image->recording) {
		struct record_op *op = record_new(image);

		op->discard = true;
		op->offset = offset;
		op->len = len;
	}
	image_drop(image, offset, len);
	return CV_OK;
}

static const struct store_ops image_ops = {
	.read = image_read,
	.write = image_write,
	.flush = image_flush,
	.size = image_size,
	.resize = image_resize,
	.discard = image_discard,
};

struct image *image_blank(uint64_t size)
{
	struct image *image = calloc(1, sizeof(*image));

	image->store.ops = &image_ops;
	image->size = size;
	image->block = calloc(size / BLOCK_BYTES, sizeof(uint8_t *));
	image->fail_with = CV_ERR_IO;
	return image;
}

struct volume_create_options test_create_options(uint64_t size)
{
	struct volume_create_options o = { .size_bytes = size,
		.unlock_secret = TEST_SECRET,
		.epoch = 7,
		.recovery_code = TEST_RECOVERY };

	memcpy(o.volume_id, TEST_VOLUME_ID, sizeof(o.volume_id));
	memset(o.share_set_hash, 0x5a, sizeof(o.share_set_hash));
	return o;
}

struct volume_open_options test_open_options(void)
{
	return (struct volume_open_options){ .secret = TEST_SECRET };
}

struct image *image_new(uint64_t size)
{
	struct volume_create_options o = test_create_options(size);
	struct image *image = image_blank(size);

	assert_int_equal(volume_create_store(&image->store, &o, NULL), CV_OK);
	return image;
}

struct image *image_copy(const struct image *image)
{
	struct image *copy = image_blank(image->size);

	for (uint64_t b = 0; b < image->size / BLOCK_BYTES; b++)
		if (block_below(image, b))
			memcpy(image_block(copy, b), block_below(image, b), BLOCK_BYTES);
	return copy;
}

struct image *image_over(const struct image *image)
{
	struct image *copy = image_blank(image->size);

	copy->below = image;
	return copy;
}

void image_free(struct image *image)
{
	for (uint64_t b = 0; b < image->size / BLOCK_BYTES; b++)
		free(image->block[b]);
	for (size_t i = 0; i < image->op_count; i++)
		free(image->ops[i].bytes);
	free(image->ops);
	free(image->block);
	free(image);
}

enum cv_err image_try_open(struct image *image, struct volume **v)
{
	struct volume_open_options o = test_open_options();

	return volume_open_store(v, &image->store, &o, NULL);
}

struct volume *image_open(struct image *image)
{
	struct volume_open_options o = test_open_options();
	struct volume_why why = { "" };
	struct volume *v = NULL;
	enum cv_err err = volume_open_store(&v, &image->store, &o, &why);

	if (err)
		fprintf(stderr, "open: %s\n", why.text);
	assert_int_equal(err, CV_OK);
	/* regions of the allocator go whenever they can, as in a volume of many */
	v->alloc.keep = 0;
	v->alloc.trim_at = 0;
	return v;
}

void image_record(struct image *image)
{
	image->recording = true;
}

void image_apply(struct image *image, const struct record_op *op)
{
	if (op->resize) {
		for (uint64_t b = op->offset / BLOCK_BYTES; b < image->size / BLOCK_BYTES; b++)
			free(image->block[b]);
		image_set_size(image, op->offset);
	} else if (op->discard) {
		image_drop(image, op->offset, op->len);
	} else if (!op->flush) {
		if (op->offset + op->len > image->size)
			image_set_size(image, op->offset + op->len);
		image_put(image, op->offset, op->bytes, op->len);
	}
}

uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

void fill_pattern(uint8_t *p, size_t len, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(next_random(&state) >> 8);
}

void split_path(struct volume *v, const char *path, uint64_t *dir, struct dir_name *name)
{
	const char *slash = strrchr(path, '/');
	char parent[1024];

	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	*dir = must_resolve(v, parent);
	name->bytes = slash + 1;
	name->len = strlen(slash + 1);
}

uint64_t must_resolve(struct volume *v, const char *path)
{
	uint64_t object = 0;

	assert_int_equal(path_resolve(v, path, &object), CV_OK);
	return object;
}

static uint64_t make(struct volume *v, const char *path, uint32_t mode)
{
	struct dir_new new = { .mode = mode };
	struct dir_name name;
	uint64_t object = 0;
	uint64_t dir;

	split_path(v, path, &dir, &name);
	assert_int_equal(dir_create(v, dir, &name, &new, &object), CV_OK);
	return object;
}

uint64_t make_file(struct volume *v, const char *path)
{
	return make(v, path, S_IFREG | 0644);
}

uint64_t make_dir(struct volume *v, const char *path)
{
	return make(v, path, S_IFDIR | 0755);
}

void write_at(struct volume *v, uint64_t object, uint64_t offset, const void *data, size_t len)
{
	size_t done = 0;

	assert_int_equal(data_write(v, object, offset, data, len, &done), CV_OK);
	assert_int_equal(done, len);
}

void put_file(struct volume *v, const char *path, const uint8_t *data, size_t len)
{
	write_at(v, make_file(v, path), 0, data, len);
}

void remove_path(struct volume *v, const char *path)
{
	struct dir_name name;
	uint64_t gone = 0;
	uint64_t dir;

	split_path(v, path, &dir, &name);
	assert_int_equal(dir_unlink(v, dir, &name, &gone), CV_OK);
	if (gone)
		assert_int_equal(reap_object(v, gone), CV_OK);
}

void assert_clean(struct volume *v)
{
	struct volume_check_report report;

	assert_int_equal(volume_check(v, NULL, NULL, &report), CV_OK);
	for (unsigned i = 0; i < report.first_count; i++)
		fprintf(stderr, "check: %s\n", report.first[i]);
	assert_int_equal(report.problems, 0);
	assert_int_equal(report.leaked_blocks, 0);
}
