/* New keys for a whole volume: nothing is lost, nothing is left under the old ones. */
#include <stdio.h>

#include "fs/checkpoint.h"
#include "fs/rekey.h"
#include "tests/unit/fs/sweep.h"

static const struct volume_rekey_options BOTH = {
	.secrets = { TEST_SECRET, TEST_RECOVERY }, .secret_count = 2
};

static unsigned keys_held(const struct volume *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KEYRING_SLOTS; i++)
		n += v->super->keyring[i].state != KEY_EMPTY;
	return n;
}

static enum cv_err rekey(struct volume *v)
{
	struct volume_rekey_report r;
	enum cv_err err = CV_OK;

	if (!volume_rekey_runs(v))
		err = volume_rekey_begin(v, &BOTH, &r, NULL);
	return err ? err : volume_rekey_run(v, 0, NULL, NULL, &r, NULL);
}

static void assert_opens(struct image *image, const uint8_t *secret, enum cv_err want)
{
	struct volume_open_options o = { .secret = secret };
	struct volume *v = NULL;

	assert_int_equal(volume_open_store(&v, &image->store, &o, NULL), want);
	if (want)
		return;
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
}

/* No superblock of the image opens under this volume key. */
static void assert_key_is_dead(struct image *image, const uint8_t *volume_key)
{
	struct super *s = calloc(1, sizeof(*s));

	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		assert_int_equal(
			super_open(s, image_block(image, super_slot_block(i)), volume_key),
			CV_ERR_SEAL);
	free(s);
}

static void seals_everything_anew_and_drops_the_old_keys(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_rekey_report r;
	uint8_t volume_key[AEAD_KEY_BYTES];
	uint8_t data_key[AEAD_KEY_BYTES];

	(void)state;
	memcpy(volume_key, v->volume_key, sizeof(volume_key));
	memcpy(data_key, v->super->keyring[0].key, sizeof(data_key));
	assert_int_equal(volume_rekey_begin(v, &BOTH, &r, NULL), CV_OK);
	assert_int_equal(r.kept, 2);
	assert_true(volume_rekey_runs(v));
	assert_int_equal(volume_rekey_begin(v, &BOTH, &r, NULL), CV_ERR_BUSY);
	assert_int_equal(volume_rekey_run(v, 0, NULL, NULL, &r, NULL), CV_OK);
	assert_true(r.blocks > 250);
	assert_int_equal(r.keys_dropped, 1);
	assert_int_equal(r.damaged, 0);
	assert_false(volume_rekey_runs(v));
	assert_int_equal(keys_held(v), 1);
	assert_memory_not_equal(v->super->keyring[v->super->active_key].key, data_key,
		sizeof(data_key));
	tree_assert(v);
	assert_key_is_dead(image, volume_key);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_SECRET, CV_OK);
	assert_opens(image, TEST_RECOVERY, CV_OK);
	image_free(image);
}

static void a_key_slot_is_lost_only_aloud(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	const uint8_t wrong[CV_SECRET_BYTES] = { 3 };
	struct volume_rekey_options o = { .secrets = { TEST_SECRET }, .secret_count = 1 };
	struct volume_rekey_report r;
	struct volume_why why = { "" };
	uint64_t generation = volume_generation(v);

	(void)state;
	assert_int_equal(volume_rekey_begin(v, &o, &r, &why), CV_ERR_ARGUMENT);
	assert_non_null(strstr(why.text, "recovery code"));
	o.secrets[0] = wrong;
	o.drop_others = true;
	assert_int_equal(volume_rekey_begin(v, &o, &r, &why), CV_ERR_ARGUMENT);
	assert_int_equal(volume_generation(v), generation);
	assert_false(volume_rekey_runs(v));
	o.secrets[0] = TEST_SECRET;
	assert_int_equal(volume_rekey_begin(v, &o, &r, &why), CV_OK);
	assert_int_equal(r.dropped, 1);
	assert_int_equal(volume_rekey_run(v, 0, NULL, NULL, &r, &why), CV_OK);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_RECOVERY, CV_ERR_WRONG_KEY);
	assert_opens(image, TEST_SECRET, CV_OK);
	image_free(image);
}

