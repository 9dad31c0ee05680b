#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"
#include "host/ready.h"
#include "host/secret.h"

static int saved_stderr;
static int log_pipe[2];

static void capture_begin(void)
{
	assert_int_equal(pipe(log_pipe), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(log_pipe[1], STDERR_FILENO);
}

/* What was logged since, NUL-terminated. */
static void capture_end(char *out, size_t cap)
{
	size_t len = 0;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(log_pipe[1]);
	assert_int_equal(file_read_descriptor(log_pipe[0], (uint8_t *)out, cap - 1, &len), CV_OK);
	close(log_pipe[0]);
	out[len] = '\0';
}

static void one_event_is_one_line(void **state)
{
	char out[4096];

	(void)state;
	log_init("prog");
	capture_begin();
	log_error("gateway %s: no answer: %s", "g2", "a\nprog: error: forged\x1b[31m\x7f\xc2\x9b");
	log_info("caf\xc3\xa9 \xff");
	log_debug("not shown");
	capture_end(out, sizeof(out));
	assert_string_equal(out,
		"prog: error: gateway g2: no answer: a\\x0aprog: error: forged\\x1b[31m\\x7f\\xc2\\x9b\n"
		"prog: caf\xc3\xa9 \\xff\n");
}

static void levels_are_obeyed(void **state)
{
	char out[4096];

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	capture_begin();
	log_warning("no");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("yes");
	log_set_level(LOG_LEVEL_INFO);
	capture_end(out, sizeof(out));
	assert_string_equal(out, "prog: debug: yes\n");
}

static void long_lines_are_cut_not_split(void **state)
{
	char text[3000], out[4096];

	(void)state;
	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	capture_begin();
	log_error("%s", text);
	capture_end(out, sizeof(out));
	assert_true(strlen(out) < LOG_LINE_MAX + 64);
	assert_string_equal(out + strlen(out) - 4, "...\n");
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void secret_memory_is_zero_locked_and_accounted(void **state)
{
	static const uint8_t zero[100];
	const struct rlimit tiny = { 4096, 4096 };
	struct rlimit limit;
	uint8_t *p;

	(void)state;
	assert_int_equal(secret_process_init(), CV_OK);
	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 0);
	p = secret_alloc(100);
	assert_non_null(p);
	assert_memory_equal(p, zero, 100);
	memset(p, 7, 100);
	secret_free(p);
	secret_free(NULL);
#if defined(__SANITIZE_ADDRESS__)
	(void)tiny; /* AddressSanitizer turns mlock into nothing */
#else
	/* a lock that cannot be had is an error that names the limit; root has no limit */
	if (fork() == 0) {
		setrlimit(RLIMIT_MEMLOCK, &tiny);
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(3);
		_exit(secret_alloc(65536) == NULL &&
					strstr(secret_last_error(), "RLIMIT_MEMLOCK") != NULL ?
				0 :
				1);
	}
	int status = -1;
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
#endif
}

static void exit_codes_say_why(void **state)
{
	(void)state;
	assert_int_equal(exit_code_of(CV_OK), 0);
	assert_int_equal(exit_code_of(CV_ERR_TOO_FEW), 10);
	assert_int_equal(exit_code_of(CV_ERR_DENIED), 11);
	assert_int_equal(exit_code_of(CV_ERR_TAMPERED), 20);
	assert_int_equal(exit_code_of(CV_ERR_FUSE), 30);
	for (int e = 1; e < CV_ERR_COUNT_; e++)
		assert_int_not_equal(exit_code_of((enum cv_err)e), 0);
}

static void clocks_run_forwards(void **state)
{
	uint8_t one[CV_BOOT_ID_BYTES], two[CV_BOOT_ID_BYTES], zero[CV_BOOT_ID_BYTES] = { 0 };
	char text[CLOCK_TEXT_BUF];
	uint64_t t = clock_monotonic_ms();

	(void)state;
	assert_true(clock_monotonic_ms() >= t);
	assert_int_equal(clock_boot_id(one), CV_OK);
	assert_int_equal(clock_boot_id(two), CV_OK);
	assert_memory_equal(one, two, sizeof(one));
	assert_memory_not_equal(one, zero, sizeof(one));
	clock_format_utc(text, 951782400);
	assert_string_equal(text, "2000-02-29T00:00:00Z");
	clock_format_utc(text, -1);
	assert_string_equal(text, "invalid-time");
}

static void ready_without_systemd_is_silent(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(ready_notify("READY=1"), CV_OK);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_not_equal(ready_notify("READY=1"), CV_OK);
	unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_is_one_line),
		cmocka_unit_test(levels_are_obeyed),
		cmocka_unit_test(long_lines_are_cut_not_split),
		cmocka_unit_test(secret_memory_is_zero_locked_and_accounted),
		cmocka_unit_test(exit_codes_say_why),
		cmocka_unit_test(clocks_run_forwards),
		cmocka_unit_test(ready_without_systemd_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
