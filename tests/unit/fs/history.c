#include "tests/unit/fs/history.h"

#include <stdio.h>

#include "fs/checkpoint.h"

static unsigned long states;

#define VOLUME_BYTES (VOLUME_SIZE_MIN + ((uint64_t)16 << 20))

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

struct walk {
	struct volume *v;
	char path[512];
	size_t len;
	uint64_t sum;
	enum cv_err err;
};

static void walk_dir(struct walk *w, uint64_t dir);

static int walk_name(void *user, const struct dir_name *name, uint64_t object, uint32_t type,
	uint64_t next, unsigned index)
{
	static uint8_t data[MODEL_FILE_MAX];
	struct walk *w = user;
	size_t len = w->len;
	struct inode inode;
	uint64_t facts[3];
	size_t got = 0;
	uint64_t h;

	(void)type;
	(void)next;
	(void)index;
	if (name->bytes[0] == '.')
		return 0;
	w->len += (size_t)snprintf(w->path + len, sizeof(w->path) - len, "/%.*s", (int)name->len,
		(const char *)name->bytes);
	w->err = inode_get(w->v, object, &inode);
	if (w->err)
		return 1;
	facts[0] = inode.mode;
	facts[1] = inode.links;
	facts[2] = inode.size;
	h = mix(mix(14695981039346656037u, w->path, w->len), facts, sizeof(facts));
	if (S_ISREG(inode.mode)) {
		w->err = data_read(w->v, object, 0, data, sizeof(data), &got);
		h = mix(h, data, got);
	}
	w->sum += h;
	if (S_ISDIR(inode.mode))
		walk_dir(w, object);
	w->len = len;
	return w->err != CV_OK;
}

static void walk_dir(struct walk *w, uint64_t dir)
{
	enum cv_err err = dir_read(w->v, dir, 0, walk_name, w);

	if (err)
		w->err = err;
}

bool try_digest(struct volume *v, uint64_t *digest, enum cv_err *err)
{
	struct walk w = { .v = v };

	walk_dir(&w, OBJECT_ROOT);
	*digest = w.sum;
	*err = w.err;
	return w.err == CV_OK;
}

uint64_t tree_digest(struct volume *v)
{
	enum cv_err err;
	uint64_t digest;

	if (!try_digest(v, &digest, &err))
		fail_msg("the tree cannot be read: %s", cv_err_text(err));
	return digest;
}

unsigned long history_states(void)
{
	return states;
}

unsigned long_factor(void)
{
	return getenv("CONCLAVE_LONG") ? 10 : 1;
}

void history_note(struct history *h)
{
	struct history_step *s = &h->steps[h->count];

	assert_true(h->count < HISTORY_STEPS_MAX);
	s->digest = tree_digest(h->volume);
	s->answered = h->image->op_count;
	s->durable_at = SIZE_MAX;
	h->count++;
}

static void step(struct history *h)
{
	assert_true(model_step(&h->model, h->volume, &h->random));
	history_note(h);
}

static void work_during_a_flush(void *user)
{
	struct history *h = user;

	for (unsigned n = next_random(&h->random) % 3; n; n--)
		step(h);
}

static void promise(struct history *h, size_t steps)
{
	for (size_t i = 0; i < steps; i++)
		if (h->steps[i].durable_at == SIZE_MAX)
			h->steps[i].durable_at = h->image->op_count;
}

static void make_durable(struct history *h, const struct history_shape *shape, bool checkpoint)
{
	size_t steps = h->count;

	(void)pthread_mutex_lock(&h->volume->lock);
	if (shape->busy) {
		h->image->on_flush = work_during_a_flush;
		h->image->on_flush_user = h;
	}
	if (!checkpoint)
		assert_int_equal(flush_wait(h->volume), CV_OK);
	else if (shape->busy)
		checkpoint_background(h->volume);
	else
		assert_int_equal(checkpoint_run(h->volume, SUPER_OPEN), CV_OK);
	assert_false(h->volume->frozen);
	h->image->on_flush = NULL;
	(void)pthread_mutex_unlock(&h->volume->lock);
	promise(h, steps);
}

