/*
 * Threads that want things durable at the same time: one flush for many, nobody stands still while one
 * is on its way, and the background thread's checkpoints lose nothing. Also run under
 * SAN=thread.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/reap.h"
#include "fs/xattr.h"
#include "tests/unit/fs/history.h"

#define THREADS 6
#define WORKERS 4
#define WORK 150

/* A container in a file of memory that tells when it is flushed. */
struct watched {
	struct store store;
	struct store_file file;
	atomic_uint flushes;
	void (*on_flush)(struct watched *w);
	struct volume *v;
	pthread_t threads[THREADS];
};

static enum cv_err watched_read(struct store *s, uint64_t offset, void *buf, size_t len)
{
	return store_read(&((struct watched *)s)->file.store, offset, buf, len);
}

static enum cv_err watched_write(struct store *s, uint64_t offset, const void *buf, size_t len)
{
	return store_write(&((struct watched *)s)->file.store, offset, buf, len);
}

static enum cv_err watched_flush(struct store *s)
{
	struct watched *w = (struct watched *)s;

	w->flushes++;
	if (w->on_flush)
		w->on_flush(w);
	return CV_OK;
}

static enum cv_err watched_size(struct store *s, uint64_t *bytes)
{
	return store_size(&((struct watched *)s)->file.store, bytes);
}

static const struct store_ops watched_ops = { .read = watched_read,
	.write = watched_write,
	.flush = watched_flush,
	.size = watched_size };

static void watched_open(struct watched *w)
{
	struct volume_open_options o = test_open_options();

	assert_int_equal(volume_open_store(&w->v, &w->store, &o, NULL), CV_OK);
}

static void watched_new(struct watched *w)
{
	struct volume_create_options o = test_create_options(VOLUME_SIZE_MIN);
	int fd = memfd_create("container", MFD_CLOEXEC);

	memset(w, 0, sizeof(*w));
	w->store.ops = &watched_ops;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)VOLUME_SIZE_MIN), 0);
	store_file_init(&w->file, fd);
	assert_int_equal(volume_create_store(&w->store, &o, NULL), CV_OK);
	watched_open(w);
}

static void watched_free(struct watched *w)
{
	assert_int_equal(volume_close(w->v), CV_OK);
	(void)close(w->file.fd);
}

static void make_locked(struct volume *v, const char *text)
{
	struct dir_new new = { .mode = S_IFREG | 0644 };
	struct dir_name name = { text, strlen(text) };
	uint64_t object;

	(void)pthread_mutex_lock(&v->lock);
	assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_OK);
	(void)pthread_mutex_unlock(&v->lock);
}

static atomic_uint made;

static void *make_and_sync(void *user)
{
	struct watched *w = user;
	char text[16];

	(void)snprintf(text, sizeof(text), "t%u", (unsigned)made++);
	make_locked(w->v, text);
	return volume_sync(w->v) == CV_OK ? w : NULL;
}

/* Returns when each of the threads has done its work. */
static void *await_all(void *user)
{
	struct watched *w = user;

	for (uint64_t newest = 0; newest < THREADS;) {
		(void)pthread_mutex_lock(&w->v->lock);
		newest = log_newest(&w->v->log);
		(void)pthread_mutex_unlock(&w->v->lock);
		(void)sched_yield();
	}
	return NULL;
}

/* While the first flush is on its way all others come, do their work, and ask for a flush, too. */
static void let_all_come(struct watched *w)
{
	pthread_t waiter;

	w->on_flush = NULL;
	for (unsigned i = 1; i < THREADS; i++)
		assert_int_equal(pthread_create(&w->threads[i], NULL, make_and_sync, w), 0);
	assert_int_equal(pthread_create(&waiter, NULL, await_all, w), 0);
	assert_int_equal(pthread_join(waiter, NULL), 0);
}

static void one_flush_serves_all_who_wait(void **state)
{
	struct watched w;
	unsigned before;

	(void)state;
	watched_new(&w);
	before = w.flushes;
	w.on_flush = let_all_come;
	assert_non_null(make_and_sync(&w));
	for (unsigned i = 1; i < THREADS; i++) {
		void *good = NULL;

		assert_int_equal(pthread_join(w.threads[i], &good), 0);
		assert_non_null(good);
	}
	/* the leader's, and one for the five that came too late for it */
	assert_int_equal(w.flushes - before, 2);
	assert_int_equal(w.v->log.durable, log_newest(&w.v->log));
	watched_free(&w);
}

static void *make_one(void *user)
{
	struct watched *w = user;
	char text[16];

	(void)snprintf(text, sizeof(text), "during%u", (unsigned)w->flushes);
	make_locked(w->v, text);
	return NULL;
}

/* Comes back only if the lock is free. */
static void work_meanwhile(struct watched *w)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, make_one, w), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void others_work_while_a_flush_is_on_its_way(void **state)
{
	struct watched w;
	uint64_t generation;

	(void)state;
	watched_new(&w);
	make_locked(w.v, "first");
	w.on_flush = work_meanwhile;
	assert_int_equal(volume_sync(w.v), CV_OK);
	generation = volume_generation(w.v);
	(void)pthread_mutex_lock(&w.v->lock);
	checkpoint_background(w.v);
	(void)pthread_mutex_unlock(&w.v->lock);
	w.on_flush = NULL;
	assert_int_equal(volume_generation(w.v), generation + 1);
	/* what was done meanwhile is in the log behind that checkpoint */
	assert_true(w.v->dirty);
	volume_drop(w.v);
	watched_open(&w);
	assert_int_equal(w.v->super->objects, 1 + 1 + 4);
	assert_clean(w.v);
	watched_free(&w);
}

