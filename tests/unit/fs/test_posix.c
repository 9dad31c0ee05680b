/* Attributes, access lists and space of files, below the mount. */
#include <stdio.h>

#include "fs/acl.h"
#include "fs/attr.h"
#include "fs/checkpoint.h"
#include "tests/unit/fs/support.h"

static enum cv_err set(struct volume *v, uint64_t object, const char *text, size_t len)
{
	static uint8_t value[ITEM_VALUE_MAX + 1];
	struct dir_name name = xattr_name(text);

	fill_pattern(value, sizeof(value), (uint32_t)strlen(text));
	return xattr_set(v, object, &name, value, len, 0);
}

static void assert_value(struct volume *v, uint64_t object, const char *text, size_t want)
{
	struct dir_name name = xattr_name(text);
	uint8_t got[XATTR_VALUE_MAX];
	uint8_t value[ITEM_VALUE_MAX + 1];
	size_t len;

	fill_pattern(value, sizeof(value), (uint32_t)name.len);
	assert_int_equal(xattr_get(v, object, &name, got, &len), CV_OK);
	assert_int_equal(len, want);
	assert_memory_equal(got, value, len);
}

static void attributes_survive_a_remount_and_go_with_the_file(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct dir_name name = xattr_name("user.b");
	static char list[XATTR_SPACE_MAX];
	uint64_t file = make_file(v, "/f");
	uint8_t out[XATTR_VALUE_MAX];
	struct volume_check_report before;
	size_t len;

	(void)state;
	assert_int_equal(set(v, file, "user.a", 5), CV_OK);
	assert_int_equal(set(v, file, "user.empty", 0), CV_OK);
	assert_int_equal(set(v, file, "user.large", ITEM_VALUE_MAX - 4 - 10), CV_OK);
	assert_int_equal(set(v, file, "user.large", ITEM_VALUE_MAX - 4 - 9), CV_ERR_TOO_LONG);
	assert_int_equal(set(v, file, "user.a", 3000), CV_OK);
	assert_int_equal(xattr_set(v, file, &name, out, 0, XATTR_ONLY_OLD), CV_ERR_NOT_FOUND);
	assert_int_equal(xattr_set(v, file, &name, out, 0, XATTR_ONLY_NEW), CV_OK);
	assert_int_equal(xattr_set(v, file, &name, out, 0, XATTR_ONLY_NEW), CV_ERR_EXISTS);
	assert_int_equal(xattr_remove(v, file, &name), CV_OK);
	assert_int_equal(xattr_remove(v, file, &name), CV_ERR_NOT_FOUND);
	assert_int_equal(xattr_get(v, file, &name, out, &len), CV_ERR_NOT_FOUND);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_value(v, file, "user.a", 3000);
	assert_value(v, file, "user.empty", 0);
	assert_value(v, file, "user.large", ITEM_VALUE_MAX - 4 - 10);
	assert_int_equal(xattr_list(v, file, list, &len), CV_OK);
	assert_int_equal(len, sizeof("user.a") + sizeof("user.empty") + sizeof("user.large"));
	assert_int_equal(volume_check(v, NULL, NULL, &before), CV_OK);
	remove_path(v, "/f");
	assert_clean(v);
	struct item_key key = { .object = file };
	const uint8_t *value;
	struct tree_place place = { 0 };
	assert_true(tree_step(&v->tree, &place, &key, &value, &len) != CV_OK || key.object != file);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void an_object_holds_a_bounded_sum_of_attributes(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint64_t file = make_file(v, "/f");
	static char list[XATTR_SPACE_MAX];
	enum cv_err err = CV_OK;
	unsigned count = 0;
	char text[32];
	size_t len;

	(void)state;
	for (; !err; count++) {
		(void)snprintf(text, sizeof(text), "user.%u", count);
		err = set(v, file, text, count % 40);
	}
	assert_int_equal(err, CV_ERR_FULL);
	assert_true(count > 1000);
	assert_int_equal(xattr_list(v, file, list, &len), CV_OK);
	assert_clean(v);
	/* more than one slice of the reaper */
	remove_path(v, "/f");
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void check_finds_an_attribute_under_a_wrong_hash(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct item_key key = { .object = make_file(v, "/f"), .type = ITEM_XATTR, .offset = 7 };
	const uint8_t value[] = { 1, 0, 0, 0, 'x' };
	struct volume_check_report r;
	struct txn txn;

	(void)state;
	txn_init(&txn);
	txn_put(&txn, &key, value, sizeof(value));
	assert_int_equal(txn_commit(v, &txn, TXN_ADDS), CV_OK);
	txn_wipe(&txn);
	assert_int_equal(volume_check(v, NULL, NULL, &r), CV_OK);
	assert_int_equal(r.problems, 1);
	volume_drop(v);
	image_free(image);
}

/* user::rwx user:5:rw- group::r-x mask::rwx other::--x */
static const uint8_t ACL_NAMED[] = { 2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 6, 0, 5, 0,
	0, 0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 1, 0, 255,
	255, 255, 255 };

static void a_list_is_refused_unless_it_is_well_formed(void **state)
{
	uint8_t bad[sizeof(ACL_NAMED)];

	(void)state;
	assert_true(acl_valid(ACL_NAMED, sizeof(ACL_NAMED)));
	for (size_t len = 0; len < sizeof(ACL_NAMED); len++)
		assert_false(acl_valid(ACL_NAMED, len));
	for (size_t at = 4; at < sizeof(ACL_NAMED); at += 8) {
		memcpy(bad, ACL_NAMED, sizeof(bad));
		bad[at] = 64;
		assert_false(acl_valid(bad, sizeof(bad)));
		bad[at] = ACL_NAMED[at];
		bad[at + 2] = 8;
		assert_false(acl_valid(bad, sizeof(bad)));
	}
	memcpy(bad, ACL_NAMED, sizeof(bad));
	bad[28] = 8; /* a named group in place of the mask */
	assert_false(acl_valid(bad, sizeof(bad)));
}

static uint32_t mode_of(struct volume *v, uint64_t object)
{
	struct inode inode;

	assert_int_equal(inode_get(v, object, &inode), CV_OK);
	return inode.mode & 07777;
}

static void mode_and_list_follow_each_other(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct dir_name name = xattr_name(ACL_ACCESS);
	struct attr_change change = { .set = ATTR_SET_MODE, .from = { .mode = 0640 } };
	uint8_t list[XATTR_VALUE_MAX];
	uint64_t dir = make_dir(v, "/d");
	uint64_t file;
	size_t len;

	(void)state;
	assert_int_equal(acl_set(v, dir, true, ACL_NAMED, sizeof(ACL_NAMED), true), CV_OK);
	file = make_file(v, "/d/f");
	/* 0644 under the default list: rw- for the owner, mask r--, others nothing */
	assert_int_equal(mode_of(v, file), 0640);
	assert_int_equal(xattr_get(v, file, &name, list, &len), CV_OK);
	assert_int_equal(list[4 + 3 * 8 + 2], 4);
	assert_int_equal(list[4 + 2 * 8 + 2], 5);
	assert_int_equal(acl_set(v, file, false, ACL_NAMED, sizeof(ACL_NAMED), true), CV_OK);
	assert_int_equal(mode_of(v, file), 0771);
	assert_int_equal(attr_set(v, file, &change), CV_OK);
	assert_int_equal(xattr_get(v, file, &name, list, &len), CV_OK);
	assert_int_equal(list[4 + 2], 6);
	assert_int_equal(list[4 + 3 * 8 + 2], 4);
	assert_int_equal(list[4 + 4 * 8 + 2], 0);
	assert_int_equal(acl_set(v, file, false, NULL, 0, true), CV_OK);
	assert_int_equal(xattr_get(v, file, &name, list, &len), CV_ERR_NOT_FOUND);
	assert_int_equal(
		acl_set(v, file, true, ACL_NAMED, sizeof(ACL_NAMED), true), CV_ERR_PERMISSION);
	assert_int_equal(acl_set(v, file, false, ACL_NAMED, 9, true), CV_ERR_ARGUMENT);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void check_finds_a_list_that_the_mode_contradicts(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint64_t file = make_file(v, "/f");
	struct volume_check_report r;
	struct inode inode;
	struct txn txn;

	(void)state;
	assert_int_equal(acl_set(v, file, false, ACL_NAMED, sizeof(ACL_NAMED), true), CV_OK);
	assert_clean(v);
	assert_int_equal(inode_get(v, file, &inode), CV_OK);
	inode.mode ^= 1;
	txn_init(&txn);
	txn_put_inode(&txn, file, &inode);
	assert_int_equal(txn_commit(v, &txn, TXN_ADDS), CV_OK);
	txn_wipe(&txn);
	assert_int_equal(volume_check(v, NULL, NULL, &r), CV_OK);
	assert_int_equal(r.problems, 1);
	volume_drop(v);
	image_free(image);
}

/* Changes that must come together, cut after every write: the check finds nothing. */
static void a_cut_leaves_attributes_mode_and_space_in_step(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct image *base;
	struct volume *v = image_open(image);
	uint64_t dir = make_dir(v, "/d");

	(void)state;
	assert_int_equal(volume_sync(v), CV_OK);
	base = image_copy(image);
	image_record(image);
	for (unsigned round = 0; round < 4; round++) {
		uint64_t file;

		assert_int_equal(
			acl_set(v, dir, round < 2, ACL_NAMED, sizeof(ACL_NAMED), true), CV_OK);
		file = make_file(v, round % 2 ? "/d/a" : "/d/b");
		assert_int_equal(set(v, file, "user.a", 3000), CV_OK);
		assert_int_equal(data_allocate(v, file, 0, 200000, false), CV_OK);
		assert_int_equal(volume_sync(v), CV_OK);
		assert_int_equal(data_punch(v, file, 5000, 100000), CV_OK);
		assert_int_equal(acl_set(v, file, false, NULL, 0, true), CV_OK);
		assert_int_equal(volume_sync(v), CV_OK);
		if (round % 2) {
			remove_path(v, "/d/a");
			remove_path(v, "/d/b");
		}
	}
	assert_int_equal(volume_sync(v), CV_OK);
	for (size_t i = 0; i < image->op_count; i++) {
		struct image *cut;
		struct volume *after;

		image_apply(base, &image->ops[i]);
		cut = image_copy(base);
		after = image_open(cut);
		assert_clean(after);
		volume_drop(after);
		image_free(cut);
	}
	volume_drop(v);
	image_free(image);
	image_free(base);
}

#define SPACE_FILE 300000

static void punching_and_allocating_do_what_a_plain_buffer_does(void **state)
{
	static uint8_t plain[SPACE_FILE];
	static uint8_t back[SPACE_FILE];
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint64_t file = make_file(v, "/f");
	uint32_t random = 9;
	size_t got;

	(void)state;
	assert_int_equal(data_truncate(v, file, SPACE_FILE, NULL), CV_OK);
	for (unsigned step = 0; step < 400; step++) {
		size_t from = next_random(&random) % SPACE_FILE;
		size_t len = 1 + next_random(&random) % (SPACE_FILE - from);

		switch (next_random(&random) % 3) {
		case 0:
			len = len > 20000 ? 20000 : len;
			fill_pattern(plain + from, len, step);
			write_at(v, file, from, plain + from, len);
			break;
		case 1:
			memset(plain + from, 0, len);
			assert_int_equal(data_punch(v, file, from, len), CV_OK);
			break;
		default:
			assert_int_equal(data_allocate(v, file, from, len, true), CV_OK);
		}
		assert_int_equal(data_read(v, file, 0, back, SPACE_FILE, &got), CV_OK);
		assert_int_equal(got, SPACE_FILE);
		assert_memory_equal(back, plain, SPACE_FILE);
	}
	assert_clean(v);
	assert_int_equal(data_punch(v, file, 0, FILE_SIZE_MAX), CV_OK);
	struct inode inode;
	assert_int_equal(inode_get(v, file, &inode), CV_OK);
	assert_int_equal(inode.blocks, 0);
	assert_int_equal(inode.size, SPACE_FILE);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void allocating_more_than_there_is_changes_nothing(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint64_t file = make_file(v, "/f");
	struct inode inode;

	(void)state;
	assert_int_equal(data_allocate(v, file, 0, 64 << 20, false), CV_ERR_FULL);
	assert_int_equal(inode_get(v, file, &inode), CV_OK);
	assert_int_equal(inode.size, 0);
	assert_int_equal(inode.blocks, 0);
	assert_int_equal(data_allocate(v, file, 0, 4 << 20, false), CV_OK);
	assert_int_equal(inode_get(v, file, &inode), CV_OK);
	assert_int_equal(inode.size, 4 << 20);
	assert_int_equal(inode.blocks, 1024);
	assert_int_equal(data_allocate(v, file, FILE_SIZE_MAX, 1, false), CV_ERR_FILE_SIZE);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

static void a_write_across_the_largest_size_is_short(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint64_t file = make_file(v, "/f");
	uint8_t data[8192] = { 1 };
	struct inode inode;
	size_t done = 9;

	(void)state;
	assert_int_equal(data_write(v, file, FILE_SIZE_MAX - 5000, data, sizeof(data), &done), CV_OK);
	assert_int_equal(done, 5000);
	assert_int_equal(inode_get(v, file, &inode), CV_OK);
	assert_int_equal(inode.size, FILE_SIZE_MAX);
	assert_int_equal(data_write(v, file, FILE_SIZE_MAX, data, 1, &done), CV_ERR_FILE_SIZE);
	assert_int_equal(data_write(v, file, UINT64_MAX, data, 1, &done), CV_ERR_FILE_SIZE);
	assert_int_equal(done, 0);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_survive_a_remount_and_go_with_the_file),
		cmocka_unit_test(an_object_holds_a_bounded_sum_of_attributes),
		cmocka_unit_test(check_finds_an_attribute_under_a_wrong_hash),
		cmocka_unit_test(a_list_is_refused_unless_it_is_well_formed),
		cmocka_unit_test(mode_and_list_follow_each_other),
		cmocka_unit_test(check_finds_a_list_that_the_mode_contradicts),
		cmocka_unit_test(a_cut_leaves_attributes_mode_and_space_in_step),
		cmocka_unit_test(punching_and_allocating_do_what_a_plain_buffer_does),
		cmocka_unit_test(allocating_more_than_there_is_changes_nothing),
		cmocka_unit_test(a_write_across_the_largest_size_is_short),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
