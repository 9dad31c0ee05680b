#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/file.h"
#include "host/process.h"

static void run_shell(const char *script, const struct process_fd *fds, size_t count, int *status)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	struct process_spec spec = {
		.path = "/bin/sh", .argv = argv, .fds = fds, .fd_count = count
	};
	struct process p;

	assert_int_equal(process_spawn(&p, &spec), CV_OK);
	assert_int_equal(process_wait(&p, -1, status), CV_OK);
	assert_int_equal(p.pid, 0);
}

static void gives_the_child_its_descriptors_and_no_others(void **state)
{
	int pipes[2], leak, status;
	uint8_t out[256];
	size_t len = 0;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	leak = open("/dev/null", O_RDONLY); /* without close-on-exec, as a library might */
	const struct process_fd fds[] = { { pipes[1], 5 }, { pipes[1], 1 } };
	run_shell("ls -1 /proc/self/fd | grep -vc '^[0-2]$'; echo five >&5", fds, 2, &status);
	close(pipes[1]);
	close(leak);
	assert_int_equal(file_read_descriptor(pipes[0], out, sizeof(out) - 1, &len), CV_OK);
	out[len] = '\0';
	/* 5, and the directory that ls itself holds open */
	assert_string_equal((char *)out, "2\nfive\n");
	close(pipes[0]);
}

static void swaps_descriptors_without_losing_one(void **state)
{
	int a[2], b[2], status;
	char got[2];

	(void)state;
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	assert_int_equal(dup2(a[1], 8), 8);
	assert_int_equal(dup2(b[1], 9), 9);
	const struct process_fd swapped[] = { { 8, 9 }, { 9, 8 } };
	run_shell("printf a >&9; printf b >&8", swapped, 2, &status);
	assert_int_equal(read(a[0], got, 1), 1);
	assert_int_equal(read(b[0], got + 1, 1), 1);
	assert_memory_equal(got, "ab", 2);
	close(8);
	close(9);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void reports_a_program_that_is_not_there(void **state)
{
	char *argv[] = { "x", NULL };
	struct process_spec spec = { .path = "/nonexistent/x", .argv = argv };
	struct process p;

	(void)state;
	assert_int_equal(process_spawn(&p, &spec), CV_ERR_NOT_FOUND);
	spec.path = "/etc/passwd";
	assert_int_equal(process_spawn(&p, &spec), CV_ERR_PERMISSION);
	spec.path = "relative";
	assert_int_equal(process_spawn(&p, &spec), CV_ERR_ARGUMENT);
}

static void passes_no_foreign_environment(void **state)
{
	int status;

	(void)state;
	setenv("LD_PRELOAD_TEST", "1", 1);
	setenv("CONCLAVE_TEST", "2", 1);
	run_shell("test -z \"$LD_PRELOAD_TEST\" && test \"$CONCLAVE_TEST\" = 2", NULL, 0, &status);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_wait_with_a_deadline_leaves_the_child_running(void **state)
{
	char *argv[] = { "cat", NULL };
	char text[PROCESS_STATUS_BUF];
	int pipes[2], status = 0;
	struct process p;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	const struct process_fd in = { pipes[0], 0 };
	struct process_spec spec = { .path = "/bin/cat", .argv = argv, .fds = &in, .fd_count = 1 };
	assert_int_equal(process_spawn(&p, &spec), CV_OK);
	assert_int_equal(process_wait(&p, 0, &status), CV_ERR_TIMEOUT);
	assert_int_equal(process_signal(&p, SIGKILL), CV_OK);
	assert_int_equal(process_wait(&p, -1, &status), CV_OK);
	assert_string_equal(process_status_text(text, status), "killed by SIGKILL");
	assert_int_equal(process_signal(&p, SIGKILL), CV_ERR_NOT_FOUND);
	close(pipes[0]);
	close(pipes[1]);
}

static void signals_come_as_a_descriptor(void **state)
{
	const int signals[] = { SIGUSR1, 0 };
	struct pollfd p = { .events = POLLIN };
	int status;

	(void)state;
	assert_int_equal(process_signal_fd(&p.fd, signals), CV_OK);
	assert_int_equal(process_signal_read(p.fd), 0);
	kill(getpid(), SIGUSR1);
	assert_int_equal(poll(&p, 1, -1), 1);
	assert_int_equal(process_signal_read(p.fd), SIGUSR1);
	/* a child does not inherit the mask */
	run_shell("kill -USR1 $$; exit 0", NULL, 0, &status);
	assert_true(WIFSIGNALED(status));
	close(p.fd);
}

static void finds_a_named_program_or_none(void **state)
{
	char path[256];

	(void)state;
	setenv("CONCLAVE_X", "/bin/cat", 1);
	assert_int_equal(process_find_program(path, sizeof(path), "CONCLAVE_X", "sh"), CV_OK);
	assert_string_equal(path, "/bin/cat");
	setenv("CONCLAVE_X", "/bin/none-such", 1);
	assert_int_equal(
		process_find_program(path, sizeof(path), "CONCLAVE_X", "sh"), CV_ERR_NOT_FOUND);
	unsetenv("CONCLAVE_X");
	assert_int_equal(
		process_find_program(path, sizeof(path), "CONCLAVE_X", "test_process"), CV_OK);
	assert_string_equal(strrchr(path, '/'), "/test_process");
	assert_int_equal(
		process_find_program(path, sizeof(path), "CONCLAVE_X", "no-such"), CV_ERR_NOT_FOUND);
}

static void nobody_traces_the_tests(void **state)
{
	(void)state;
	assert_false(process_is_traced());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_child_its_descriptors_and_no_others),
		cmocka_unit_test(swaps_descriptors_without_losing_one),
		cmocka_unit_test(reports_a_program_that_is_not_there),
		cmocka_unit_test(passes_no_foreign_environment),
		cmocka_unit_test(a_wait_with_a_deadline_leaves_the_child_running),
		cmocka_unit_test(signals_come_as_a_descriptor),
		cmocka_unit_test(finds_a_named_program_or_none),
		cmocka_unit_test(nobody_traces_the_tests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
