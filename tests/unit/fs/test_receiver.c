/* The turn of receiving requests: kept by whoever has a short one, passed on before a long one. */
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs/receiver.h"
#include "tests/unit/fs/support.h"

struct kernel {
	struct receiver r;
	int ours;
	int theirs;
	unsigned waits;
};

static void kernel_new(struct kernel *k)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	k->ours = pair[0];
	k->theirs = pair[1];
	k->waits = 0;
	receiver_init(&k->r, true);
}

static void kernel_free(struct kernel *k)
{
	receiver_pass(&k->r);
	receiver_wipe(&k->r);
	(void)close(k->ours);
	(void)close(k->theirs);
}

static void send_body(struct kernel *k, uint32_t opcode, const void *body, size_t len)
{
	uint8_t buf[256] = { 0 };
	struct fuse_in_header head = { .len = (uint32_t)(sizeof(head) + len), .opcode = opcode };

	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), body, len);
	assert_int_equal(send(k->ours, buf, head.len, 0), head.len);
}

static void send_request(struct kernel *k, uint32_t opcode, uint32_t size, uint32_t flags)
{
	const struct fuse_write_in write = { .size = size, .flags = flags };

	send_body(k, opcode, &write, sizeof(write));
}

static bool is_free(struct kernel *k)
{
	if (pthread_mutex_trylock(&k->r.turn))
		return false;
	(void)pthread_mutex_unlock(&k->r.turn);
	return true;
}

static void receive(struct kernel *k)
{
	uint8_t buf[256];

	assert_true(receiver_read(&k->r, k->theirs, buf, sizeof(buf)) > 0);
}

/* Whether the turn is somebody else's to take once the request has been received. */
static bool passes_body(uint32_t opcode, const void *body, size_t len)
{
	struct kernel k;
	bool passed;

	kernel_new(&k);
	send_body(&k, opcode, body, len);
	receive(&k);
	passed = is_free(&k);
	receiver_pass(&k.r);
	assert_true(is_free(&k));
	kernel_free(&k);
	return passed;
}

static bool passes(uint32_t opcode, uint32_t size, uint32_t flags)
{
	const struct fuse_write_in write = { .size = size, .flags = flags };

	return passes_body(opcode, &write, sizeof(write));
}

static bool passes_setattr(uint32_t valid)
{
	const struct fuse_setattr_in set = { .valid = valid };

	return passes_body(FUSE_SETATTR, &set, sizeof(set));
}

static void what_lets_others_go_on_passes_the_turn(void **state)
{
	(void)state;
	assert_true(passes(FUSE_READ, 1 << 17, 0));
	assert_true(passes(FUSE_FSYNC, 0, 0));
	assert_true(passes(FUSE_FSYNCDIR, 0, 0));
	assert_true(passes(FUSE_FALLOCATE, 0, 0));
	assert_true(passes(FUSE_COPY_FILE_RANGE, 0, 0));
	assert_true(passes_setattr(FATTR_SIZE | FATTR_MTIME));
	assert_true(passes(FUSE_WRITE, 1 << 20, 0));
	/* with O_SYNC a write waits for the flush, which others may share */
	assert_true(passes(FUSE_WRITE, 4096, O_DSYNC));
	assert_true(passes(FUSE_WRITE, 4096, O_SYNC));
}

static void what_is_short_keeps_it(void **state)
{
	(void)state;
	assert_false(passes(FUSE_LOOKUP, 0, 0));
	assert_false(passes(FUSE_GETATTR, 0, 0));
	assert_false(passes(FUSE_FORGET, 0, 0));
	assert_false(passes(FUSE_UNLINK, 0, 0));
	assert_false(passes_setattr(FATTR_MTIME | FATTR_CTIME));
	assert_false(passes_setattr(FATTR_MODE));
	assert_false(passes(FUSE_WRITE, 4096, 0));
	assert_false(passes(FUSE_READ, 4096, 0));
}