struct worker {
	struct watched *w;
	unsigned index;
	uint32_t random;
};

static void work_once(struct worker *me, unsigned n)
{
	struct volume *v = me->w->v;
	struct dir_new new = { .mode = S_IFREG | 0644 };
	uint8_t data[9000];
	char text[24];
	uint64_t object = 0;
	uint64_t gone = 0;
	size_t done;

	(void)snprintf(text, sizeof(text), "w%u-%u", me->index, n);
	struct dir_name name = { text, strlen(text) };

	fill_pattern(data, sizeof(data), n);
	(void)pthread_mutex_lock(&v->lock);
	assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_OK);
	assert_int_equal(
		data_write(v, object, 0, data, next_random(&me->random) % 9000, &done), CV_OK);
	if (n % 3 == 0) {
		assert_int_equal(dir_unlink(v, OBJECT_ROOT, &name, &gone), CV_OK);
		assert_int_equal(reap_soon(v, gone), CV_OK);
	}
	/* as an operation that finds no space, and cannot wait for the thread */
	if (n % 40 == 39)
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	(void)pthread_mutex_unlock(&v->lock);
	if (n % 4 == 1)
		assert_int_equal(volume_sync(v), CV_OK);
}

static void *work(void *user)
{
	struct worker *me = user;

	for (unsigned n = 0; n < WORK; n++)
		work_once(me, n);
	return NULL;
}

/* So many checkpoints that they meet everything: in the background, and by those who cannot wait. */
static void the_background_loses_nothing(void **state)
{
	struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	struct watched w;
	uint64_t generation;
	uint64_t digest;

	(void)state;
	watched_new(&w);
	w.v->shared = true;
	w.v->dirty_max = 4 * NODE_BYTES;
	generation = volume_generation(w.v);
	assert_int_equal(flusher_start(w.v), CV_OK);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .w = &w, .index = i, .random = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	(void)pthread_mutex_lock(&w.v->lock);
	reap_waiting(w.v);
	digest = tree_digest(w.v);
	(void)pthread_mutex_unlock(&w.v->lock);
	assert_true(volume_generation(w.v) > generation + 5);
	volume_drop(w.v);
	watched_open(&w);
	assert_true(tree_digest(w.v) == digest);
	assert_clean(w.v);
	watched_free(&w);
}

/* Frames of the log that freeing a new file of `blocks` blocks takes. */
static uint64_t frames_to_free(struct volume *v, uint64_t blocks, bool xattr)
{
	static const uint8_t data[BLOCK_BYTES];
	const struct dir_name attribute = { "user.a", 6 };
	struct dir_name name = { "f", 1 };
	uint64_t file = make_file(v, "/f");
	uint64_t gone = 0;
	uint64_t newest;

	for (uint64_t b = 0; b < blocks; b++)
		write_at(v, file, b * BLOCK_BYTES, data, sizeof(data));
	if (xattr)
		assert_int_equal(xattr_set(v, file, &attribute, data, 1, 0), CV_OK);
	assert_int_equal(dir_unlink(v, OBJECT_ROOT, &name, &gone), CV_OK);
	newest = log_newest(&v->log);
	assert_int_equal(reap_soon(v, gone), CV_OK);
	return log_newest(&v->log) - newest;
}

static void small_files_are_freed_together(void **state)
{
	struct watched w;

	(void)state;
	watched_new(&w);
	/* as if the thread that sees to those that are left ran: none is to run in between */
	w.v->flush.started = true;
	assert_int_not_equal(frames_to_free(w.v, 17, false), 0);
	assert_int_not_equal(frames_to_free(w.v, 1, true), 0);
	for (unsigned i = 1; i < REAP_BATCH; i++)
		assert_int_equal(frames_to_free(w.v, i % 17, false), 0);
	assert_int_equal(w.v->super->orphans, REAP_BATCH - 1);
	assert_int_equal(frames_to_free(w.v, 16, false), 1);
	assert_int_equal(w.v->super->orphans, 0);
	assert_int_equal(frames_to_free(w.v, 2, false), 0);
	reap_waiting(w.v);
	assert_int_equal(w.v->super->orphans, 0);
	assert_int_equal(frames_to_free(w.v, 2, false), 0);
	w.v->flush.started = false;
	/* one that still waits when the process is killed is freed by the next open */
	volume_drop(w.v);
	watched_open(&w);
	assert_int_equal(w.v->super->orphans, 0);
	assert_clean(w.v);
	watched_free(&w);
}

static void nothing_waits_while_space_is_short(void **state)
{
	static uint8_t data[64 * BLOCK_BYTES];
	enum cv_err err = CV_OK;
	struct watched w;
	uint64_t file;
	uint64_t at = 0;
	size_t done;

	(void)state;
	watched_new(&w);
	file = make_file(w.v, "/large");
	while (!err) {
		err = data_write(w.v, file, at, data, sizeof(data), &done);
		at += done;
	}
	assert_int_equal(err, CV_ERR_FULL);
	assert_int_equal(data_truncate(w.v, file, at - sizeof(data), NULL), CV_OK);
	w.v->flush.started = true;
	assert_int_not_equal(frames_to_free(w.v, 0, false), 0);
	w.v->flush.started = false;
	assert_clean(w.v);
	watched_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_flush_serves_all_who_wait),
		cmocka_unit_test(others_work_while_a_flush_is_on_its_way),
		cmocka_unit_test(the_background_loses_nothing),
		cmocka_unit_test(small_files_are_freed_together),
		cmocka_unit_test(nothing_waits_while_space_is_short),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
