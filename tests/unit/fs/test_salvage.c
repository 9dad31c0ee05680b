/* What comes out of containers that are damaged in every way. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/checkpoint.h"
#include "fs/salvage.h"
#include "tests/unit/fs/sweep.h"

static char work[64];
static char container[80];
static char out[80];
static char backup[80];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_out(void)
{
	(void)nftw(out, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(work, sizeof(work), "/tmp/conclave-salvage-%d", (int)getpid());
	(void)snprintf(container, sizeof(container), "%s/volume", work);
	(void)snprintf(out, sizeof(out), "%s/out", work);
	(void)snprintf(backup, sizeof(backup), "%s/backup", work);
	return mkdir(work, 0700);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The image as a sparse file. */
static void put_container(const struct image *image)
{
	int fd = open(container, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)image->size), 0);
	for (uint64_t b = 0; b < image->size / BLOCK_BYTES; b++)
		if (image->block[b])
			assert_int_equal(pwrite(fd, image->block[b], BLOCK_BYTES,
						 (off_t)(b * BLOCK_BYTES)),
				BLOCK_BYTES);
	assert_int_equal(close(fd), 0);
}

struct told {
	unsigned lines;
	char text[8192];
};

static void on_problem(void *user, const char *path, const char *what)
{
	struct told *t = user;
	size_t len = strlen(t->text);

	t->lines++;
	(void)snprintf(t->text + len, sizeof(t->text) - len, "%s: %s\n", path, what);
}

static enum cv_err salvage(const struct image *image, const char *header, bool partial,
	struct volume_salvage_report *r, struct told *t)
{
	struct volume_salvage_options o = { .secret = TEST_SECRET,
		.header = header,
		.partial = partial,
		.problem = on_problem,
		.user = t };
	struct volume_why why = { "" };
	enum cv_err err = CV_ERR_INTERNAL;

	memset(t, 0, sizeof(*t));
	if (image)
		put_container(image);
	err = volume_salvage(container, out, &o, r, &why);
	assert_true(err == CV_OK || why.text[0] != '\0');
	return err;
}

static bool same_content(struct volume *v, const char *path, const char *host)
{
	static uint8_t a[3 << 20];
	static uint8_t b[3 << 20];
	size_t got = 0;
	ssize_t n;
	int fd = open(host, O_RDONLY);

	if (fd < 0)
		return false;
	assert_int_equal(volume_read(v, path, 0, a, sizeof(a), &got), CV_OK);
	n = read(fd, b, sizeof(b));
	assert_int_equal(close(fd), 0);
	return n == (ssize_t)got && memcmp(a, b, got) == 0;
}

static void file_path(char path[32], unsigned i)
{
	(void)snprintf(path, 32, i % 3 ? "/d/e/f%u" : "/f%u", i);
}

/* How many of the 24 files and /holes came out, each byte for byte. */
static unsigned files_out(struct volume *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 25; i++) {
		char path[32] = "/holes";
		char host[128];

		if (i < 24)
			file_path(path, i);
		(void)snprintf(host, sizeof(host), "%s%s", out, path);
		if (access(host, F_OK))
			continue;
		assert_true(same_content(v, path, host));
		n++;
	}
	return n;
}

