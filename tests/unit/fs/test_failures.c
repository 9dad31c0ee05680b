/* Containers that fail: every n-th write, flush and read; a full volume. */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/history.h"

static uint8_t kept[50000];

/* A fixed course of work that goes on after errors, as programs do. */
static void work(struct volume *v)
{
	uint32_t random = 4;
	uint8_t data[20000];

	for (unsigned i = 0; i < 30; i++) {
		struct dir_new new = { .mode = S_IFREG | 0644 };
		struct dir_name name = { "abcdefghijklmnopqrstuvwxyzABCD" + i, 1 };
		uint64_t object = 0;
		uint64_t gone = 0;
		size_t done;

		fill_pattern(data, sizeof(data), i);
		if (dir_create(v, OBJECT_ROOT, &name, &new, &object) == CV_OK &&
			data_write(
				v, object, next_random(&random) % 9000, data, sizeof(data), &done))
			continue;
		if (i % 3 == 0 && object && data_truncate(v, object, 5000, NULL))
			continue;
		if (i % 4 == 0 && dir_unlink(v, OBJECT_ROOT, &name, &gone) == CV_OK && gone &&
			reap_object(v, gone))
			continue;
		if (i % 5 == 4 && checkpoint_if_dirty(v))
			continue;
	}
}

static void assert_kept(struct image *image)
{
	struct volume *v = image_open(image);
	uint8_t back[sizeof(kept)];
	size_t got = 0;

	assert_int_equal(volume_read(v, "/kept", 0, back, sizeof(back), &got), CV_OK);
	assert_int_equal(got, sizeof(kept));
	assert_memory_equal(back, kept, sizeof(kept));
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
}

static struct image *image_with_kept(void)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);

	fill_pattern(kept, sizeof(kept), 42);
	put_file(v, "/kept", kept, sizeof(kept));
	assert_int_equal(volume_close(v), CV_OK);
	return image;
}

static void sweep_writes(enum cv_err fail_with, bool sticky)
{
	struct image *base = image_with_kept();

	for (unsigned long n = 1;; n++) {
		struct image *image = image_copy(base);
		struct volume *v = NULL;
		unsigned long calls;

		image->fail_at = n;
		image->fail_with = fail_with;
		image->fail_sticky = sticky;
		if (image_try_open(image, &v) == CV_OK) {
			enum cv_err err = CV_ERR_INTERNAL;

			work(v);
			err = volume_close(v);
			if (sticky && image->calls >= n)
				assert_int_not_equal(err, CV_OK);
		}
		calls = image->calls;
		image->fail_at = 0;
		assert_kept(image);
		image_free(image);
		if (calls < n)
			break;
	}
	image_free(base);
}

static void keeps_what_was_durable_when_any_write_fails(void **state)
{
	(void)state;
	sweep_writes(CV_ERR_IO, false);
	sweep_writes(CV_ERR_IO, true);
}

static void keeps_what_was_durable_when_the_host_is_full(void **state)
{
	(void)state;
	sweep_writes(CV_ERR_FULL, false);
}

static void answers_every_failing_read_with_an_error(void **state)
{
	struct image *base = image_with_kept();

	(void)state;
	for (unsigned long n = 1;; n++) {
		struct image *image = image_copy(base);
		struct volume *v = NULL;
		uint8_t back[sizeof(kept)];
		size_t got = 0;
		bool failed;

		image->fail_reads_at = n;
		if (image_try_open(image, &v) == CV_OK) {
			if (volume_read(v, "/kept", 0, back, sizeof(back), &got) == CV_OK)
				assert_memory_equal(back, kept, sizeof(kept));
			work(v);
			assert_int_equal(volume_close(v), CV_OK);
		}
		failed = image->reads >= n;
		image->fail_reads_at = 0;
		assert_kept(image);
		image_free(image);
		if (!failed)
			break;
	}
	image_free(base);
}

