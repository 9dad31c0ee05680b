/*
 * Random operations on a volume and on a plain tree in memory, with fsyncs, checkpoints, kills, power
 * cuts and remounts among them. A sequence is a list of seeds, one for each operation, so that one
 * that fails can be cut down to the shortest that still does, and run again from its printed form:
 * CONCLAVE_MODEL=cuts,12,77,... build/test/fs/test_model
 */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "tests/unit/fs/history.h"

#define LENGTH 1500
#define TREES_MAX 600

struct sequence {
	uint32_t seeds[LENGTH];
	size_t count;
	bool cuts; /* with power cuts: smaller files, and each step one transaction */
};

/* What runs: the volume, the model, and the trees that a power cut may leave since the last flush. */
struct run {
	struct image *image;   /* with everything written */
	struct image *durable; /* as the last completed flush left it */
	struct volume *v;
	struct model now;
	uint64_t since[TREES_MAX]; /* digests from the last flush on */
	size_t trees;
	bool cuts;
	uint32_t random;
};

static void flushed(struct run *r)
{
	image_free(r->durable);
	r->durable = image_copy(r->image);
	for (size_t i = 0; i < r->image->op_count; i++)
		free(r->image->ops[i].bytes);
	r->image->op_count = 0;
	r->since[0] = r->cuts ? tree_digest(r->v) : 0;
	r->trees = 1;
}

static bool remount(struct run *r)
{
	bool same;

	if (volume_close(r->v) != CV_OK)
		return false;
	r->v = image_open(r->image);
	same = model_equal(&r->now, r->v);
	flushed(r);
	return same;
}

static bool killed(struct run *r)
{
	volume_drop(r->v);
	if (image_try_open(r->image, &r->v) != CV_OK)
		return false;
	if (!model_equal(&r->now, r->v))
		return false;
	flushed(r);
	return true;
}

/* The state that a cut leaves is looked at, and thrown away: the volume itself goes on. */
static bool cut(struct run *r)
{
	struct image *state = image_over(r->durable);
	struct volume *v = NULL;
	bool good = false;
	uint64_t digest;

	for (size_t i = 0; i < r->image->op_count; i++)
		apply_arrival(state, &r->image->ops[i], (enum arrival)(next_random(&r->random) % 5),
			&r->random);
	if (image_try_open(state, &v) == CV_OK) {
		digest = tree_digest(v);
		for (size_t i = 0; i < r->trees; i++)
			good |= r->since[i] == digest;
	}
	volume_drop(v);
	image_free(state);
	return good;
}

static bool checked(struct run *r)
{
	struct volume_check_report report;

	return volume_check(r->v, NULL, NULL, &report) == CV_OK && report.problems == 0;
}

static bool operation(struct run *r, uint32_t seed)
{
	uint32_t random = seed;
	uint64_t generation = volume_generation(r->v);
	bool good = true;

	r->random = seed ^ 0x5bd1e995;
	switch (next_random(&random) % 40) {
	case 0:
		good = remount(r);
		break;
	case 1:
	case 2:
		good = killed(r);
		break;
	case 3:
	case 4:
		good = !r->cuts || cut(r);
		break;
	case 5:
	case 6:
	case 7:
		good = volume_sync(r->v) == CV_OK;
		flushed(r);
		break;
	case 8:
		good = checkpoint_run(r->v, SUPER_OPEN) == CV_OK && checked(r);
		flushed(r);
		break;
	default:
		good = model_step(&r->now, r->v, &random);
		/* a checkpoint of its own flushed in the middle of it */
		if (volume_generation(r->v) != generation || r->trees == TREES_MAX)
			flushed(r);
		else if (r->cuts)
			r->since[r->trees++] = tree_digest(r->v);
	}
	return good;
}

