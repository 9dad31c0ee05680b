/* Several threads on one volume, over a real file: content is read and sealed outside the lock. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/data_blocks.h"
#include "tests/unit/fs/support.h"

#define THREADS 4
#define SIZE ((uint64_t)48 << 20)

struct shared {
	struct volume *v;
	struct store_file store;
	int fd;
	uint64_t file;
	unsigned rounds;
	bool stop; /* lock */
	bool bad;  /* lock */
};

static void shared_open(struct shared *s, unsigned rounds)
{
	struct volume_create_options create = test_create_options(SIZE);
	struct volume_open_options o = test_open_options();

	memset(s, 0, sizeof(*s));
	s->rounds = rounds;
	s->fd = memfd_create("volume", MFD_CLOEXEC);
	assert_true(s->fd >= 0);
	assert_int_equal(ftruncate(s->fd, (off_t)SIZE), 0);
	store_file_init(&s->store, s->fd);
	assert_int_equal(volume_create_store(&s->store.store, &create, NULL), CV_OK);
	assert_int_equal(volume_open_store(&s->v, &s->store.store, &o, NULL), CV_OK);
	s->file = make_file(s->v, "/f");
}

static void shared_close(struct shared *s)
{
	assert_clean(s->v);
	assert_int_equal(volume_close(s->v), CV_OK);
	(void)close(s->fd);
}

struct thread {
	struct shared *s;
	pthread_t id;
	unsigned number;
};

static void run(struct shared *s, void *(*const work[])(void *), unsigned count)
{
	struct thread t[THREADS + 2];

	s->v->shared = true;
	for (unsigned i = 0; i < count; i++) {
		t[i] = (struct thread){ s, 0, i };
		assert_int_equal(pthread_create(&t[i].id, NULL, work[i], &t[i]), 0);
	}
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(t[i].id, NULL);
	s->v->shared = false;
	assert_false(s->bad);
}

static void must(struct shared *s, enum cv_err err)
{
	s->bad |= err != CV_OK;
}

/* Each thread has its own 512 bytes of the same block. */
static void *write_slot(void *user)
{
	struct thread *t = user;
	struct shared *s = t->s;
	uint8_t slot[512];
	size_t done;

	for (unsigned i = 1; i <= s->rounds; i++) {
		memset(slot, (int)i, sizeof(slot));
		(void)pthread_mutex_lock(&s->v->lock);
		must(s, data_write(s->v, s->file, t->number * sizeof(slot), slot, sizeof(slot),
				&done));
		(void)pthread_mutex_unlock(&s->v->lock);
	}
	return NULL;
}

static void parts_of_one_block_by_several_threads_all_stay(void **state)
{
	void *(*const work[THREADS])(void *) = { write_slot, write_slot, write_slot, write_slot };
	uint8_t back[THREADS * 512];
	struct shared s;
	size_t got;

	(void)state;
	shared_open(&s, 200);
	run(&s, work, THREADS);
	assert_int_equal(data_read(s.v, s.file, 0, back, sizeof(back), &got), CV_OK);
	assert_int_equal(got, sizeof(back));
	for (size_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], 200);
	shared_close(&s);
}

#define RANGE_BLOCKS 64

static void *overwrite(void *user)
{
	struct thread *t = user;
	struct shared *s = t->s;
	static uint8_t data[RANGE_BLOCKS * BLOCK_BYTES];
	size_t done;

	for (unsigned i = 1; i <= s->rounds; i++) {
		memset(data, (int)i, sizeof(data));
		(void)pthread_mutex_lock(&s->v->lock);
		must(s, data_write(s->v, s->file, 0, data, sizeof(data), &done));
		/* space goes round quickly, so that readers meet blocks that were given away */
		must(s, checkpoint_run(s->v, SUPER_OPEN));
		s->stop = i == s->rounds;
		(void)pthread_mutex_unlock(&s->v->lock);
	}
	return NULL;
}

static void *read_range(void *user)
{
	struct thread *t = user;
	struct shared *s = t->s;
	uint8_t back[RANGE_BLOCKS * BLOCK_BYTES];
	bool stop = false;
	size_t got;

	while (!stop) {
		(void)pthread_mutex_lock(&s->v->lock);
		must(s, data_read(s->v, s->file, 0, back, sizeof(back), &got));
		for (size_t i = 1; i < got; i++)
			s->bad |= back[i] != back[0];
		stop = s->stop;
		(void)pthread_mutex_unlock(&s->v->lock);
	}
	return NULL;
}

static void a_reader_sees_one_write_as_a_whole(void **state)
{
	void *(*const work[])(void *) = { overwrite, read_range, read_range };
	struct shared s;

	(void)state;
	shared_open(&s, 300);
	run(&s, work, 3);
	shared_close(&s);
}

/* A store that lets something happen just before the next read reaches the container. */
struct hooked {
	struct store store;
	struct shared *s;
	uint64_t at; /* byte offset of the read that is waited for; 0: none */
};

static enum cv_err hooked_read(struct store *store, uint64_t offset, void *buf, size_t len)
{
	struct hooked *h = (struct hooked *)store;
	struct volume *v = h->s->v;
	uint8_t other[BLOCK_BYTES] = { 2 };
	size_t done;

