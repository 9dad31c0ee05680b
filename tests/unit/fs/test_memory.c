/*
 * Every allocation fails once. The linker's --wrap (see the Makefile) leads the calls of the
 * libraries here; a container on a memory file keeps the test's own memory out of the count.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/acl.h"
#include "fs/checkpoint.h"
#include "fs/xattr.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "tests/unit/fs/support.h"

struct evp_cipher_ctx_st;

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *p, size_t len);
void *__real_secret_alloc(size_t len);
struct evp_cipher_ctx_st *__real_EVP_CIPHER_CTX_new(void);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *p, size_t len);
void *__wrap_secret_alloc(size_t len);
struct evp_cipher_ctx_st *__wrap_EVP_CIPHER_CTX_new(void);

static unsigned long allocations;
static unsigned long fail_at; /* 0: none */

static bool fails(void)
{
	return ++allocations == fail_at;
}

void *__wrap_malloc(size_t len)
{
	return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
	return fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *p, size_t len)
{
	return fails() ? NULL : __real_realloc(p, len);
}

void *__wrap_secret_alloc(size_t len)
{
	return fails() ? NULL : __real_secret_alloc(len);
}

struct evp_cipher_ctx_st *__wrap_EVP_CIPHER_CTX_new(void)
{
	return fails() ? NULL : __real_EVP_CIPHER_CTX_new();
}

/* A container of 32 MiB in memory, with a volume in it or a copy of another. */
static int container_new(void)
{
	struct volume_create_options o = test_create_options(VOLUME_SIZE_MIN);
	struct store_file file;
	int fd = memfd_create("volume", MFD_CLOEXEC);

	assert_true(fd >= 0 && ftruncate(fd, (off_t)VOLUME_SIZE_MIN) == 0);
	store_file_init(&file, fd);
	assert_int_equal(volume_create_store(&file.store, &o, NULL), CV_OK);
	return fd;
}

static int container_copy(int from)
{
	static uint8_t buf[1 << 20];
	int fd = memfd_create("copy", MFD_CLOEXEC);
	off_t data = 0;

	assert_true(fd >= 0 && ftruncate(fd, (off_t)VOLUME_SIZE_MIN) == 0);
	while ((data = lseek(from, data, SEEK_DATA)) >= 0) {
		off_t hole = lseek(from, data, SEEK_HOLE);

		for (; data < hole; data += (off_t)sizeof(buf)) {
			size_t len = (size_t)(hole - data);

			len = len < sizeof(buf) ? len : sizeof(buf);
			assert_int_equal(pread(from, buf, len, data), len);
			assert_int_equal(pwrite(fd, buf, len, data), len);
		}
		data = hole;
	}
	return fd;
}

static enum cv_err try_open(int fd, bool read_only, size_t cache, struct volume **v)
{
	struct volume_open_options o = test_open_options();

	o.read_only = read_only;
	o.cache_bytes = cache;
	return volume_open_fd(v, fd, &o, NULL);
}

/* What a course of work has at hand. */
struct course {
	struct volume *v;
	uint64_t dir, file, other;
	uint8_t back[20000];
};

static const uint8_t DATA[20000] = { 1, 2, 3, 4, 5 };
static const uint8_t LIST[] = { 2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 6, 0, 5, 0, 0, 0,
	4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 1, 0, 255, 255, 255,
	255 };

static struct dir_name named(const char *text)
{
	return (struct dir_name){ text, strlen(text) };
}

static enum cv_err create(struct course *c, uint64_t dir, const char *text, uint32_t mode, uint64_t *out)
{
	struct dir_new new = { .mode = mode, .target = "target" };
	struct dir_name name = named(text);

	return dir_create(c->v, dir, &name, &new, out);
}

static enum cv_err make_dir_step(struct course *c)
{
	return create(c, OBJECT_ROOT, "d", S_IFDIR | 0755, &c->dir);
}

static enum cv_err set_default_list(struct course *c)
{
	return acl_set(c->v, c->dir, true, LIST, sizeof(LIST), true);
}

static enum cv_err make_file_step(struct course *c)
{
	return create(c, c->dir, "f", S_IFREG | 0644, &c->file);
}

static enum cv_err make_link(struct course *c)
{
	return create(c, c->dir, "s", S_IFLNK | 0777, &c->other);
}

static enum cv_err write_file(struct course *c)
{
	size_t done;

	return data_write(c->v, c->file, 3000, DATA, sizeof(DATA), &done);
}

static enum cv_err read_file(struct course *c)
{
	size_t got = 0;

	return data_read(c->v, c->file, 3000, c->back, sizeof(c->back), &got);
}

static enum cv_err checkpoint(struct course *c)
{
	return checkpoint_if_dirty(c->v);
}

static enum cv_err sync_step(struct course *c)
{
	return volume_sync(c->v);
}

static enum cv_err link_file(struct course *c)
{
	struct dir_name name = named("second");

	return dir_link(c->v, c->file, OBJECT_ROOT, &name);
}

