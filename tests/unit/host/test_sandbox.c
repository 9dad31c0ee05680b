#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/sandbox.h"
#include "tests/unit/support/temp_dir.h"

#if defined(__SANITIZE_ADDRESS__)
#define MODE SANDBOX_BEST_EFFORT
#define FILTERED false
#else
#define MODE SANDBOX_REQUIRE
#define FILTERED true
#endif

static const char *test_dir;

/* Runs `act` (0: all is well) in a child inside the profile; returns its wait status. */
static int inside(enum sandbox_profile profile, int (*act)(void))
{
	const struct sandbox_path paths[] = { { test_dir, true } };
	struct sandbox_spec spec = {
		.mode = MODE, .profile = profile, .paths = paths, .path_count = 1
	};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter(&spec) != CV_OK)
			_exit(100);
		_exit(act());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void works(enum sandbox_profile profile, int (*act)(void))
{
	int status = inside(profile, act);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void ends_the_process(enum sandbox_profile profile, int (*act)(void))
{
	int status = inside(profile, act);

	if (!FILTERED)
		return;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int no_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 || !FILTERED ? 0 : 1;
}

static int makes_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int no_listening(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && (listen(fd, 1) < 0 || !FILTERED) ? 0 : 1;
}

static int opens_nothing(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && open("/dev/null", O_RDONLY) < 0 ? 0 : 1;
}

static int opens_only_its_paths(void)
{
	char path[256];

	strcpy(path, test_dir);
	strcat(path, "/new");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || unlink(path) != 0)
		return 1;
	if (open("/etc/passwd", O_RDONLY) >= 0)
		return 2;
	return open("/tmp/conclave-outside", O_RDWR | O_CREAT, 0600) < 0 ? 0 : 3;
}

static int runs_a_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 0;
}

static int traces(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int threads_yes_processes_no(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
		return 1;
	if (!FILTERED)
		return 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid < 0 ? 0 : 2;
}

/* chown is in the list of the keeper: only a capability that is gone can stop it. */
static int gives_no_file_away(void)
{
	return chown(test_dir, 12345, 12345) != 0 ? 0 : 1;
}

static void a_volume_process_has_nothing_but_its_descriptors(void **state)
{
	test_dir = *state;
	works(SANDBOX_VOLUME, no_socket);
	works(SANDBOX_VOLUME, opens_nothing);
	works(SANDBOX_VOLUME, threads_yes_processes_no);
	ends_the_process(SANDBOX_VOLUME, runs_a_program);
	ends_the_process(SANDBOX_VOLUME, traces);
}

static void a_keeper_has_its_files_and_no_network(void **state)
{
	test_dir = *state;
	works(SANDBOX_KEEPER, no_socket);
	works(SANDBOX_KEEPER, opens_only_its_paths);
	works(SANDBOX_KEEPER, threads_yes_processes_no);
	works(SANDBOX_KEEPER, gives_no_file_away);
	ends_the_process(SANDBOX_KEEPER, runs_a_program);
}

static void a_sender_calls_out_but_does_not_listen(void **state)
{
	test_dir = *state;
	works(SANDBOX_SENDER, makes_socket);
	works(SANDBOX_SENDER, no_listening);
	works(SANDBOX_SENDER, opens_only_its_paths);
	ends_the_process(SANDBOX_SENDER, runs_a_program);
}

static void a_front_has_network_and_no_programs(void **state)
{
	test_dir = *state;
	works(SANDBOX_FRONT, makes_socket);
	works(SANDBOX_FRONT, opens_only_its_paths);
	ends_the_process(SANDBOX_FRONT, runs_a_program);
}

static int mounts_nothing(void)
{
	return mount("none", test_dir, "tmpfs", 0, NULL) != 0 ? 0 : 1;
}

/* Not a mount point: an answer of the kernel, not of the filter (which says EPERM). */
static int may_unmount(void)
{
	return umount2(test_dir, UMOUNT_NOFOLLOW) != 0 && errno == EINVAL ? 0 : 1;
}

static void a_watcher_calls_out_and_unmounts_and_starts_nothing(void **state)
{
	test_dir = *state;
	works(SANDBOX_WATCHER, makes_socket);
	works(SANDBOX_WATCHER, no_listening);
	works(SANDBOX_WATCHER, threads_yes_processes_no);
	works(SANDBOX_WATCHER, gives_no_file_away);
	if (FILTERED)
		works(SANDBOX_WATCHER, mounts_nothing);
	if (geteuid() == 0)
		works(SANDBOX_WATCHER, may_unmount);
	ends_the_process(SANDBOX_WATCHER, runs_a_program);
	ends_the_process(SANDBOX_WATCHER, traces);
}

static void a_monitor_starts_programs_but_traces_none(void **state)
{
	test_dir = *state;
	works(SANDBOX_MONITOR, runs_a_program);
}

static void a_path_that_is_missing_is_named(void **state)
{
	const struct sandbox_path paths[] = { { "/nonexistent/store", true } };
	struct sandbox_spec spec = { .mode = SANDBOX_REQUIRE, .profile = SANDBOX_KEEPER,
		.paths = paths, .path_count = 1 };
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(sandbox_enter(&spec) == CV_ERR_PERMISSION && sandbox_warning() != NULL &&
					strstr(sandbox_warning(), "/nonexistent/store") != NULL ?
				0 :
				1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_user_that_is_unknown_is_never_optional(void **state)
{
	struct sandbox_spec spec = { .mode = SANDBOX_BEST_EFFORT, .profile = SANDBOX_KEEPER,
		.user = "no-such-user-here" };

	(void)state;
	assert_int_equal(sandbox_enter(&spec), CV_ERR_NOT_FOUND);
	assert_non_null(sandbox_warning());
}

static void modes_have_two_words(void **state)
{
	enum sandbox_mode mode = SANDBOX_BEST_EFFORT;

	(void)state;
	assert_int_equal(sandbox_mode_parse(&mode, "require"), CV_OK);
	assert_int_equal(mode, SANDBOX_REQUIRE);
	assert_int_equal(sandbox_mode_parse(&mode, "best-effort"), CV_OK);
	assert_int_equal(mode, SANDBOX_BEST_EFFORT);
	assert_int_equal(sandbox_mode_parse(&mode, "off"), CV_ERR_CONFIG);
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_dir_setup, temp_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_volume_process_has_nothing_but_its_descriptors),
		T(a_keeper_has_its_files_and_no_network),
		T(a_sender_calls_out_but_does_not_listen),
		T(a_front_has_network_and_no_programs),
		T(a_watcher_calls_out_and_unmounts_and_starts_nothing),
		T(a_monitor_starts_programs_but_traces_none),
		cmocka_unit_test(a_path_that_is_missing_is_named),
		cmocka_unit_test(a_user_that_is_unknown_is_never_optional),
		cmocka_unit_test(modes_have_two_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