/* Runs a sequence on a fresh volume; the place of the operation that fails, or count. */
static size_t run_sequence(const struct sequence *s)
{
	struct run r = { .image = image_new(VOLUME_SIZE_MIN + ((uint64_t)32 << 20)),
		.cuts = s->cuts };
	size_t i;

	r.durable = image_blank(VOLUME_SIZE_MIN);
	r.v = image_open(r.image);
	image_record(r.image);
	model_init(&r.now);
	r.now.file_max = s->cuts ? 60000 : MODEL_FILE_MAX;
	r.now.whole_blocks = s->cuts;
	flushed(&r);
	for (i = 0; i < s->count && operation(&r, s->seeds[i]); i++)
		;
	if (i == s->count && (!model_equal(&r.now, r.v) || volume_close(r.v) != CV_OK))
		i = s->count - 1;
	else if (i < s->count)
		volume_drop(r.v);
	model_wipe(&r.now);
	image_free(r.image);
	image_free(r.durable);
	return i;
}

static bool sequence_fails(const struct sequence *s)
{
	return run_sequence(s) < s->count;
}

/* Leaves out ever smaller pieces as long as what is left still fails. */
static void shrink(struct sequence *s, bool (*fails)(const struct sequence *s))
{
	for (size_t piece = s->count / 2 + 1; piece > 0;) {
		bool any = false;

		for (size_t at = 0; at < s->count;) {
			struct sequence less = { .count = 0, .cuts = s->cuts };

			for (size_t i = 0; i < s->count; i++)
				if (i < at || i >= at + piece)
					less.seeds[less.count++] = s->seeds[i];
			if (less.count < s->count && fails(&less)) {
				*s = less;
				any = true;
			} else {
				at += piece;
			}
		}
		if (!any)
			piece /= 2;
	}
}

static void fail_shortest(struct sequence *s)
{
	shrink(s, sequence_fails);
	fprintf(stderr, "the shortest that fails has %zu operations:\nCONCLAVE_MODEL=%s", s->count,
		s->cuts ? "cuts," : "");
	for (size_t i = 0; i < s->count; i++)
		fprintf(stderr, "%s%u", i ? "," : "", s->seeds[i]);
	fprintf(stderr, "\n");
	fail_msg("the volume and the plain tree differ");
}

static void does_what_a_plain_tree_does_over_cuts_kills_and_remounts(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4 * long_factor(); seed++) {
		struct sequence s = { .count = LENGTH, .cuts = seed % 2 };
		uint32_t random = seed * 7919;

		for (size_t i = 0; i < s.count; i++)
			s.seeds[i] = next_random(&random);
		if (sequence_fails(&s))
			fail_shortest(&s);
	}
}

/* Fails if 3 comes before 5 and 9 is anywhere. */
static bool fails_for_the_test(const struct sequence *s)
{
	bool three = false;
	bool both = false;
	bool nine = false;

	for (size_t i = 0; i < s->count; i++) {
		three |= s->seeds[i] == 3;
		both |= three && s->seeds[i] == 5;
		nine |= s->seeds[i] == 9;
	}
	return both && nine;
}

static void cuts_a_failing_sequence_down_to_the_shortest(void **state)
{
	struct sequence s = { .count = 700 };

	(void)state;
	for (size_t i = 0; i < s.count; i++)
		s.seeds[i] = (uint32_t)(i * 13 % 17);
	assert_true(fails_for_the_test(&s));
	shrink(&s, fails_for_the_test);
	assert_int_equal(s.count, 3);
	assert_true(fails_for_the_test(&s));
}

/* A sequence that a run has printed. */
static int run_printed(const char *text)
{
	struct sequence s = { .count = 0 };
	size_t at;
	char *end;

	s.cuts = strncmp(text, "cuts,", 5) == 0;
	text += s.cuts ? 5 : 0;
	for (; s.count < LENGTH && *text; text = *end == ',' ? end + 1 : end) {
		s.seeds[s.count++] = (uint32_t)strtoul(text, &end, 10);
		if (end == text)
			return 2;
	}
	at = run_sequence(&s);
	fprintf(stderr, at < s.count ? "operation %zu of %zu fails\n" : "%zu of %zu are good\n", at,
		s.count);
	return at < s.count;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_what_a_plain_tree_does_over_cuts_kills_and_remounts),
		cmocka_unit_test(cuts_a_failing_sequence_down_to_the_shortest),
	};

	support_init();
	if (getenv("CONCLAVE_MODEL"))
		return run_printed(getenv("CONCLAVE_MODEL"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