static enum cv_err set_attribute(struct course *c)
{
	struct dir_name name = named("user.a");

	return xattr_set(c->v, c->file, &name, DATA, 3000, 0);
}

static enum cv_err change_mode(struct course *c)
{
	struct attr_change change = { .set = ATTR_SET_MODE, .from = { .mode = 0600 } };

	return attr_set(c->v, c->file, &change);
}

static enum cv_err allocate(struct course *c)
{
	return data_allocate(c->v, c->file, 100000, 50000, false);
}

static enum cv_err punch(struct course *c)
{
	return data_punch(c->v, c->file, 4096, 9000);
}

static enum cv_err truncate_file(struct course *c)
{
	return data_truncate(c->v, c->file, 120000, NULL);
}

static enum cv_err rename_file(struct course *c)
{
	struct dir_name name = named("f");
	struct dir_name to = named("moved");
	uint64_t gone;

	return dir_rename(c->v, c->dir, &name, OBJECT_ROOT, &to, 0, &gone);
}

static enum cv_err remove_link(struct course *c)
{
	struct dir_name name = named("s");

	return dir_unlink(c->v, c->dir, &name, &c->other);
}

static enum cv_err reap(struct course *c)
{
	return reap_object(c->v, c->other);
}

static enum cv_err many_files(struct course *c)
{
	enum cv_err err = CV_OK;

	/* enough for nodes to split; those that are there are not made again */
	for (unsigned i = 0; i < 150 && (!err || err == CV_ERR_EXISTS); i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "many-%u-with-a-long-name-to-fill-nodes", i);
		err = create(c, OBJECT_ROOT, text, S_IFREG | 0644, &c->other);
	}
	return err == CV_ERR_EXISTS ? CV_OK : err;
}

static int count_entry(void *user, const struct dir_name *name, uint64_t object, uint32_t type,
	uint64_t next, unsigned index)
{
	(void)name;
	(void)object;
	(void)type;
	(void)next;
	(void)index;
	++*(unsigned *)user;
	return 0;
}

static enum cv_err list(struct course *c)
{
	unsigned count = 0;
	enum cv_err err = dir_read(c->v, OBJECT_ROOT, 0, count_entry, &count);

	if (!err)
		assert_int_equal(count, 2 + 1 + 2 + 150);
	return err;
}

static enum cv_err check(struct course *c)
{
	struct volume_check_report r;
	enum cv_err err = volume_check(c->v, NULL, NULL, &r);

	if (!err)
		assert_int_equal(r.problems, 0);
	return err;
}

static const struct {
	const char *name;
	enum cv_err (*run)(struct course *c);
} steps[] = {
	{ "mkdir", make_dir_step },
	{ "default list", set_default_list },
	{ "create", make_file_step },
	{ "symlink", make_link },
	{ "write", write_file },
	{ "read", read_file },
	{ "checkpoint", checkpoint },
	{ "link", link_file },
	{ "attribute", set_attribute },
	{ "mode", change_mode },
	{ "sync", sync_step },
	{ "allocate", allocate },
	{ "punch", punch },
	{ "truncate", truncate_file },
	{ "rename", rename_file },
	{ "unlink", remove_link },
	{ "reap", reap },
	{ "many files", many_files },
	{ "checkpoint again", checkpoint },
	{ "list", list },
	{ "check", check },
};

/* What must be there in the end, however often something failed on the way. */
static void assert_result(int fd)
{
	struct course c = { .v = NULL };
	struct dir_name name = named("user.a");
	uint8_t value[XATTR_VALUE_MAX];
	struct inode inode;
	uint64_t object;
	size_t len;

	assert_int_equal(try_open(fd, false, 0, &c.v), CV_OK);
	assert_clean(c.v);
	object = must_resolve(c.v, "/moved");
	assert_int_equal(must_resolve(c.v, "/second"), object);
	assert_int_equal(inode_get(c.v, object, &inode), CV_OK);
	assert_int_equal(inode.size, 120000);
	assert_int_equal(inode.links, 2);
	assert_int_equal(inode.mode & 0707, 0600);
	assert_int_equal(data_read(c.v, object, 0, c.back, sizeof(c.back), &len), CV_OK);
	assert_memory_equal(c.back + 3000, DATA, 4096 - 3000);
	assert_int_equal(c.back[5000], 0);
	assert_memory_equal(c.back + 13096, DATA + 10096, sizeof(c.back) - 13096);
	assert_int_equal(xattr_get(c.v, object, &name, value, &len), CV_OK);
	assert_int_equal(len, 3000);
	assert_int_equal(list(&c), CV_OK);
	assert_int_equal(path_resolve(c.v, "/d/s", &object), CV_ERR_NOT_FOUND);
	assert_int_equal(volume_close(c.v), CV_OK);
}

/*
 * A step that fails for want of memory is made again, as a program does; it has changed nothing,
 * or it could not be.
 */
