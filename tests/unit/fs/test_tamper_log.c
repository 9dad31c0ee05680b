/*
 * A container that was changed while its log held operations: every kind of block, changed in every
 * way. It is refused, or a read fails, or the tree is one that was; and nothing that a later frame
 * proves durable is ever missing.
 */
#include <stdio.h>

#include "tests/unit/fs/history.h"

static const struct history_shape base_shape = { .seed = 31, .steps = 60, .syncs = 8, .checkpoints = 30 };
static const struct history_shape late_shape = { .seed = 31, .syncs = 0 };

enum outcome { REFUSED, UNREADABLE, OLDER, WHOLE, OUTCOMES };
enum change { FLIP, ZERO, SWAP, AN_OLDER_ONE, CHANGES };

struct scene {
	struct history h;
	struct image *older;  /* the container some steps before */
	size_t proven;        /* step that the last frames prove durable */
	uint64_t log_first;   /* block of the container where replay starts */
	uint64_t log_proven;  /* the first behind the proven frames */
	uint64_t log_end;     /* the first behind all frames */
};

static uint64_t log_block(const struct volume *v, uint64_t position)
{
	return v->super->log.ring + position % v->log.bytes / BLOCK_BYTES;
}

static void make_scene(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	history_make(&s->h, &base_shape);
	history_fsync(&s->h);
	s->older = image_copy(s->h.image);
	history_reopen(&s->h);
	s->log_first = log_block(s->h.volume, s->h.volume->log.tail);
	history_go_on(&s->h, &late_shape, 30);
	history_fsync(&s->h);
	history_go_on(&s->h, &late_shape, 20);
	history_fsync(&s->h);
	s->proven = s->h.count - 1;
	s->log_proven = log_block(s->h.volume, s->h.volume->log.head);
	/* these carry the proof; some stay unproven themselves */
	history_go_on(&s->h, &late_shape, 12);
	s->log_end = log_block(s->h.volume, s->h.volume->log.head) + 1;
}

static void free_scene(struct scene *s)
{
	history_free(&s->h);
	image_free(s->older);
}

static enum outcome look(const struct scene *s, struct image *image, size_t *step)
{
	struct volume_open_options o = test_open_options();
	struct volume_why why = { "" };
	struct volume *v = NULL;
	uint64_t digest;
	enum cv_err err;
	bool read;

	o.read_only = true;
	err = volume_open_store(&v, &image->store, &o, &why);
	if (err) {
		assert_true(err == CV_ERR_TAMPERED || err == CV_ERR_IO);
		assert_true(why.text[0] != '\0');
		return REFUSED;
	}
	read = try_digest(v, &digest, &err);
	volume_drop(v);
	if (!read) {
		assert_true(err == CV_ERR_TAMPERED || err == CV_ERR_IO);
		return UNREADABLE;
	}
	for (*step = s->h.count; *step > 0; (*step)--)
		if (s->h.steps[*step - 1].digest == digest)
			break;
	/* never a tree that was not */
	assert_true(*step > 0);
	--*step;
	return *step + 1 == s->h.count ? WHOLE : OLDER;
}

static bool changed(const struct scene *s, struct image *to, uint64_t block, enum change how,
	uint32_t *random)
{
	uint8_t *bytes = image_block(to, block);
	uint8_t before[BLOCK_BYTES];
	uint64_t other;

	memcpy(before, bytes, BLOCK_BYTES);
	switch (how) {
	case FLIP:
		bytes[next_random(random) % BLOCK_BYTES] ^= (uint8_t)(1u << next_random(random) % 8);
		break;
	case ZERO:
		memset(bytes, 0, BLOCK_BYTES);
		break;
	case SWAP:
		/* with the next one that was ever written */
		other = block;
		do
			other = (other + 1) % (to->size / BLOCK_BYTES);
		while (!s->h.image->block[other]);
		memcpy(bytes, image_block(to, other), BLOCK_BYTES);
		memcpy(image_block(to, other), before, BLOCK_BYTES);
		break;
	case AN_OLDER_ONE:
		memcpy(bytes, image_block(s->older, block), BLOCK_BYTES);
		break;
	case CHANGES:
		break;
	}
	return memcmp(before, bytes, BLOCK_BYTES) != 0;
}

static enum outcome look_changed(
	const struct scene *s, uint64_t block, enum change how, size_t *step, uint32_t *random)
{
	struct image *image = image_over(s->h.image);
	enum outcome outcome = WHOLE;

	*step = s->h.count - 1;
	if (changed(s, image, block, how, random))
		outcome = look(s, image, step);
	image_free(image);
	return outcome;
}

static bool is_super(uint64_t block)
{
	return block % SUPER_STRIDE_BLOCKS == 0 && block / SUPER_STRIDE_BLOCKS < SUPER_SLOTS;
}