static void the_slot_that_opened_it_may_be_dropped(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_rekey_options o = {
		.secrets = { TEST_RECOVERY }, .secret_count = 1, .drop_others = true
	};
	struct volume_open_options again = { .secret = TEST_RECOVERY };
	struct volume_rekey_report r;
	struct dir_name name;
	uint64_t object;
	uint64_t dir;

	(void)state;
	assert_int_equal(volume_rekey_begin(v, &o, &r, NULL), CV_OK);
	assert_int_equal(volume_kind(v), VOLUME_SLOT_RECOVERY);
	/* what the log has from then on is replayed under its new key */
	remove_path(v, "/d/second");
	volume_drop(v);
	assert_int_equal(volume_open_store(&v, &image->store, &again, NULL), CV_OK);
	split_path(v, "/d/second", &dir, &name);
	assert_int_equal(dir_lookup(v, dir, &name, &object), CV_ERR_NOT_FOUND);
	assert_int_equal(dir_link(v, must_resolve(v, "/f6"), dir, &name), CV_OK);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_SECRET, CV_ERR_WRONG_KEY);
	assert_opens(image, TEST_RECOVERY, CV_OK);
	image_free(image);
}

static int stop_after(void *user, uint64_t done, uint64_t total, const char *name)
{
	unsigned *left = user;

	(void)total;
	(void)name;
	(void)done;
	return (*left)-- == 0;
}

/* Each session does one slice and dies; what is done stays done. */
static void goes_on_after_every_end(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_rekey_report r;
	uint64_t blocks = 0;
	unsigned sessions = 0;
	enum cv_err err = CV_ERR_TIMEOUT;

	(void)state;
	assert_int_equal(volume_rekey_begin(v, &BOTH, &r, NULL), CV_OK);
	volume_drop(v);
	while (err == CV_ERR_TIMEOUT) {
		unsigned left = 0;

		memset(&r, 0, sizeof(r));
		v = image_open(image);
		assert_true(volume_rekey_runs(v));
		err = volume_rekey_run(v, 0, stop_after, &left, &r, NULL);
		blocks += r.blocks;
		assert_int_equal(checkpoint_if_dirty(v), CV_OK);
		tree_assert(v);
		if (err)
			volume_drop(v);
		assert_true(sessions++ < 100);
	}
	assert_int_equal(err, CV_OK);
	assert_true(sessions > 2);
	assert_int_equal(keys_held(v), 1);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_SECRET, CV_OK);
	image_free(image);
}

/* Programs write, cut and remove between the slices. */
static void the_volume_is_in_use_meanwhile(void **state)
{
	struct image *image = tree_image(2 * VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_rekey_report r;
	struct rekey run = { .report = &r };
	static uint8_t data[200000];
	static uint8_t back[200000];
	unsigned round = 0;
	size_t got;

	(void)state;
	fill_pattern(data, sizeof(data), 99);
	put_file(v, "/busy", data, sizeof(data));
	assert_int_equal(volume_rekey_begin(v, &BOTH, &r, NULL), CV_OK);
	while (!run.done) {
		char path[32];
		uint64_t blocks;

		assert_int_equal(rekey_slice(v, &run, &blocks), CV_OK);
		(void)snprintf(path, sizeof(path), "/new%u", round);
		put_file(v, path, data, 50000 + round);
		write_at(v, must_resolve(v, "/busy"), round * 5000 % 150000, data + 7, 3000);
		if (round % 2)
			remove_path(v, path);
		assert_true(round++ < 100);
	}
	assert_int_equal(keys_held(v), 1);
	for (unsigned i = 0; i < round; i += 2) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/new%u", i);
		assert_int_equal(volume_read(v, path, 0, back, sizeof(back), &got), CV_OK);
		assert_int_equal(got, 50000 + i);
		assert_memory_equal(back, data, got);
	}
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_SECRET, CV_OK);
	image_free(image);
}

static void use_up(struct volume *v)
{
	struct super *s = v->super;

	/* as years of writing would leave it */
	while (keyring_replace(&v->keyring, false) == CV_OK)
		;
	s->keyring[s->active_key].seals = KEYRING_SEALS_MAX - 1000;
}