void history_go_on(struct history *h, const struct history_shape *shape, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		step(h);
		if (shape->syncs && next_random(&h->random) % shape->syncs == 0)
			make_durable(h, shape, false);
		if (shape->checkpoints && next_random(&h->random) % shape->checkpoints == 0)
			make_durable(h, shape, true);
	}
}

/* The ring's end comes a few blocks behind the head. */
static void move_to_the_end_of_the_ring(struct volume *v)
{
	uint64_t by = v->log.bytes - 6 * BLOCK_BYTES - v->log.head;

	v->log.head += by;
	v->log.tail += by;
	v->log.tail_before += by;
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
}

void history_fsync(struct history *h)
{
	static const struct history_shape alone;

	make_durable(h, &alone, false);
}

void history_begin(struct history *h, bool wrap)
{
	memset(h, 0, sizeof(*h));
	h->image = image_new(VOLUME_BYTES);
	h->volume = image_open(h->image);
	if (wrap)
		move_to_the_end_of_the_ring(h->volume);
	h->base = image_copy(h->image);
	image_record(h->image);
	model_init(&h->model);
	h->model.file_max = 40000;
	h->model.whole_blocks = true;
	h->steps[h->count++] = (struct history_step){ .digest = tree_digest(h->volume) };
}

void history_make(struct history *h, const struct history_shape *shape)
{
	history_begin(h, shape->wrap);
	h->random = shape->seed;
	history_go_on(h, shape, shape->steps);
}

void history_reopen(struct history *h)
{
	volume_drop(h->volume);
	h->volume = image_open(h->image);
}

void history_free(struct history *h)
{
	volume_drop(h->volume);
	model_wipe(&h->model);
	image_free(h->base);
	image_free(h->image);
}

size_t history_answered(const struct history *h, size_t calls)
{
	size_t i = h->count - 1;

	while (h->steps[i].answered > calls)
		i--;
	return i;
}

size_t history_durable(const struct history *h, size_t calls)
{
	size_t i = h->count - 1;

	while (h->steps[i].durable_at > calls)
		i--;
	return i;
}

size_t history_flushed(const struct history *h, size_t calls)
{
	for (size_t i = calls; i > 0; i--)
		if (h->image->ops[i - 1].flush)
			return i;
	return 0;
}

static void apply_sector(uint8_t *block, const uint8_t *bytes, size_t at)
{
	memcpy(block + at, bytes + at, 512);
}

void apply_arrival(
	struct image *image, const struct record_op *op, enum arrival how, uint32_t *random)
{
	if (op->flush || how == ARRIVED_NOT)
		return;
	if (how == ARRIVED_WHOLE) {
		image_apply(image, op);
		return;
	}
	for (size_t at = 0; at < op->len; at += BLOCK_BYTES) {
		uint8_t *block = image_block(image, (op->offset + at) / BLOCK_BYTES);
		uint32_t r = next_random(random);

		if (how == ARRIVED_GARBAGE && r % 2)
			fill_pattern(block, BLOCK_BYTES, r);
		else if (how == ARRIVED_PAGES && r % 2)
			memcpy(block, op->bytes + at, BLOCK_BYTES);
		for (size_t s = 0; how == ARRIVED_SECTORS && s < BLOCK_BYTES; s += 512)
			if (r >> (s / 512) & 1)
				apply_sector(block, op->bytes + at, s);
	}
}

size_t history_assert(const struct history *h, struct image *state, size_t low, size_t high,
	bool check, const char *what)
{
	struct volume_open_options o = test_open_options();
	struct volume_why why = { "" };
	struct volume *v = NULL;
	uint64_t digest;
	size_t i;

	states++;
	if (volume_open_store(&v, &state->store, &o, &why) != CV_OK)
		fail_msg("%s: does not open: %s", what, why.text);
	digest = tree_digest(v);
	if (high >= h->count)
		high = h->count - 1;
	for (i = high; i > low && h->steps[i].digest != digest; i--)
		;
	if (h->steps[i].digest != digest) {
		for (i = 0; i < h->count && h->steps[i].digest != digest; i++)
			;
		fail_msg("%s: steps %zu to %zu are allowed; it is %s %zu", what, low, high,
			i < h->count ? "that of step" : "none of", i);
	}
	if (check)
		assert_clean(v);
	volume_drop(v);
	image_free(state);
	return i;
}
