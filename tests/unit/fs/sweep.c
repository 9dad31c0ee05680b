#include "tests/unit/fs/sweep.h"

#include <stdio.h>

#include "fs/xattr.h"

#define FILES 24

static size_t file_size(unsigned i)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 70000, 300001 };

	return sizes[i % 7];
}

static void file_path(char out[32], unsigned i)
{
	(void)snprintf(out, 32, i % 3 ? "/d/e/f%u" : "/f%u", i);
}

void tree_make(struct volume *v)
{
	static uint8_t data[300001];
	const struct dir_name x = { "user.note", 9 };
	struct dir_name name;
	char path[32];
	uint64_t dir;

	(void)make_dir(v, "/d");
	(void)make_dir(v, "/d/e");
	for (unsigned i = 0; i < FILES; i++) {
		file_path(path, i);
		fill_pattern(data, file_size(i), i);
		put_file(v, path, data, file_size(i));
	}
	write_at(v, make_file(v, "/holes"), 2000000, "end", 3);
	split_path(v, "/d/second", &dir, &name);
	assert_int_equal(dir_link(v, must_resolve(v, "/f6"), dir, &name), CV_OK);
	assert_int_equal(
		xattr_set(v, must_resolve(v, "/f6"), &x, (const uint8_t *)"value", 5, 0), CV_OK);
}

static void assert_file(struct volume *v, const char *path, uint32_t seed, size_t size)
{
	static uint8_t want[300001];
	static uint8_t back[300001 + 1];
	size_t got = 0;

	fill_pattern(want, size, seed);
	assert_int_equal(volume_read(v, path, 0, back, sizeof(back), &got), CV_OK);
	assert_int_equal(got, size);
	assert_memory_equal(back, want, size);
}

void tree_assert(struct volume *v)
{
	const struct dir_name x = { "user.note", 9 };
	uint8_t value[XATTR_VALUE_MAX];
	struct inode inode;
	char path[32];
	size_t len = 0;

	for (unsigned i = 0; i < FILES; i++) {
		file_path(path, i);
		assert_file(v, path, i, file_size(i));
	}
	assert_file(v, "/d/second", 6, file_size(6));
	assert_int_equal(inode_get(v, must_resolve(v, "/holes"), &inode), CV_OK);
	assert_int_equal(inode.size, 2000003);
	assert_int_equal(inode.blocks, 1);
	assert_int_equal(xattr_get(v, must_resolve(v, "/d/second"), &x, value, &len), CV_OK);
	assert_int_equal(len, 5);
	assert_memory_equal(value, "value", 5);
	assert_clean(v);
}

void tree_assert_now_and_later(struct volume *v, struct image *image)
{
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

struct image *tree_image(uint64_t size)
{
	struct image *image = image_new(size);
	struct volume *v = image_open(image);

	tree_make(v);
	assert_int_equal(volume_close(v), CV_OK);
	return image;
}

static void assert_state(struct image *state, size_t calls)
{
	struct volume_open_options o = test_open_options();
	struct volume_why why = { "" };
	struct volume *v = NULL;

	if (volume_open_store(&v, &state->store, &o, &why) != CV_OK)
		fail_msg("after %zu calls: %s", calls, why.text);
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(state);
}

static struct image *record(const struct image *base, sweep_work *work)
{
	struct image *image = image_copy(base);
	struct volume *v;

	image_record(image);
	v = image_open(image);
	assert_int_equal(work(v), CV_OK);
	assert_int_equal(volume_close(v), CV_OK);
	return image;
}

/* Some of the calls between two flushes arrived, some in part. */
static void cut_between(
	const struct image *flushed, const struct image *image, size_t from, size_t to, uint32_t *random)
{
	struct image *cut = image_copy(flushed);

	for (size_t i = from; i < to; i++) {
		const struct record_op *op = &image->ops[i];

		if (next_random(random) % 3 == 0)
			continue;
		if (op->bytes && next_random(random) % 3 == 0) {
			struct record_op part = *op;

			/* a write of which the front arrived */
			part.len = next_random(random) % (op->len / 512 + 1) * 512 / 4096 * 4096;
			image_apply(cut, &part);
		} else {
			image_apply(cut, op);
		}
	}
	assert_state(cut, from);
}

void sweep_cuts(const struct image *base, sweep_work *work, unsigned every)
{
	struct image *image = record(base, work);
	struct image *now = image_copy(base);
	struct image *flushed = image_copy(base);
	uint32_t random = 77;
	size_t last = 0;
	unsigned flushes = 0;

	for (size_t k = 0; k < image->op_count; k++) {
		const struct record_op *op = &image->ops[k];

		if (k % every == 0 || op->discard || op->resize)
			assert_state(image_copy(now), k);
		image_apply(now, op);
		if (!op->flush)
			continue;
		if (flushes++ % (every / 8 + 1) == 0)
			cut_between(flushed, image, last, k, &random);
		for (; last <= k; last++)
			image_apply(flushed, &image->ops[last]);
	}
	assert_state(image_copy(now), image->op_count);
	image_free(now);
	image_free(flushed);
	image_free(image);
}

static bool fail_once(const struct image *base, sweep_work *work, unsigned long n, bool sticky)
{
	struct image *image = image_copy(base);
	struct volume *v = NULL;
	unsigned long calls;

	image->fail_at = n;
	image->fail_sticky = sticky;
	if (image_try_open(image, &v) == CV_OK) {
		enum cv_err err = work(v);
		enum cv_err closed = volume_close(v);

		if (image->calls < n)
			assert_int_equal(err ? err : closed, CV_OK);
	}
	calls = image->calls;
	image->fail_at = 0;
	assert_state(image, n);
	return calls >= n;
}

void sweep_failures(const struct image *base, sweep_work *work, unsigned every)
{
	for (unsigned long n = 1; fail_once(base, work, n, false); n += every)
		;
	for (unsigned long n = 1; fail_once(base, work, n, true); n += every)
		;
}
