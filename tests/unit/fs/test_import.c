/* Copying a host directory in, and what check says about trees that are wrong on purpose. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/acl.h"
#include "tests/unit/fs/support.h"

static void host_path(char out[128], const char *name)
{
	(void)snprintf(out, 128, "/tmp/conclave-import-%d%s", (int)getpid(), name);
}

static void host_write(const char *name, const void *data, size_t len, off_t at)
{
	char path[128];
	int fd;

	host_path(path, name);
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
	assert_int_equal(close(fd), 0);
}

static void host_tree(void)
{
	char a[128];
	char b[128];

	host_path(a, "");
	assert_int_equal(mkdir(a, 0755), 0);
	host_path(a, "/sub");
	assert_int_equal(mkdir(a, 0711), 0);
	host_write("/file", "content", 7, 0);
	host_write("/sparse", "end", 3, 1000000);
	host_path(a, "/file");
	host_path(b, "/sub/again");
	assert_int_equal(link(a, b), 0);
	host_path(b, "/link");
	assert_int_equal(symlink("file", b), 0);
}

static void host_remove(void)
{
	const char *const names[] = { "/sub/again", "/link", "/sparse", "/file", "/sub", "" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		host_path(path, names[i]);
		assert_int_equal(remove(path), 0);
	}
}

static int stop_at_once(void *user, uint64_t done, uint64_t total, const char *name)
{
	(void)user;
	(void)done;
	assert_true(total >= 7);
	assert_true(name[0] != '\0');
	return 1;
}

static void copies_files_links_holes_and_modes(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_import_report r;
	struct volume_why why = { "" };
	struct inode inode;
	char source[128];
	char target[SYMLINK_MAX + 1];

	(void)state;
	host_tree();
	host_path(source, "");
	assert_int_equal(volume_import(v, source, "/", NULL, NULL, &r, &why), CV_OK);
	assert_int_equal(r.files, 2);
	assert_int_equal(r.dirs, 1);
	assert_int_equal(r.symlinks, 1);
	assert_int_equal(r.links, 1);
	assert_int_equal(must_resolve(v, "/file"), must_resolve(v, "/sub/again"));
	assert_int_equal(inode_get(v, must_resolve(v, "/file"), &inode), CV_OK);
	assert_int_equal(inode.mode, S_IFREG | 0640);
	assert_int_equal(inode.links, 2);
	assert_int_equal(inode_get(v, must_resolve(v, "/sparse"), &inode), CV_OK);
	assert_int_equal(inode.size, 1000003);
	assert_true(inode.blocks <= 2);
	assert_int_equal(dir_readlink(v, must_resolve(v, "/link"), target), CV_OK);
	assert_string_equal(target, "file");
	assert_clean(v);
	/* again: the directory is joined, the file is in the way */
	assert_int_equal(volume_import(v, source, "/", NULL, NULL, &r, &why), CV_ERR_EXISTS);
	assert_true(why.text[0] != '\0');
	assert_int_equal(
		volume_import(v, "/nonexistent", "/", NULL, NULL, &r, &why), CV_ERR_NOT_FOUND);
	assert_int_equal(volume_import(v, source, "/none", NULL, NULL, &r, &why), CV_ERR_NOT_FOUND);
	(void)make_dir(v, "/stop");
	assert_int_equal(
		volume_import(v, source, "/stop", stop_at_once, NULL, &r, &why), CV_ERR_TIMEOUT);
	assert_clean(v);
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
	host_remove();
}

/* An access list in the form of Linux: owner rwx, user 1234 r-x, group r--, mask r-x, others none. */
static const uint8_t ACL[] = { 2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 5, 0, 0xd2, 4, 0, 0,
	4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 5, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255,
	255 };

static size_t volume_xattr(struct volume *v, const char *path, const char *name, uint8_t *value)
{
	const struct dir_name x = { name, strlen(name) };
	size_t len = 0;

	assert_int_equal(xattr_get(v, must_resolve(v, path), &x, value, &len), CV_OK);
	return len;
}

