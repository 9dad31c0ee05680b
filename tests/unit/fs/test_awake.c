/* Idle states: limited while requests come one behind the other, left alone otherwise. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/awake.h"
#include "tests/unit/fs/support.h"

#define SOON 100000u /* ns */
#define LATE 5000000u
#define ROW 16
#define LIMIT 2
#define NO_LIMIT 2000000000

/* With a file in the place of the device: what is written to it, one after the other. */
struct system {
	struct awake a;
	int written; /* the same file */
	int requests[2];
};

static void system_new(struct system *s)
{
	int fd = memfd_create("cpu_dma_latency", MFD_CLOEXEC);

	assert_true(fd >= 0);
	awake_init(&s->a, false);
	s->a.fd = fd;
	s->a.limit_us = LIMIT;
	s->written = dup(fd);
	assert_true(s->written >= 0);
	assert_int_equal(pipe2(s->requests, O_CLOEXEC), 0);
}

static void system_free(struct system *s)
{
	awake_wipe(&s->a);
	(void)close(s->written);
	(void)close(s->requests[0]);
	(void)close(s->requests[1]);
}

static void assert_written(struct system *s, const int32_t *values, size_t count)
{
	int32_t got[4];

	assert_int_equal(pread(s->written, got, sizeof(got), 0), count * sizeof(got[0]));
	if (count)
		assert_memory_equal(got, values, count * sizeof(got[0]));
}

static void requests(struct system *s, unsigned count, uint64_t after_ns)
{
	while (count--)
		awake_request(&s->a, after_ns);
}

static void a_row_limits_once(void **state)
{
	static const int32_t values[] = { LIMIT };
	struct system s;

	(void)state;
	system_new(&s);
	requests(&s, ROW - 1, SOON);
	assert_written(&s, NULL, 0);
	requests(&s, 100, SOON);
	assert_written(&s, values, 1);
	system_free(&s);
}

static void requests_with_pauses_are_no_row(void **state)
{
	struct system s;

	(void)state;
	system_new(&s);
	for (unsigned i = 0; i < 10; i++) {
		requests(&s, ROW - 1, SOON);
		requests(&s, 1, LATE);
	}
	assert_written(&s, NULL, 0);
	system_free(&s);
}

static void the_end_of_a_row_takes_the_limit_back(void **state)
{
	static const int32_t values[] = { LIMIT, NO_LIMIT, LIMIT };
	struct system s;

	(void)state;
	system_new(&s);
	awake_wait(&s.a, s.requests[0]); /* does not hold: does not wait, writes nothing */
	requests(&s, ROW, SOON);
	assert_int_equal(write(s.requests[1], "r", 1), 1);
	awake_wait(&s.a, s.requests[0]);
	assert_written(&s, values, 1);
	assert_int_equal(read(s.requests[0], &(char){ 0 }, 1), 1);
	awake_wait(&s.a, s.requests[0]);
	assert_written(&s, values, 2);
	requests(&s, 1, LATE);
	requests(&s, ROW, SOON);
	assert_written(&s, values, 3);
	system_free(&s);
}

static void a_device_that_takes_nothing_is_let_go(void **state)
{
	struct system s;

	(void)state;
	system_new(&s);
	(void)close(s.a.fd);
	s.a.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	requests(&s, 2 * ROW, SOON);
	assert_int_equal(s.a.fd, -1);
	assert_false(s.a.held);
	awake_wait(&s.a, s.requests[0]);
	system_free(&s);
}

static void who_does_not_want_it_opens_nothing(void **state)
{
	struct awake a;

	(void)state;
	awake_init(&a, false);
	assert_int_equal(a.fd, -1);
	for (unsigned i = 0; i < 2 * ROW; i++)
		awake_request(&a, SOON);
	assert_false(a.held);
	awake_wipe(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_limits_once),
		cmocka_unit_test(requests_with_pauses_are_no_row),
		cmocka_unit_test(the_end_of_a_row_takes_the_limit_back),
		cmocka_unit_test(a_device_that_takes_nothing_is_let_go),
		cmocka_unit_test(who_does_not_want_it_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