static void nothing_proven_is_ever_missing(void **state)
{
	unsigned outcomes[OUTCOMES] = { 0 };
	uint32_t random = 6;
	struct scene s;
	size_t step;

	(void)state;
	make_scene(&s);
	assert_int_equal(look(&s, s.h.image, &step), WHOLE);
	for (uint64_t b = 0; b < s.h.image->size / BLOCK_BYTES; b++) {
		bool ring = b >= s.h.volume->super->log.ring &&
			    b < s.h.volume->super->log.ring + s.h.volume->super->log.blocks;

		/* of what is only noise a little will do */
		if (!s.h.image->block[b] || (ring && (b < s.log_first || b > s.log_end) && b % 64))
			continue;
		for (unsigned n = 0; n < 3 * CHANGES; n++) {
			enum change how = (enum change)(n % CHANGES);
			enum outcome outcome = look_changed(&s, b, how, &step, &random);

			outcomes[outcome]++;
			if (is_super(b) && how != SWAP)
				assert_true(outcome == WHOLE || outcome == REFUSED);
			if (outcome == OLDER)
				assert_true(step >= s.proven);
		}
	}
	assert_true(outcomes[REFUSED] > 60 && outcomes[UNREADABLE] > 200);
	assert_true(outcomes[OLDER] > 60 && outcomes[WHOLE] > 300);
	free_scene(&s);
}

/* Each bit of the proven part of the log, and of the part behind it. */
static void a_change_before_the_proof_is_refused_and_behind_it_shortens(void **state)
{
	unsigned refused = 0;
	unsigned shorter = 0;
	struct scene s;
	size_t step;

	(void)state;
	make_scene(&s);
	assert_true(s.log_first < s.log_proven && s.log_proven < s.log_end);
	for (uint64_t b = s.log_first; b < s.log_end; b++) {
		for (size_t at = 0; at < BLOCK_BYTES; at += 29) {
			struct image *image = image_over(s.h.image);
			enum outcome outcome;

			image_block(image, b)[at] ^= (uint8_t)(1u << (at / 29 % 8));
			outcome = look(&s, image, &step);
			image_free(image);
			if (b < s.log_proven)
				/* the rest of a block behind its last frame means nothing */
				assert_true(outcome == REFUSED || outcome == WHOLE);
			else
				assert_true(outcome == OLDER || outcome == WHOLE);
			refused += outcome == REFUSED;
			shorter += outcome == OLDER;
		}
	}
	assert_true(refused > 300 && shorter > 20);
	free_scene(&s);
}

/* The proven log, whole, as it was before; the tail alone; nothing but noise. */
static void the_log_as_a_whole_is_set_back_or_erased(void **state)
{
	struct scene s;
	size_t step;

	(void)state;
	make_scene(&s);
	for (unsigned k = 0; k < 3; k++) {
		struct image *image = image_over(s.h.image);
		const struct log_descriptor *d = &s.h.volume->super->log;
		uint64_t from = k == 1 ? s.log_proven : d->ring;
		enum outcome outcome;

		for (uint64_t b = from; b < d->ring + d->blocks; b++) {
			if (k == 2)
				fill_pattern(image_block(image, b), BLOCK_BYTES, (uint32_t)b);
			else
				memcpy(image_block(image, b), image_block(s.older, b), BLOCK_BYTES);
		}
		outcome = look(&s, image, &step);
		/* without the frames that prove it this looks like a power cut: an older whole tree */
		assert_int_equal(outcome, OLDER);
		if (k == 1)
			assert_int_equal(step, s.proven);
		image_free(image);
	}
	free_scene(&s);
}

/* What the caller accepts aloud opens as the tree before the damage, and says so. */
static void damage_accepted_aloud_ends_the_log(void **state)
{
	struct volume_open_options o = test_open_options();
	struct volume_why why = { "" };
	struct volume *v = NULL;
	struct scene s;
	uint64_t byte;

	(void)state;
	make_scene(&s);
	image_block(s.h.image, s.log_first + 1)[100] ^= 1;
	assert_int_equal(volume_open_store(&v, &s.h.image->store, &o, &why), CV_ERR_TAMPERED);
	/* the place in the container is named, and it is where the damage is */
	assert_int_equal(sscanf(strstr(why.text, "at byte "), "at byte %lu", &byte), 1);
	assert_in_range(byte / BLOCK_BYTES, s.log_first, s.log_first + 1);
	o.accept_older = true;
	assert_int_equal(volume_open_store(&v, &s.h.image->store, &o, &why), CV_OK);
	assert_non_null(volume_notice(v));
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(s.h.image);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	free_scene(&s);
}

static void a_container_that_was_cut_is_refused(void **state)
{
	struct scene s;
	uint64_t whole;
	size_t step;

	(void)state;
	make_scene(&s);
	whole = s.h.image->size;
	for (uint64_t size = 0; size < whole; size += (uint64_t)1 << 20) {
		s.h.image->size = size;
		if (size < VOLUME_SIZE_MIN) {
			struct volume *v = NULL;

			assert_int_equal(image_try_open(s.h.image, &v), CV_ERR_NOT_VOLUME);
		} else {
			assert_int_equal(look(&s, s.h.image, &step), REFUSED);
		}
	}
	s.h.image->size = whole;
	free_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_proven_is_ever_missing),
		cmocka_unit_test(a_change_before_the_proof_is_refused_and_behind_it_shortens),
		cmocka_unit_test(the_log_as_a_whole_is_set_back_or_erased),
		cmocka_unit_test(damage_accepted_aloud_ends_the_log),
		cmocka_unit_test(a_container_that_was_cut_is_refused),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