static bool run_step(struct course *c, size_t i)
{
	enum cv_err err = steps[i].run(c);

	if (err == CV_ERR_MEMORY)
		err = steps[i].run(c);
	if (err)
		fprintf(stderr, "allocation %lu: %s: %s\n", fail_at, steps[i].name, cv_err_text(err));
	return !err;
}

static bool work(int fd, size_t cache)
{
	struct course c = { .v = NULL };
	enum cv_err err = try_open(fd, false, cache, &c.v);
	bool good = true;

	if (err == CV_ERR_MEMORY)
		err = try_open(fd, false, cache, &c.v);
	if (err) {
		fprintf(stderr, "allocation %lu: open: %s\n", fail_at, cv_err_text(err));
		return false;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && good; i++) {
		good = run_step(&c, i);
		tree_trim(&c.v->tree);
	}
	err = volume_close(c.v);
	if (err) /* one more try is not to be had: it says so, and the next open repairs */
		assert_int_equal(err, CV_ERR_MEMORY);
	return good;
}

static void sweep(size_t cache)
{
	int base = container_new();
	unsigned long last = ULONG_MAX;

	for (unsigned long n = 1; n <= last; n++) {
		int fd = container_copy(base);

		allocations = 0;
		fail_at = n;
		assert_true(work(fd, cache));
		if (allocations < n)
			last = n;
		fail_at = 0;
		assert_result(fd);
		(void)close(fd);
	}
	assert_true(last > 100);
	(void)close(base);
}

static void every_operation_survives_every_failed_allocation(void **state)
{
	(void)state;
	sweep(0);
}

/* Nodes come and go: loading them allocates, too. */
static void so_it_does_with_the_smallest_cache(void **state)
{
	(void)state;
	sweep(1);
}

static void reading_and_checking_survive_every_failed_allocation(void **state)
{
	int fd = container_new();
	unsigned long n = 0;

	(void)state;
	assert_true(work(fd, 0));
	do {
		struct volume_check_report r = { .problems = 0 };
		struct volume *v = NULL;
		enum cv_err err;

		allocations = 0;
		fail_at = ++n;
		err = try_open(fd, true, 1, &v);
		if (!err)
			err = volume_check(v, NULL, NULL, &r);
		if (v)
			assert_int_equal(volume_close(v), CV_OK);
		if (allocations >= n)
			assert_int_equal(err, CV_ERR_MEMORY);
		else
			assert_int_equal(err, CV_OK);
		assert_int_equal(r.problems, 0);
	} while (allocations >= n);
	fail_at = 0;
	assert_true(n > 20);
	assert_result(fd);
	(void)close(fd);
}

static void making_a_volume_survives_every_failed_allocation(void **state)
{
	unsigned long n = 0;

	(void)state;
	do {
		struct volume_create_options o = test_create_options(VOLUME_SIZE_MIN);
		struct volume_why why = { "" };
		char path[64];
		enum cv_err err;

		(void)snprintf(path, sizeof(path), "/dev/shm/conclave-test-%d", (int)getpid());
		allocations = 0;
		fail_at = ++n;
		err = volume_create(path, &o, &why);
		fail_at = 0;
		if (allocations >= n)
			assert_int_equal(err, CV_ERR_MEMORY);
		else
			assert_int_equal(err, CV_OK);
		/* what failed has left nothing */
		assert_int_equal(access(path, F_OK) == 0, err == CV_OK);
		if (!err)
			assert_int_equal(unlink(path), 0);
	} while (allocations >= n);
	assert_true(n > 5);
}

/* What a killed process left opens, or fails and opens the next time; nothing of it is lost. */
static void taking_over_the_log_survives_every_failed_allocation(void **state)
{
	struct course c = { .v = NULL };
	int base = container_new();
	unsigned long last = ULONG_MAX;

	(void)state;
	assert_int_equal(try_open(base, false, 0, &c.v), CV_OK);
	for (size_t i = 0; i < 14; i++)
		assert_true(run_step(&c, i));
	volume_drop(c.v);
	for (unsigned long n = 1; n <= last; n++) {
		int fd = container_copy(base);
		struct inode inode;

		c.v = NULL;
		allocations = 0;
		fail_at = n;
		if (try_open(fd, n % 2, 0, &c.v))
			assert_null(c.v);
		if (allocations < n)
			last = n;
		fail_at = 0;
		volume_drop(c.v);
		assert_int_equal(try_open(fd, false, 0, &c.v), CV_OK);
		assert_int_equal(inode_get(c.v, must_resolve(c.v, "/second"), &inode), CV_OK);
		assert_int_equal(inode.size, 120000);
		assert_clean(c.v);
		volume_drop(c.v);
		(void)close(fd);
	}
	assert_true(last > 20);
	(void)close(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_survives_every_failed_allocation),
		cmocka_unit_test(so_it_does_with_the_smallest_cache),
		cmocka_unit_test(reading_and_checking_survive_every_failed_allocation),
		cmocka_unit_test(making_a_volume_survives_every_failed_allocation),
		cmocka_unit_test(taking_over_the_log_survives_every_failed_allocation),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
