/* What check says: where, about which file, and once. */
#include <stdio.h>

#include "fs/check.h"
#include "fs/checkpoint.h"
#include "tests/unit/fs/sweep.h"

struct told {
	unsigned lines;
	unsigned with_path;
	char text[65536];
};

static void on_problem(void *user, const struct volume_problem *p)
{
	struct told *t = user;
	size_t len = strlen(t->text);

	t->lines++;
	t->with_path += p->path != NULL;
	(void)snprintf(t->text + len, sizeof(t->text) - len, "%s|%s|%lu\n", p->path ? p->path : "",
		p->text, (unsigned long)p->block);
}

static uint64_t check(struct volume *v, struct told *t)
{
	const struct volume_check_options o = { .found = on_problem, .found_user = t };
	struct volume_check_report r;

	memset(t, 0, sizeof(*t));
	assert_int_equal(volume_check_list(v, &o, &r), CV_OK);
	assert_true(t->lines <= r.problems);
	return r.problems;
}

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

static void names_the_file_and_the_place_of_each_problem(void **state)
{
	static struct told t;
	static const char *const files[] = { "/d/e/f5", "/f6", "/f3", "/d/e/f13" };
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		image_block(image, block_of(v, files[i]))[100] ^= 1;
	assert_int_equal(check(v, &t), 4);
	assert_int_equal(t.lines, 4);
	for (size_t i = 0; i < 4; i++) {
		char want[64];

		(void)snprintf(want, sizeof(want), "|%lu\n",
			(unsigned long)block_of(v, files[i]));
		assert_non_null(strstr(t.text, want));
		/* /f6 has two names */
		assert_true(strstr(t.text, files[i]) || strstr(t.text, "/d/second"));
	}
	volume_drop(v);
	image_free(image);
}

/* One node gone: said once, and not again for each name and block that hung on it. */
static void what_follows_from_a_lost_node_is_not_told_again(void **state)
{
	static struct told t;
	struct image *image = image_new(2 * VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint64_t places[64];
	unsigned nodes = 0;
	struct node *root;

	(void)state;
	tree_make(v);
	for (unsigned i = 0; i < 400; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/d/x%u", i);
		put_file(v, path, (const uint8_t *)path, 9);
	}
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_int_equal(tree_root(&v->tree, &root), CV_OK);
	assert_true(root->level > 0);
	for (unsigned i = 0; i < root->count && nodes < 64; i++) {
		size_t len;

		places[nodes++] = le48(node_value(root, i, &len));
	}
	volume_drop(v);
	for (unsigned k = 0; k < nodes; k++) {
		struct volume_open_options o = test_open_options();
		struct image *bad = image_copy(image);

		memset(image_block(bad, places[k]), 0xee, BLOCK_BYTES);
		o.read_only = true;
		assert_int_equal(volume_open_store(&v, &bad->store, &o, NULL), CV_OK);
		assert_int_equal(check(v, &t), 1);
		assert_non_null(strstr(t.text, "node of level 0"));
		volume_drop(v);
		image_free(bad);
	}
	image_free(image);
}

static void goes_on_after_every_problem_and_counts_them_all(void **state)
{
	static struct told t;
	struct image *image = tree_image(2 * VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct item_key key = { .object = OBJECT_FIRST_FREE };
	const uint8_t *value;
	unsigned spoiled = 0;
	size_t len;

	(void)state;
	/* far more than are listed: one file of 1200 blocks, all of them spoiled */
	for (unsigned i = 0; i < 1200; i++)
		write_at(v, i ? must_resolve(v, "/many") : make_file(v, "/many"),
			(uint64_t)i * BLOCK_BYTES, "x", 1);
	assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	key.object = must_resolve(v, "/many");
	key.type = ITEM_MAP;
	for (; tree_next(&v->tree, &key, &value, &len) == CV_OK; key.offset++)
		for (unsigned i = 0; i * MAP_ENTRY_BYTES < len; i++) {
			struct map_entry e;

			map_entry_get(&e, value, len, i);
			image_block(image, e.block)[0] ^= 1;
			spoiled++;
		}
	assert_int_equal(spoiled, 1200);
	assert_int_equal(check(v, &t), 1200);
	assert_int_equal(t.lines, CHECK_LISTED_MAX);
	assert_int_equal(t.with_path, CHECK_LISTED_MAX);
	volume_drop(v);
	image_free(image);
}

/* Two files that map one block, and a block in use that is marked free. */
static void finds_what_is_used_twice_or_not_marked(void **state)
{
	static struct told t;
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct region *region;
	uint64_t b = block_of(v, "/f3");
	struct txn txn;
	struct item_key key = { .object = must_resolve(v, "/d/e/f4"), .type = ITEM_MAP };
	const uint8_t *value;
	struct map_entry e[MAP_BLOCKS];
	size_t len;

	(void)state;
	assert_int_equal(alloc_load(&v->alloc, b), CV_OK);
	region = v->alloc.region[b / REGION_BLOCKS];
	region->used[b % REGION_BLOCKS / 64] &= ~(1ull << (b % 64));
	assert_true(check(v, &t) >= 1);
	assert_non_null(strstr(t.text, "marked free"));
	region->used[b % REGION_BLOCKS / 64] |= 1ull << (b % 64);
	assert_int_equal(check(v, &t), 0);
	key.object = must_resolve(v, "/f3");
	assert_int_equal(tree_get(&v->tree, &key, &value, &len), CV_OK);
	map_entry_get(&e[0], value, len, 0);
	txn_init(&txn);
	txn_map(&txn, must_resolve(v, "/d/e/f5"), 0, 1, e);
	assert_int_equal(txn_commit(v, &txn, TXN_FREES), CV_OK);
	txn_wipe(&txn);
	assert_true(check(v, &t) >= 1);
	assert_non_null(strstr(t.text, "used twice"));
	assert_non_null(strstr(t.text, "/d/e/f5"));
	volume_drop(v);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_file_and_the_place_of_each_problem),
		cmocka_unit_test(what_follows_from_a_lost_node_is_not_told_again),
		cmocka_unit_test(goes_on_after_every_problem_and_counts_them_all),
		cmocka_unit_test(finds_what_is_used_twice_or_not_marked),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
