/*
 * Several threads on one volume, as the workers of a mount and the thread that checkpoints are.
 * Most worth running under SAN=thread.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/support.h"

#define WORKERS 4
#define FILES 12
#define FILE_MAX 60000
#define STEPS (getenv("CONCLAVE_LONG") ? 20000u : 1500u)

/* What a worker knows of its own files; nobody else touches them. */
struct worker {
	struct volume *v;
	pthread_t thread;
	uint32_t random;
	unsigned number;
	uint64_t dir;
	bool there[FILES];
	uint64_t object[FILES];
	size_t size[FILES];
	uint8_t *data[FILES];
	const char *wrong; /* the first thing that was not as it should be */
};

static atomic_bool stop;

static struct dir_name name_of(char text[16], unsigned worker, unsigned file)
{
	(void)snprintf(text, 16, "w%u-%u", worker, file);
	return (struct dir_name){ text, strlen(text) };
}

static void make_one(struct worker *w, unsigned i)
{
	struct dir_new new = { .mode = S_IFREG | 0600 };
	char text[16];
	struct dir_name name = name_of(text, w->number, i);

	if (dir_create(w->v, w->dir, &name, &new, &w->object[i]) != CV_OK)
		w->wrong = "create";
	w->there[i] = true;
	w->size[i] = 0;
	memset(w->data[i], 0, FILE_MAX);
}

static void write_one(struct worker *w, unsigned i)
{
	size_t at = next_random(&w->random) % (FILE_MAX - 9000);
	size_t len = 1 + next_random(&w->random) % 9000;
	size_t done = 0;

	fill_pattern(w->data[i] + at, len, w->random);
	if (data_write(w->v, w->object[i], at, w->data[i] + at, len, &done) != CV_OK || done != len)
		w->wrong = "write";
	w->size[i] = at + len > w->size[i] ? at + len : w->size[i];
}

static void compare_one(struct worker *w, unsigned i)
{
	static _Thread_local uint8_t back[FILE_MAX];
	size_t got = 0;

	if (data_read(w->v, w->object[i], 0, back, sizeof(back), &got) != CV_OK ||
		got != w->size[i] || memcmp(back, w->data[i], got) != 0)
		w->wrong = "read";
}

static void cut_one(struct worker *w, unsigned i)
{
	size_t size = next_random(&w->random) % FILE_MAX;

	if (data_truncate(w->v, w->object[i], size, NULL) != CV_OK)
		w->wrong = "truncate";
	if (size < w->size[i])
		memset(w->data[i] + size, 0, FILE_MAX - size);
	w->size[i] = size;
}

/* All names lie in one directory, so the workers meet in its nodes. */
static void remove_one(struct worker *w, unsigned i)
{
	char text[16];
	struct dir_name name = name_of(text, w->number, i);
	uint64_t gone = 0;

	if (dir_unlink(w->v, w->dir, &name, &gone) != CV_OK || reap_object(w->v, gone) != CV_OK)
		w->wrong = "unlink";
	w->there[i] = false;
}

static void *work(void *user)
{
	struct worker *w = user;

	for (unsigned step = 0; step < STEPS && !w->wrong; step++) {
		unsigned i = next_random(&w->random) % FILES;

		(void)pthread_mutex_lock(&w->v->lock);
		if (!w->there[i])
			make_one(w, i);
		else if (step % 11 == 0)
			remove_one(w, i);
		else if (step % 7 == 0)
			cut_one(w, i);
		else if (step % 3 == 0)
			compare_one(w, i);
		else
			write_one(w, i);
		if (!w->wrong && step % 50 == 0 && checkpoint_if_dirty(w->v) != CV_OK)
			w->wrong = "checkpoint";
		tree_trim(&w->v->tree);
		(void)pthread_mutex_unlock(&w->v->lock);
	}
	return NULL;
}

/* What the control socket and the clock do meanwhile, by the functions that lock by themselves. */
static void *watch(void *user)
{
	struct volume *v = user;
	uint8_t buf[5000];
	uint64_t last = 0;
	size_t got;

	while (!atomic_load(&stop)) {
		uint64_t generation = volume_generation(v);

		if (generation < last || volume_sync(v) != CV_OK ||
			volume_read(v, "/stays", 0, buf, sizeof(buf), &got) != CV_OK || got != 5000)
			return user;
		last = generation;
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	static struct worker workers[WORKERS];
	struct image *image = image_new(VOLUME_SIZE_MIN * 2);
	struct volume *v = image_open(image);
	uint8_t stays[5000] = { 1 };
	pthread_t watcher;
	void *wrong = NULL;

	(void)state;
	put_file(v, "/stays", stays, sizeof(stays));
	assert_int_equal(pthread_create(&watcher, NULL, watch, v), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){
			.v = v, .random = i + 1, .number = i, .dir = OBJECT_ROOT
		};
		for (unsigned f = 0; f < FILES; f++)
			workers[i].data[f] = calloc(1, FILE_MAX);
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		(void)pthread_join(workers[i].thread, NULL);
	atomic_store(&stop, true);
	(void)pthread_join(watcher, &wrong);
	assert_null(wrong);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_null(workers[i].wrong);
		workers[i].v = v;
		for (unsigned f = 0; f < FILES; f++) {
			if (workers[i].there[f])
				compare_one(&workers[i], f);
			free(workers[i].data[f]);
		}
		assert_null(workers[i].wrong);
	}
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
