#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/front_conn.h"

#define THREADS 3

static void connect_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

static void a_connection_over_its_deadline_is_shut_down(void **state)
{
	struct front_conn *c = front_conn_self();
	uint32_t open, busy;
	int fds[2];
	char byte;

	(void)state;
	connect_pair(fds);
	front_conn_begin(c, fds[0], 1000);
	assert_int_equal(front_conn_expire(999), 0);
	front_conn_count(&open, &busy);
	assert_int_equal(open, 1);
	assert_int_equal(busy, 0);
	assert_int_equal(front_conn_expire(1000), 1);
	assert_int_equal(read(fds[1], &byte, 1), 0);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	/* once */
	assert_int_equal(front_conn_expire(2000), 0);
	front_conn_end(c);
	close(fds[0]);
	close(fds[1]);
}

static void a_later_deadline_keeps_it(void **state)
{
	struct front_conn *c = front_conn_self();
	uint32_t open, busy;
	int fds[2];

	(void)state;
	connect_pair(fds);
	front_conn_begin(c, fds[0], 1000);
	front_conn_deadline(c, 5000, true);
	assert_int_equal(front_conn_expire(1000), 0);
	front_conn_count(&open, &busy);
	assert_int_equal(busy, 1);
	front_conn_end(c);
	close(fds[0]);
	close(fds[1]);
}

/* The number may be another connection's by now. */
static void an_ended_connection_is_left_alone(void **state)
{
	struct front_conn *c = front_conn_self();
	int fds[2];

	(void)state;
	connect_pair(fds);
	front_conn_begin(c, fds[0], 1000);
	front_conn_end(c);
	assert_int_equal(front_conn_expire(UINT64_MAX), 0);
	assert_int_equal(write(fds[0], "x", 1), 1);
	close(fds[0]);
	close(fds[1]);
}

static void *get_self(void *arg)
{
	(void)arg;
	return front_conn_self();
}

static void each_thread_has_its_own_and_there_are_no_more(void **state)
{
	struct front_conn *mine = front_conn_self();
	void *others[THREADS];
	pthread_t thread;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&thread, NULL, get_self, NULL), 0);
		assert_int_equal(pthread_join(thread, &others[i]), 0);
		assert_ptr_not_equal(others[i], mine);
	}
	assert_ptr_equal(front_conn_self(), mine);
	assert_non_null(others[1]);
	assert_null(others[THREADS - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_over_its_deadline_is_shut_down),
		cmocka_unit_test(a_later_deadline_keeps_it),
		cmocka_unit_test(an_ended_connection_is_left_alone),
		cmocka_unit_test(each_thread_has_its_own_and_there_are_no_more),
	};

	if (front_conn_init(THREADS) != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