static void copies_a_whole_volume_with_all_it_has(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume_salvage_report r;
	struct volume *v;
	struct told t;
	struct stat a;
	struct stat b;
	char path[128];

	(void)state;
	assert_int_equal(salvage(image, NULL, false, &r, &t), CV_OK);
	assert_int_equal(t.lines, 0);
	assert_int_equal(r.files, 25);
	assert_int_equal(r.dirs, 2);
	assert_int_equal(r.links, 1);
	assert_int_equal(r.searched, 0);
	v = image_open(image);
	assert_int_equal(files_out(v), 25);
	volume_drop(v);
	(void)snprintf(path, sizeof(path), "%s/f6", out);
	assert_int_equal(stat(path, &a), 0);
	(void)snprintf(path, sizeof(path), "%s/d/second", out);
	assert_int_equal(stat(path, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_mode & 07777, 0644);
	(void)snprintf(path, sizeof(path), "%s/holes", out);
	assert_int_equal(stat(path, &a), 0);
	assert_int_equal(a.st_size, 2000003);
	assert_true(a.st_blocks < 100);
	/* again: nothing is overwritten, and it is said */
	assert_int_equal(salvage(image, NULL, false, &r, &t), CV_ERR_TAMPERED);
	assert_int_equal(r.files, 0);
	assert_true(r.skipped >= 25);
	remove_out();
	image_free(image);
}

/* The block of a file in the container. */
static uint64_t block_of(struct volume *v, const char *path, uint64_t index)
{
	struct item_key key = { .object = must_resolve(v, path), .type = ITEM_MAP };
	const uint8_t *value;
	struct map_entry e;
	size_t len;

	key.offset = index / MAP_BLOCKS;
	assert_int_equal(tree_get(&v->tree, &key, &value, &len), CV_OK);
	map_entry_get(&e, value, len, (unsigned)(index % MAP_BLOCKS));
	return e.block;
}

static void a_damaged_file_is_left_out_or_written_in_part(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_salvage_report r;
	struct told t;
	char path[128];
	char text[64] = { 0 };
	int fd;

	(void)state;
	image_block(image, block_of(v, "/f6", 5))[0] ^= 1;
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_int_equal(salvage(image, NULL, false, &r, &t), CV_ERR_TAMPERED);
	assert_int_equal(r.damaged, 1);
	assert_int_equal(r.skipped, 1); /* its second name */
	assert_non_null(strstr(t.text, ": 1 blocks are lost"));
	assert_int_equal(files_out(v), 24);
	remove_out();
	assert_int_equal(salvage(image, NULL, true, &r, &t), CV_ERR_TAMPERED);
	assert_int_equal(r.partial, 1);
	assert_int_equal(files_out(v), 24);
	(void)snprintf(path, sizeof(path), "%s/f6.partial.holes", out);
	fd = open(path, O_RDONLY);
	/* the second name comes first in the order of hashes, perhaps */
	if (fd < 0) {
		(void)snprintf(path, sizeof(path), "%s/d/second.partial.holes", out);
		fd = open(path, O_RDONLY);
	}
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "20480 4096\n");
	assert_int_equal(close(fd), 0);
	volume_drop(v);
	remove_out();
	image_free(image);
}

/* Enough that the tree has inner nodes. */
static void make_many(struct volume *v)
{
	for (unsigned i = 0; i < 300; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/d/x%u", i);
		put_file(v, path, (const uint8_t *)path, 9);
	}
}