static void one_of_several_reads_passes_the_turn(void **state)
{
	struct kernel k;

	(void)state;
	kernel_new(&k);
	send_request(&k, FUSE_READ, 4096, 0);
	send_request(&k, FUSE_READ, 4096, 0);
	receive(&k);
	assert_true(is_free(&k));
	receive(&k);
	assert_false(is_free(&k));
	kernel_free(&k);
}

static void pass_and_count(void *user)
{
	struct kernel *k = user;

	receiver_pass(&k->r);
	k->waits++;
}

static void a_read_that_waits_passes_the_turn_first(void **state)
{
	static const uint8_t content[BLOCK_BYTES] = "kept";
	uint8_t back[2 * BLOCK_BYTES];
	struct store_file file;
	struct kernel k;
	int fd = memfd_create("container", MFD_CLOEXEC);

	(void)state;
	kernel_new(&k);
	store_file_init(&file, fd);
	assert_int_equal(store_write(&file.store, 0, content, sizeof(content)), CV_OK);
	file.store.on_wait = pass_and_count;
	file.store.on_wait_user = &k;
	send_request(&k, FUSE_READ, 4096, 0);
	receive(&k);
	assert_false(is_free(&k));
	/* not all of it is there at once: nor ever */
	assert_int_equal(store_read(&file.store, 0, back, sizeof(back)), CV_ERR_IO);
	assert_int_equal(k.waits, 1);
	assert_true(is_free(&k));
	assert_int_equal(store_read(&file.store, 0, back, sizeof(content)), CV_OK);
	assert_memory_equal(back, content, sizeof(content));
	(void)close(fd);
	kernel_free(&k);
}

static void an_end_passes_the_turn(void **state)
{
	struct kernel k;
	uint8_t buf[256];

	(void)state;
	kernel_new(&k);
	send_request(&k, FUSE_LOOKUP, 0, 0);
	receive(&k);
	assert_false(is_free(&k));
	(void)shutdown(k.ours, SHUT_WR);
	assert_int_equal(receiver_read(&k.r, k.theirs, buf, sizeof(buf)), 0);
	assert_true(is_free(&k));
	kernel_free(&k);
}

static void nobody_looks_for_requests_that_are_rare(void **state)
{
	struct kernel k;

	(void)state;
	kernel_new(&k);
	send_request(&k, FUSE_LOOKUP, 0, 0);
	receive(&k);
	assert_false(k.r.lively); /* the first */
	k.r.last_ns -= 1000000000;
	send_request(&k, FUSE_LOOKUP, 0, 0);
	receive(&k);
	assert_false(k.r.lively);
	kernel_free(&k);
}

struct puller {
	struct kernel *k;
	pthread_t thread;
	unsigned got;
};

static void *pull(void *user)
{
	struct puller *p = user;
	uint8_t buf[256];

	while (receiver_read(&p->k->r, p->k->theirs, buf, sizeof(buf)) > 0)
		p->got++;
	receiver_pass(&p->k->r);
	return NULL;
}

/* Also run under SAN=thread. */
static void every_request_is_received_once(void **state)
{
	struct puller p[4] = { 0 };
	struct kernel k;
	unsigned got = 0;

	(void)state;
	kernel_new(&k);
	for (unsigned i = 0; i < 4; i++) {
		p[i].k = &k;
		assert_int_equal(pthread_create(&p[i].thread, NULL, pull, &p[i]), 0);
	}
	for (unsigned i = 0; i < 2000; i++)
		send_request(&k, i % 3 ? FUSE_LOOKUP : FUSE_READ, 0, 0);
	(void)shutdown(k.ours, SHUT_WR);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(p[i].thread, NULL), 0);
		got += p[i].got;
	}
	assert_int_equal(got, 2000);
	kernel_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lets_others_go_on_passes_the_turn),
		cmocka_unit_test(what_is_short_keeps_it),
		cmocka_unit_test(one_of_several_reads_passes_the_turn),
		cmocka_unit_test(a_read_that_waits_passes_the_turn_first),
		cmocka_unit_test(an_end_passes_the_turn),
		cmocka_unit_test(nobody_looks_for_requests_that_are_rare),
		cmocka_unit_test(every_request_is_received_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