static void a_full_keyring_reads_only_until_rekey(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct dir_name name = { "new", 3 };
	struct dir_new new = { .mode = S_IFREG };
	uint64_t object = 0;
	size_t done;

	(void)state;
	use_up(v);
	assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_ERR_READ_ONLY);
	assert_int_equal(
		data_write(v, must_resolve(v, "/f0"), 0, "x", 1, &done), CV_ERR_READ_ONLY);
	assert_false(v->frozen);
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_non_null(volume_notice(v));
	assert_non_null(strstr(volume_notice(v), "rekey"));
	assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_ERR_READ_ONLY);
	tree_assert(v);
	assert_int_equal(rekey(v), CV_OK);
	assert_int_equal(keys_held(v), 1);
	assert_int_equal(dir_create(v, OBJECT_ROOT, &name, &new, &object), CV_OK);
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_SECRET, CV_OK);
	image_free(image);
}

/* The block of a file in the container. */
static uint64_t block_of(struct volume *v, const char *path)
{
	struct item_key key = { .object = must_resolve(v, path), .type = ITEM_MAP };
	const uint8_t *value;
	struct map_entry e;
	size_t len;

	assert_int_equal(tree_get(&v->tree, &key, &value, &len), CV_OK);
	map_entry_get(&e, value, len, 0);
	return e.block;
}

static void a_damaged_block_keeps_the_old_keys_alive(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_rekey_report r;
	struct volume_why why = { "" };

	(void)state;
	image_block(image, block_of(v, "/f3"))[9] ^= 1;
	assert_int_equal(volume_rekey_begin(v, &BOTH, &r, NULL), CV_OK);
	assert_int_equal(volume_rekey_run(v, 0, NULL, NULL, &r, &why), CV_ERR_TAMPERED);
	assert_int_equal(r.damaged, 1);
	assert_int_equal(keys_held(v), 2);
	assert_true(volume_rekey_runs(v));
	remove_path(v, "/f3");
	assert_int_equal(volume_rekey_run(v, 0, NULL, NULL, &r, &why), CV_OK);
	assert_int_equal(keys_held(v), 1);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void data_keys_alone_need_no_secret(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	const struct volume_rekey_options none = { .secret_count = 0 };
	struct volume_rekey_report r;

	(void)state;
	assert_int_equal(volume_rekey_begin(v, &none, &r, NULL), CV_OK);
	assert_int_equal(volume_rekey_run(v, 0, NULL, NULL, &r, NULL), CV_OK);
	assert_int_equal(keys_held(v), 1);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_SECRET, CV_OK);
	assert_opens(image, TEST_RECOVERY, CV_OK);
	image_free(image);
}

static void a_nearly_full_volume_is_rekeyed_too(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	static uint8_t data[1 << 16];
	uint64_t object = make_file(v, "/filler");
	enum cv_err err = CV_OK;
	size_t done;

	(void)state;
	for (uint64_t at = 0; !err; at += sizeof(data))
		err = data_write(v, object, at, data, sizeof(data), &done);
	assert_int_equal(err, CV_ERR_FULL);
	assert_int_equal(rekey(v), CV_OK);
	assert_int_equal(keys_held(v), 1);
	tree_assert(v);
	assert_int_equal(volume_close(v), CV_OK);
	assert_opens(image, TEST_SECRET, CV_OK);
	image_free(image);
}

static void a_cut_while_rekeying_loses_nothing(void **state)
{
	struct image *base = tree_image(VOLUME_SIZE_MIN);

	(void)state;
	sweep_cuts(base, rekey, 2);
	sweep_failures(base, rekey, 3);
	image_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_everything_anew_and_drops_the_old_keys),
		cmocka_unit_test(a_key_slot_is_lost_only_aloud),
		cmocka_unit_test(the_slot_that_opened_it_may_be_dropped),
		cmocka_unit_test(goes_on_after_every_end),
		cmocka_unit_test(the_volume_is_in_use_meanwhile),
		cmocka_unit_test(a_full_keyring_reads_only_until_rekey),
		cmocka_unit_test(a_damaged_block_keeps_the_old_keys_alive),
		cmocka_unit_test(data_keys_alone_need_no_secret),
		cmocka_unit_test(a_nearly_full_volume_is_rekeyed_too),
		cmocka_unit_test(a_cut_while_rekeying_loses_nothing),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