/* Every node that is not the root, one after the other: what it held is lost, nothing else. */
static void each_node_may_be_gone(void **state)
{
	struct image *image = image_new(2 * VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint64_t places[64];
	unsigned nodes = 0;
	struct node *root;

	(void)state;
	tree_make(v);
	make_many(v);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_int_equal(tree_root(&v->tree, &root), CV_OK);
	assert_true(root->level > 0);
	for (unsigned i = 0; i < root->count && nodes < 64; i++) {
		size_t len;

		places[nodes++] = le48(node_value(root, i, &len));
	}
	for (unsigned k = 0; k <= nodes; k++) {
		struct image *bad = image_copy(image);
		struct volume_salvage_report r;
		struct told t;
		uint64_t place = k < nodes ? places[k] : root->ptr.block;

		/* every copy of that place: also older leaves that lie about stay */
		memset(image_block(bad, place), 0xee, BLOCK_BYTES);
		assert_int_not_equal(salvage(bad, NULL, false, &r, &t), CV_OK);
		assert_true(r.searched);
		assert_true(r.leaves >= nodes - 1);
		if (k == nodes) {
			/* without a root all leaves are found: nothing is lost */
			assert_int_equal(files_out(v), 25);
			assert_int_equal(r.lost_found, 0);
		} else {
			(void)files_out(v);
		}
		remove_out();
		image_free(bad);
	}
	volume_drop(v);
	image_free(image);
}

static void superblocks_may_be_gone_with_a_backup(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v;
	struct volume_salvage_report r;
	struct told t;

	(void)state;
	put_container(image);
	assert_int_equal(volume_header_backup(container, backup, NULL), CV_OK);
	/* the volume lives on after the backup */
	v = image_open(image);
	put_file(v, "/late", (const uint8_t *)"late", 4);
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	for (unsigned i = 0; i < SUPER_SLOTS; i++)
		memset(image_block(image, super_slot_block(i)), 0, BLOCK_BYTES);
	assert_int_equal(salvage(image, NULL, false, &r, &t), CV_ERR_NOT_VOLUME);
	(void)salvage(image, backup, false, &r, &t);
	assert_int_equal(files_out(v), 25);
	volume_drop(v);
	assert_int_equal(unlink(backup), 0);
	remove_out();
	image_free(image);
}

static void what_has_no_name_goes_to_lost_and_found(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct item_key key = { .object = OBJECT_ROOT, .type = ITEM_DIRENT };
	struct volume_salvage_report r;
	struct txn txn;
	struct told t;
	const uint8_t *value;
	uint64_t names = 0;
	char path[128];
	size_t len;

	(void)state;
	/* the root directory forgets all its names */
	txn_init(&txn);
	for (; tree_next(&v->tree, &key, &value, &len) == CV_OK; key.offset++) {
		txn_del(&txn, &key);
		names++;
	}
	assert_int_equal(txn_commit(v, &txn, TXN_FREES), CV_OK);
	txn_wipe(&txn);
	assert_int_equal(volume_close(v), CV_OK);
	assert_int_equal(salvage(image, NULL, false, &r, &t), CV_ERR_TAMPERED);
	/* one file keeps its other name, below the lost directory */
	assert_int_equal(r.lost_found, names - 1);
	assert_int_equal(r.files, 25);
	(void)snprintf(path, sizeof(path), "%s/lost+found/2/e/f1", out);
	assert_int_equal(access(path, F_OK), 0);
	remove_out();
	image_free(image);
}

/* What only the log has comes out, too, and of what is unlinked but not reaped nothing. */
static void an_unclean_volume_comes_out_with_its_log(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_salvage_report r;
	struct dir_name name = { "f3", 2 };
	struct told t;
	uint64_t gone;
	char path[128];

	(void)state;
	put_file(v, "/only-in-the-log", (const uint8_t *)"here", 4);
	assert_int_equal(dir_unlink(v, OBJECT_ROOT, &name, &gone), CV_OK);
	assert_true(gone);
	assert_int_equal(salvage(image, NULL, false, &r, &t), CV_OK);
	assert_int_equal(r.files, 25);
	assert_int_equal(r.lost_found, 0);
	(void)snprintf(path, sizeof(path), "%s/only-in-the-log", out);
	assert_true(same_content(v, "/only-in-the-log", path));
	volume_drop(v);
	remove_out();
	image_free(image);
}

/* Old leaves lie about; the newest content counts and what was removed does not come back. */
static void the_newest_of_many_versions_comes_out(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	struct volume_salvage_report r;
	struct image *bad;
	struct node *root;
	struct told t;
	uint8_t data[5000];
	char path[128];

	(void)state;
	make_many(v);
	put_file(v, "/removed", (const uint8_t *)"x", 1);
	for (uint32_t i = 0; i < 6; i++) {
		fill_pattern(data, sizeof(data), i);
		if (i == 0)
			put_file(v, "/versions", data, sizeof(data));
		else
			write_at(v, must_resolve(v, "/versions"), 0, data, sizeof(data));
		if (i == 3)
			remove_path(v, "/removed");
		/* so that the old leaves stay where they are */
		v->alloc.node_cursor += 512;
		assert_int_equal(checkpoint_run(v, SUPER_OPEN), CV_OK);
	}
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_int_equal(tree_root(&v->tree, &root), CV_OK);
	assert_true(root->level > 0);
	bad = image_copy(image);
	memset(image_block(bad, root->ptr.block), 0xee, BLOCK_BYTES);
	assert_int_equal(salvage(bad, NULL, false, &r, &t), CV_ERR_TAMPERED);
	(void)snprintf(path, sizeof(path), "%s/versions", out);
	assert_true(same_content(v, "/versions", path));
	(void)snprintf(path, sizeof(path), "%s/removed", out);
	assert_int_not_equal(access(path, F_OK), 0);
	remove_out();
	image_free(bad);
	volume_drop(v);
	image_free(image);
}

static void refuses_a_wrong_key_and_no_volume(void **state)
{
	struct image *image = tree_image(VOLUME_SIZE_MIN);
	const uint8_t wrong[CV_SECRET_BYTES] = { 7 };
	struct volume_salvage_options o = { .secret = wrong };
	struct volume_salvage_report r;
	struct volume_why why = { "" };

	(void)state;
	put_container(image);
	assert_int_equal(volume_salvage(container, out, &o, &r, &why), CV_ERR_WRONG_KEY);
	assert_int_not_equal(access(out, F_OK), 0);
	assert_int_equal(volume_salvage("/nonexistent", out, &o, &r, &why), CV_ERR_NOT_FOUND);
	assert_int_equal(volume_salvage(work, out, &o, &r, &why), CV_ERR_NOT_VOLUME);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_a_whole_volume_with_all_it_has),
		cmocka_unit_test(a_damaged_file_is_left_out_or_written_in_part),
		cmocka_unit_test(each_node_may_be_gone),
		cmocka_unit_test(superblocks_may_be_gone_with_a_backup),
		cmocka_unit_test(what_has_no_name_goes_to_lost_and_found),
		cmocka_unit_test(an_unclean_volume_comes_out_with_its_log),
		cmocka_unit_test(the_newest_of_many_versions_comes_out),
		cmocka_unit_test(refuses_a_wrong_key_and_no_volume),
	};

	support_init();
	return cmocka_run_group_tests(tests, setup, teardown);
}