	if (offset == h->at) {
		h->at = 0;
		(void)pthread_mutex_lock(&v->lock);
		must(h->s, data_write(v, h->s->file, 0, other, sizeof(other), &done));
		for (int i = 0; i < 3; i++)
			must(h->s, checkpoint_run(v, SUPER_OPEN));
		/* the block that was to be read is free by now, and taken by another file */
		v->alloc.data_cursor = offset / BLOCK_BYTES;
		must(h->s, data_write(v, must_resolve(v, "/g"), 0, "x", 1, &done));
		(void)pthread_mutex_unlock(&v->lock);
	}
	return store_read(&h->s->store.store, offset, buf, len);
}

static enum cv_err hooked_write(struct store *store, uint64_t offset, const void *buf, size_t len)
{
	return store_write(&((struct hooked *)store)->s->store.store, offset, buf, len);
}

static enum cv_err hooked_flush(struct store *store)
{
	return store_flush(&((struct hooked *)store)->s->store.store);
}

static void a_block_given_away_during_a_read_is_no_damage(void **state)
{
	static const struct store_ops ops = {
		.read = hooked_read, .write = hooked_write, .flush = hooked_flush
	};
	struct shared s;
	struct hooked h = { { .ops = &ops }, &s, 0 };
	uint8_t block[BLOCK_BYTES] = { 1 };
	uint64_t place;
	struct map_entry e;
	size_t got;

	(void)state;
	shared_open(&s, 0);
	(void)make_file(s.v, "/g");
	write_at(s.v, s.file, 0, block, sizeof(block));
	assert_int_equal(blocks_map(s.v, s.file, 0, 1, &e), CV_OK);
	s.v->store = &h.store;
	s.v->shared = true;
	place = e.block;
	h.at = place * BLOCK_BYTES;
	(void)pthread_mutex_lock(&s.v->lock);
	assert_int_equal(data_read(s.v, s.file, 0, block, sizeof(block), &got), CV_OK);
	(void)pthread_mutex_unlock(&s.v->lock);
	assert_int_equal(h.at, 0);
	assert_int_equal(block[0], 2);
	assert_false(s.bad);
	assert_int_equal(blocks_map(s.v, must_resolve(s.v, "/g"), 0, 1, &e), CV_OK);
	assert_int_equal(e.block, place);
	s.v->shared = false;
	s.v->store = &s.store.store;
	shared_close(&s);
}

static void *write_blocks(void *user)
{
	struct thread *t = user;
	struct shared *s = t->s;
	uint8_t block[BLOCK_BYTES];
	size_t done;

	for (uint64_t b = t->number; b < s->rounds; b += 2) {
		memset(block, (int)(b % 250 + 1), sizeof(block));
		(void)pthread_mutex_lock(&s->v->lock);
		must(s, data_write(s->v, s->file, b * BLOCK_BYTES, block, sizeof(block), &done));
		(void)pthread_mutex_unlock(&s->v->lock);
	}
	return NULL;
}

static void *allocate(void *user)
{
	struct thread *t = user;
	struct shared *s = t->s;

	(void)pthread_mutex_lock(&s->v->lock);
	must(s, data_allocate(s->v, s->file, 0, (uint64_t)s->rounds * BLOCK_BYTES, false));
	(void)pthread_mutex_unlock(&s->v->lock);
	return NULL;
}

static void allocating_keeps_what_others_write_meanwhile(void **state)
{
	void *(*const work[])(void *) = { write_blocks, write_blocks, allocate };
	uint8_t block[BLOCK_BYTES];
	struct shared s;
	size_t got;

	(void)state;
	shared_open(&s, 1000);
	run(&s, work, 3);
	for (uint64_t b = 0; b < 1000; b++) {
		assert_int_equal(
			data_read(s.v, s.file, b * BLOCK_BYTES, block, sizeof(block), &got), CV_OK);
		assert_int_equal(block[77], b % 250 + 1);
	}
	shared_close(&s);
}

static void *cut_and_grow(void *user)
{
	struct thread *t = user;
	struct shared *s = t->s;

	for (unsigned i = 0; i < s->rounds; i++) {
		(void)pthread_mutex_lock(&s->v->lock);
		must(s, data_truncate(s->v, s->file, 100, NULL));
		must(s, data_truncate(s->v, s->file, 300000, NULL));
		(void)pthread_mutex_unlock(&s->v->lock);
	}
	return NULL;
}

static void writing_into_a_file_that_is_cut_leaves_it_whole(void **state)
{
	void *(*const work[])(void *) = { cut_and_grow, write_slot, write_blocks };
	struct shared s;

	(void)state;
	shared_open(&s, 150);
	run(&s, work, 3);
	shared_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_one_block_by_several_threads_all_stay),
		cmocka_unit_test(a_reader_sees_one_write_as_a_whole),
		cmocka_unit_test(a_block_given_away_during_a_read_is_no_damage),
		cmocka_unit_test(allocating_keeps_what_others_write_meanwhile),
		cmocka_unit_test(writing_into_a_file_that_is_cut_leaves_it_whole),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
