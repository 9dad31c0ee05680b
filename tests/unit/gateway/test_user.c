#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/user.h"
#include "host/log.h"

static enum cv_err double_it(void *argument, void *result)
{
	*(int *)result = 2 * *(int *)argument;
	return CV_OK;
}

static enum cv_err refuse(void *argument, void *result)
{
	(void)argument;
	(void)result;
	return CV_ERR_MISMATCH;
}

static enum cv_err crash(void *argument, void *result)
{
	(void)argument;
	(void)result;
	raise(SIGKILL);
	return CV_OK;
}

static void a_step_carries_its_result_back(void **state)
{
	int in = 21, out = 0;

	(void)state;
	assert_int_equal(user_run(NULL, double_it, &in, &out, sizeof(out)), CV_OK);
	assert_int_equal(out, 42);
}

static void a_step_carries_its_error_back(void **state)
{
	int out = 7;

	(void)state;
	assert_int_equal(user_run(NULL, refuse, NULL, &out, sizeof(out)), CV_ERR_MISMATCH);
	assert_int_equal(user_run(NULL, refuse, NULL, NULL, 0), CV_ERR_MISMATCH);
}

static void a_step_that_dies_is_an_error(void **state)
{
	int out = 0;

	(void)state;
	assert_int_equal(user_run(NULL, crash, NULL, &out, sizeof(out)), CV_ERR_INTERNAL);
	assert_int_equal(user_run(NULL, crash, NULL, NULL, 0), CV_ERR_INTERNAL);
}

static void a_user_that_does_not_exist_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(
		user_run("no-such-user", double_it, NULL, NULL, 0), CV_ERR_NOT_FOUND);
	/* root is not a user to be confined to */
	assert_int_equal(user_run("root", double_it, NULL, NULL, 0), CV_ERR_NOT_FOUND);
}

static void a_private_directory_keeps_the_roles_together(void **state)
{
	char dir[] = "/tmp/conclave-test-XXXXXX", inside[64];

	(void)state;
	assert_non_null(mkdtemp(dir)); /* 0700 */
	snprintf(inside, sizeof(inside), "%s/state", dir);
	assert_false(user_separation(inside));
	assert_false(user_separation("relative"));
	assert_null(user_for_role(inside, "conclave-keeper"));
	assert_int_equal(rmdir(dir), 0);
}

static void directories_are_private_and_links_are_not_followed(void **state)
{
	char dir[] = "/tmp/conclave-test-XXXXXX", path[64], link[64];
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/d", dir);
	snprintf(link, sizeof(link), "%s/l", dir);
	assert_int_equal(user_directory(path, NULL), CV_OK);
	assert_int_equal(user_directory(path, NULL), CV_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(user_own_file(link, "nobody"), CV_ERR_PERMISSION);
	assert_int_equal(user_own_file("/no/such/file", "nobody"), CV_OK);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_carries_its_result_back),
		cmocka_unit_test(a_step_carries_its_error_back),
		cmocka_unit_test(a_step_that_dies_is_an_error),
		cmocka_unit_test(a_user_that_does_not_exist_is_an_error),
		cmocka_unit_test(a_private_directory_keeps_the_roles_together),
		cmocka_unit_test(directories_are_private_and_links_are_not_followed),
	};

	log_init("test_user");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