static void copies_attributes_and_access_lists(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	static uint8_t large[4096];
	uint8_t value[XATTR_VALUE_MAX];
	struct volume_import_report r;
	struct volume_why why = { "" };
	char source[128];
	char path[128];

	(void)state;
	host_tree();
	host_path(source, "");
	host_path(path, "/file");
	/* a host filesystem without attributes has nothing to copy */
	if (setxattr(path, "user.note", "hello", 5, 0)) {
		host_remove();
		image_free(image);
		volume_drop(v);
		skip();
	}
	assert_int_equal(setxattr(path, "user.empty", "", 0, 0), 0);
	assert_int_equal(setxattr(path, ACL_ACCESS, ACL, sizeof(ACL), 0), 0);
	host_path(path, "/sub");
	assert_int_equal(setxattr(path, ACL_DEFAULT, ACL, sizeof(ACL), 0), 0);
	assert_int_equal(volume_import(v, source, "/", NULL, NULL, &r, &why), CV_OK);
	assert_int_equal(r.xattrs, 4);
	assert_int_equal(volume_xattr(v, "/file", "user.note", value), 5);
	assert_memory_equal(value, "hello", 5);
	assert_int_equal(volume_xattr(v, "/file", "user.empty", value), 0);
	assert_int_equal(volume_xattr(v, "/file", ACL_ACCESS, value), sizeof(ACL));
	assert_memory_equal(value, ACL, sizeof(ACL));
	assert_int_equal(volume_xattr(v, "/sub", ACL_DEFAULT, value), sizeof(ACL));
	assert_clean(v);
	/* one that no volume can hold: said, and named */
	host_path(path, "/file");
	if (setxattr(path, "user.large", large, 4000, 0) == 0 &&
		setxattr(path, "user.large", large, sizeof(large), 0) == 0) {
		(void)make_dir(v, "/again");
		assert_int_equal(volume_import(v, source, "/again", NULL, NULL, &r, &why),
			CV_ERR_TOO_LONG);
		assert_non_null(strstr(why.text, "user.large"));
	}
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
	host_remove();
}

/* Puts an inode as a fault would leave it. */
static void put_inode(struct volume *v, uint64_t object, const struct inode *inode)
{
	struct txn txn;

	txn_init(&txn);
	txn_put_inode(&txn, object, inode);
	assert_int_equal(txn_commit(v, &txn, TXN_ADDS), CV_OK);
	txn_wipe(&txn);
}

static uint64_t problems(struct volume *v)
{
	struct volume_check_report r;

	assert_int_equal(volume_check(v, NULL, NULL, &r), CV_OK);
	return r.problems;
}

static void check_finds_wrong_counts_and_lost_items(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct inode good;
	struct inode bad;
	struct txn txn;
	uint64_t file;

	(void)state;
	put_file(v, "/f", (const uint8_t *)"hello", 5);
	file = must_resolve(v, "/f");
	assert_int_equal(problems(v), 0);
	assert_int_equal(inode_get(v, file, &good), CV_OK);
	bad = good;
	bad.links = 2;
	put_inode(v, file, &bad);
	assert_true(problems(v) > 0);
	bad = good;
	bad.blocks = 9;
	put_inode(v, file, &bad);
	assert_true(problems(v) > 0);
	bad = good;
	bad.size = 0;
	put_inode(v, file, &bad);
	assert_true(problems(v) > 0);
	put_inode(v, file, &good);
	assert_int_equal(problems(v), 0);
	put_inode(v, 50, &good);
	assert_true(problems(v) > 0);

	txn_init(&txn);
	txn_del(&txn, &(struct item_key){ .object = 50, .type = ITEM_INODE });
	assert_int_equal(txn_commit(v, &txn, TXN_FREES), CV_OK);
	txn_wipe(&txn);
	assert_int_equal(problems(v), 0);
	txn_init(&txn);
	txn_del(&txn, &(struct item_key){ .object = file, .type = ITEM_INODE });
	assert_int_equal(txn_commit(v, &txn, TXN_FREES), CV_OK);
	txn_wipe(&txn);
	assert_true(problems(v) >= 2); /* the name and the blocks of nobody */
	volume_drop(v);
	image_free(image);
}

static void check_finds_blocks_that_nothing_refers_to(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_check_report r;

	(void)state;
	assert_int_equal(alloc_load(&v->alloc, 8000), CV_OK);
	alloc_use(&v->alloc, 8000);
	v->dirty = true;
	assert_int_equal(volume_check(v, NULL, NULL, &r), CV_OK);
	assert_int_equal(r.leaked_blocks, 1);
	assert_true(r.problems > 0);
	volume_drop(v);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_files_links_holes_and_modes),
		cmocka_unit_test(copies_attributes_and_access_lists),
		cmocka_unit_test(check_finds_wrong_counts_and_lost_items),
		cmocka_unit_test(check_finds_blocks_that_nothing_refers_to),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
