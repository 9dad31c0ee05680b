#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/file.h"
#include "host/jsonfile.h"
#include "host/ready.h"
#include "protocol/json_get.h"
#include "tests/unit/support/temp_dir.h"

static enum cv_err read_text(void **state, const char *text, size_t len, size_t limit)
{
	const char *path = temp_path(state, "doc.json");
	struct cJSON *doc = NULL;
	enum cv_err err;

	assert_int_equal(file_write_atomic(path, text, len, 0600), CV_OK);
	err = jsonfile_read(&doc, path, limit);
	json_free(doc);
	return err;
}

static void reads_what_it_wrote(void **state)
{
	const char *path = temp_path(state, "doc.json");
	cJSON *doc = cJSON_CreateObject(), *got = NULL;
	uint64_t v = 0;

	cJSON_AddNumberToObject(doc, "v", 7);
	assert_int_equal(jsonfile_write(path, doc, 0600), CV_OK);
	cJSON_Delete(doc);
	assert_int_equal(jsonfile_read(&got, path, 1000), CV_OK);
	assert_int_equal(json_get_u64(got, "v", 0, 10, &v), CV_OK);
	assert_int_equal(v, 7);
	json_free(got);
}

static void is_as_strict_as_the_wire(void **state)
{
	static const char *const bad[] = { "", "[]", "{\"a\":1,\"a\":2}", "{\"a\":1.0}", "{} x",
		"{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}", "{\"a\":" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(read_text(state, bad[i], strlen(bad[i]), 1000), CV_OK);
	assert_int_not_equal(read_text(state, "{}\0", 3, 1000), CV_OK);
	assert_int_equal(read_text(state, "{}\n", 3, 1000), CV_OK);
	assert_int_equal(read_text(state, "{\"a\":1}", 7, 6), CV_ERR_TOO_LONG);
}

static void tells_systemd(void **state)
{
	const char *path = temp_path(state, "notify");
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char got[64] = "";

	strcpy(at.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(ready_notify("READY=1"), CV_OK);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(recv(fd, got, sizeof(got), 0), 7);
	assert_string_equal(got, "READY=1");
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_dir_setup, temp_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_what_it_wrote),
		T(is_as_strict_as_the_wire),
		T(tells_systemd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