/* While a crashed volume is opened: refused, or all there, and never a byte of it given up. */
static void a_failing_read_of_the_log_loses_nothing(void **state)
{
	static const struct history_shape shape = { .seed = 3, .steps = 60, .syncs = 9 };
	struct history h;
	bool failed = true;

	(void)state;
	history_make(&h, &shape);
	for (unsigned long n = 1; failed; n++) {
		struct image *image = image_over(h.image);
		struct volume *v = NULL;

		image->fail_reads_at = n;
		if (image_try_open(image, &v) == CV_OK) {
			failed = image->reads >= n;
			image->fail_reads_at = 0;
			assert_true(tree_digest(v) == h.steps[h.count - 1].digest);
		}
		volume_drop(v);
		image->fail_reads_at = 0;
		(void)history_assert(&h, image, h.count - 1, h.count, false, "read");
		assert_true(n < 5000);
	}
	history_free(&h);
}

static void freezes_after_a_failed_flush_and_still_reads(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	uint8_t back[sizeof(kept)];
	size_t got;

	(void)state;
	(void)make_file(v, "/new");
	image->fail_at = image->calls + 2;
	assert_int_equal(checkpoint_if_dirty(v), CV_ERR_IO);
	image->fail_at = 0;
	assert_int_equal(checkpoint_if_dirty(v), CV_ERR_READ_ONLY);
	assert_int_equal(
		data_write(v, must_resolve(v, "/kept"), 0, "x", 1, &got), CV_ERR_READ_ONLY);
	assert_int_equal(volume_read(v, "/kept", 0, back, sizeof(back), &got), CV_OK);
	assert_memory_equal(back, kept, sizeof(kept));
	assert_int_not_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

/* A sparse container on a host that is full, until somebody makes room there. */
static void a_host_that_is_full_for_a_while_freezes_nothing(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	uint8_t back[sizeof(kept)];
	size_t got;

	(void)state;
	image->fail_with = CV_ERR_FULL;
	image->fail_sticky = true;
	for (unsigned round = 0; round < 2; round++) {
		put_file(v, round ? "/two" : "/one", kept, sizeof(kept));
		image->fail_at = image->calls + 1;
		assert_int_equal(checkpoint_if_dirty(v), CV_ERR_FULL);
		assert_int_equal(checkpoint_if_dirty(v), CV_ERR_FULL);
		image->fail_at = 0;
		remove_path(v, "/kept");
		put_file(v, "/kept", kept, sizeof(kept));
		assert_int_equal(checkpoint_if_dirty(v), CV_OK);
	}
	/* full to the end: the log has it */
	put_file(v, "/three", kept, sizeof(kept));
	image->fail_at = image->calls + 1;
	assert_int_equal(volume_close(v), CV_ERR_FULL);
	image->fail_at = 0;
	v = image_open(image);
	assert_int_equal(volume_read(v, "/three", 0, back, sizeof(back), &got), CV_OK);
	assert_memory_equal(back, kept, sizeof(kept));
	assert_int_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

/* Only the log is really there, as in a sparse container. */
static void on_a_full_host_what_is_answered_is_what_happened(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	const struct dir_new new = { .mode = S_IFREG | 0644 };
	struct dir_name name = { NULL, 0 };
	enum cv_err err = CV_OK;
	char path[32];
	uint64_t object;
	unsigned made = 0;

	(void)state;
	image->spared_first = v->super->log.ring * BLOCK_BYTES;
	image->spared_end = image->spared_first + v->super->log.blocks * BLOCK_BYTES;
	image->fail_with = CV_ERR_FULL;
	image->fail_sticky = true;
	image->fail_at = image->calls + 1;
	for (;; made++) {
		(void)snprintf(path, sizeof(path), "/%u", made);
		name = (struct dir_name){ path + 1, strlen(path + 1) };
		err = dir_create(v, OBJECT_ROOT, &name, &new, &object);
		if (err)
			break;
	}
	assert_int_equal(err, CV_ERR_FULL);
	assert_true(made > 500);
	image->fail_at = 0;
	assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_OK);
	volume_drop(v);
	v = image_open(image);
	for (unsigned i = 0; i <= made; i++) {
		(void)snprintf(path, sizeof(path), "/%u", i);
		(void)must_resolve(v, path);
	}
	assert_int_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

/* One course with the n-th call failing; stops at the first error. False: nothing failed. */
static bool course(const struct image *base, unsigned long n, enum cv_err with, bool sticky)
{
	struct image *image = image_copy(base);
	struct volume *v = image_open(image);
	uint32_t random = 8;
	struct model m;
	uint64_t before;
	uint64_t after = 0;
	uint64_t now;
	bool failed = false;

	model_init(&m);
	m.file_max = 40000;
	m.whole_blocks = true;
	before = tree_digest(v);
	image->fail_at = image->calls + n;
	image->fail_with = with;
	image->fail_sticky = sticky;
	for (unsigned step = 0; step < 70 && !failed; step++) {
		failed = !model_step(&m, v, &random) || image->calls >= image->fail_at;
		after = tree_digest(v);
		if (!failed && step % 6 == 5)
			failed = (step % 4 ? volume_sync(v) : checkpoint_if_dirty(v)) != CV_OK;
		if (!failed)
			before = after;
	}
	failed = image->calls >= image->fail_at;
	volume_drop(v);
	image->fail_at = 0;
	v = image_open(image);
	now = tree_digest(v);
	/* what was answered is there; what failed has happened as a whole or not at all */
	assert_true(now == before || now == after);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	model_wipe(&m);
	image_free(image);
	return failed;
}

static void whatever_call_fails_the_tree_is_one_that_was(void **state)
{
	struct image *base = image_new(VOLUME_SIZE_MIN + ((uint64_t)16 << 20));

	(void)state;
	for (unsigned long n = 1; course(base, n, CV_ERR_IO, false); n++)
		;
	for (unsigned long n = 1; course(base, n, CV_ERR_IO, true); n += 3)
		;
	for (unsigned long n = 1; course(base, n, CV_ERR_FULL, true); n += 3)
		;
	image_free(base);
}

static unsigned recorded_writes(const struct image *image)
{
	unsigned n = 0;

	for (size_t i = 0; i < image->op_count; i++)
		n += !image->ops[i].flush;
	return n;
}

/* An fsync, and a checkpoint with and without the lock: each of their flushes fails in turn. */
static enum cv_err flush_in_some_way(struct volume *v, unsigned kind)
{
	if (kind == 0)
		return volume_sync(v);
	if (kind <= 3)
		return checkpoint_run(v, SUPER_OPEN);
	(void)pthread_mutex_lock(&v->lock);
	checkpoint_background(v);
	(void)pthread_mutex_unlock(&v->lock);
	return v->frozen ? CV_ERR_IO : CV_OK;
}

/* Not a byte is written behind a flush that failed, whoever asked for it. */
static void a_flush_that_fails_freezes_for_good(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 14; round++) {
		struct image *image = image_with_kept();
		struct volume *v = image_open(image);
		unsigned kind = round % 7;
		struct dir_new new = { .mode = S_IFREG | 0644 };
		struct dir_name name = { "later", 5 };
		uint64_t object;
		unsigned written;

		(void)make_file(v, "/new");
		image_record(image);
		/* no flush is tried again, not even one that found no room */
		image->fail_with = round < 7 ? CV_ERR_IO : CV_ERR_FULL;
		image->fail_flush_at = image->flushes + (kind ? (kind - 1) % 3 + 1 : 1);
		assert_int_equal(flush_in_some_way(v, kind), CV_ERR_IO);
		assert_true(v->frozen);
		written = recorded_writes(image);
		assert_int_equal(
			dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_ERR_READ_ONLY);
		assert_int_not_equal(volume_sync(v), CV_OK);
		assert_int_not_equal(checkpoint_if_dirty(v), CV_OK);
		/* the container would flush again; it is not asked to */
		assert_int_equal(flush_store(v), CV_ERR_IO);
		assert_int_not_equal(volume_close(v), CV_OK);
		assert_int_equal(recorded_writes(image), written);
		assert_kept(image);
		image_free(image);
	}
}

/* What the kernel lost under one fdatasync it reports once: another on its way must not pass. */
static void fail_the_other_flush(void *user)
{
	struct volume *v = user;
	struct image *image = (struct image *)v->store;

	image->on_flush = NULL;
	v->flush.failed = true;
}

static void a_checkpoint_stops_when_an_fsync_beside_it_fails(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	uint64_t generation = volume_generation(v);

	(void)state;
	(void)make_file(v, "/new");
	image_record(image);
	/* the first of its flushes still succeeds, the superblocks must not follow it as durable */
	image->on_flush = fail_the_other_flush;
	image->on_flush_user = v;
	assert_int_not_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	assert_true(v->frozen);
	assert_int_equal(volume_generation(v), generation);
	volume_drop(v);
	assert_kept(image);
	image_free(image);
}

static size_t fill(struct volume *v, unsigned file)
{
	static uint8_t data[1 << 20];
	char path[32];
	uint64_t object;
	size_t total = 0;
	size_t done;

	(void)snprintf(path, sizeof(path), "/fill%u", file);
	object = make_file(v, path);
	for (;;) {
		enum cv_err err = data_write(v, object, total, data, sizeof(data), &done);

		total += done;
		if (err) {
			assert_int_equal(err, CV_ERR_FULL);
			return total;
		}
	}
}

/* Full is an answer, not an end: deleting makes room, as often as one likes. */
static void recovers_from_full_by_deleting(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	size_t first = 0;

	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		size_t total = fill(v, round);
		char path[32];

		if (round == 0)
			first = total;
		assert_true(total > (size_t)16 << 20);
		assert_true(total + ((size_t)1 << 20) > first);
		(void)snprintf(path, sizeof(path), "/fill%u", round);
		remove_path(v, path);
		assert_clean(v);
	}
	assert_int_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

/* Every second block of a full volume is freed: nodes still find room. */
static void goes_on_when_free_space_is_in_pieces(void **state)
{
	struct image *image = image_with_kept();
	struct volume *v = image_open(image);
	uint8_t block[BLOCK_BYTES] = { 1 };
	uint64_t a = make_file(v, "/a");
	uint64_t b = make_file(v, "/b");
	enum cv_err err = CV_OK;
	size_t done;

	(void)state;
	for (uint64_t i = 0; !err; i++) {
		err = data_write(v, a, i * BLOCK_BYTES, block, sizeof(block), &done);
		if (!err)
			err = data_write(v, b, i * BLOCK_BYTES, block, sizeof(block), &done);
	}
	assert_int_equal(err, CV_ERR_FULL);
	remove_path(v, "/a");
	for (unsigned i = 0; i < 200; i++)
		write_at(v, b, (uint64_t)i * 9 * BLOCK_BYTES % ((uint64_t)2 << 20), block,
			sizeof(block));
	remove_path(v, "/b");
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	assert_kept(image);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_durable_when_any_write_fails),
		cmocka_unit_test(keeps_what_was_durable_when_the_host_is_full),
		cmocka_unit_test(answers_every_failing_read_with_an_error),
		cmocka_unit_test(a_failing_read_of_the_log_loses_nothing),
		cmocka_unit_test(freezes_after_a_failed_flush_and_still_reads),
		cmocka_unit_test(a_host_that_is_full_for_a_while_freezes_nothing),
		cmocka_unit_test(on_a_full_host_what_is_answered_is_what_happened),
		cmocka_unit_test(whatever_call_fails_the_tree_is_one_that_was),
		cmocka_unit_test(a_flush_that_fails_freezes_for_good),
		cmocka_unit_test(a_checkpoint_stops_when_an_fsync_beside_it_fails),
		cmocka_unit_test(recovers_from_full_by_deleting),
		cmocka_unit_test(goes_on_when_free_space_is_in_pieces),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
