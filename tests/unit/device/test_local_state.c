#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/boot_key.h"
#include "device/control.h"
#include "device/counter.h"
#include "device/mount_record.h"
#include "device/platform.h"
#include "host/file.h"
#include "protocol/crypto.h"
#include "tests/unit/support/temp_dir.h"

static const uint8_t boot_one[CV_BOOT_ID_BYTES] = { 1 };
static const uint8_t boot_two[CV_BOOT_ID_BYTES] = { 2 };

static void the_event_counter_only_grows(void **state)
{
	uint64_t value = 0;

	for (uint64_t want = 1; want <= 3; want++) {
		assert_int_equal(counter_next(&value, *state), CV_OK);
		assert_int_equal(value, want);
	}
}

static void a_damaged_counter_is_never_started_again(void **state)
{
	static const char *const bad[] = { "", "x\n", "-1\n", "12x\n", "99999999999999999999\n",
		"9007199254740991\n" };
	uint64_t value = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(file_write_atomic(temp_path(state, "counter"), bad[i],
					 strlen(bad[i]), 0600),
			CV_OK);
		assert_int_not_equal(counter_next(&value, *state), CV_OK);
		assert_int_equal(value, 7);
	}
}

static void boots_are_counted_once_each(void **state)
{
	uint64_t boots = 0;

	assert_int_equal(counter_boots(&boots, *state, boot_one), CV_OK);
	assert_int_equal(boots, 1);
	assert_int_equal(counter_boots(&boots, *state, boot_one), CV_OK);
	assert_int_equal(boots, 1);
	assert_int_equal(counter_boots(&boots, *state, boot_two), CV_OK);
	assert_int_equal(boots, 2);
	assert_int_equal(
		file_write_atomic(temp_path(state, "boots"), "garbage", 7, 0600), CV_OK);
	assert_int_equal(counter_boots(&boots, *state, boot_two), CV_ERR_FORMAT);
}

static void one_boot_has_one_key(void **state)
{
	struct boot_key one, again, two;

	assert_int_equal(crypto_init(), CV_OK);
	assert_int_equal(boot_key_load(&one, *state, *state, boot_one), CV_OK);
	assert_int_equal(boot_key_load(&again, *state, *state, boot_one), CV_OK);
	assert_memory_equal(&one, &again, sizeof(one));
	assert_int_equal(boot_key_load(&two, *state, *state, boot_two), CV_OK);
	assert_memory_not_equal(one.public_key, two.public_key, CV_X25519_BYTES);
	assert_int_equal(boot_key_forget(*state, *state), CV_OK);
	assert_int_equal(boot_key_forget(*state, *state), CV_OK);
	assert_int_equal(boot_key_load(&again, *state, *state, boot_two), CV_OK);
	assert_memory_not_equal(again.public_key, two.public_key, CV_X25519_BYTES);
	assert_int_equal(boot_key_forget(*state, *state), CV_OK);
}

static void the_boot_key_never_touches_a_disk(void **state)
{
	struct boot_key key;
	struct stat st;

	if (file_check_ram(*state) == CV_OK)
		skip(); /* /tmp is RAM on this machine: then the run directory is right */
	assert_int_equal(crypto_init(), CV_OK);
	assert_int_equal(boot_key_load(&key, *state, *state, boot_one), CV_OK);
	assert_int_equal(stat(temp_path(state, "boot.key"), &st), -1);
	assert_int_equal(boot_key_forget(*state, *state), CV_OK);
}

static void remembers_what_is_mounted(void **state)
{
	struct mount_record r = { .container = "/c", .mount_point = "/m" }, got;

	assert_int_equal(mount_record_read(&got, *state), CV_ERR_NOT_FOUND);
	assert_int_equal(mount_record_write(*state, &r), CV_OK);
	assert_int_equal(mount_record_read(&got, *state), CV_OK);
	assert_string_equal(got.container, "/c");
	assert_string_equal(got.mount_point, "/m");
	mount_record_remove(*state);
	assert_int_equal(mount_record_read(&got, *state), CV_ERR_NOT_FOUND);
}

static void asks_and_answers_over_the_socket(void **state)
{
	char text[CONTROL_TEXT_MAX];
	int listener = -1, client = -1, code = 0;

	assert_int_equal(control_ask(&code, text, *state, "status"), CV_ERR_NOT_FOUND);
	assert_int_equal(control_listen(&listener, *state), CV_OK);
	pid_t pid = fork();
	if (pid == 0) {
		if (control_accept(&client, text, listener) != CV_OK || strcmp(text, "status") != 0)
			_exit(1);
		control_answer(client, 22, "in use: yes");
		_exit(0);
	}
	assert_int_equal(control_ask(&code, text, *state, "status"), CV_OK);
	assert_int_equal(code, 22);
	assert_string_equal(text, "in use: yes");
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(listener);
	/* the watcher is gone, its socket is still there */
	assert_int_equal(control_ask(&code, text, *state, "status"), CV_ERR_NOT_FOUND);
}

static void the_run_directory_is_ours_alone(void **state)
{
	const char *dir = temp_path(state, "run");

	assert_int_equal(control_run_dir(dir), CV_OK);
	assert_int_equal(control_run_dir(dir), CV_OK);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(control_run_dir(dir), CV_ERR_PERMISSION);
}

static void a_long_run_directory_is_refused_not_cut(void **state)
{
	char dir[200] = "/tmp/";
	int fd = -1;

	(void)state;
	memset(dir + 5, 'x', sizeof(dir) - 6);
	assert_int_equal(control_listen(&fd, dir), CV_ERR_TOO_LONG);
}

static void measures_files_byte_for_byte(void **state)
{
	const char *path = temp_path(state, "f");
	char *big = malloc(200001);
	uint8_t got[CV_HASH_BYTES], want[CV_HASH_BYTES];

	memset(big, 'x', 200001);
	const struct crypto_part part = { big, 200001 };
	assert_int_equal(file_write_atomic(path, big, 200001, 0600), CV_OK);
	assert_int_equal(platform_digest_file(got, path), CV_OK);
	assert_int_equal(crypto_sha256(want, &part, 1), CV_OK);
	assert_memory_equal(got, want, CV_HASH_BYTES);
	assert_int_equal(platform_digest_file(got, *state), CV_ERR_TYPE);
	assert_int_equal(platform_digest_file(got, "/nonexistent"), CV_ERR_NOT_FOUND);
	free(big);
}

static void the_evidence_says_what_is_true(void **state)
{
	struct settings s = { .iat = SETTINGS_IAT_NEVER };
	struct evidence_platform p;

	strcpy(s.measures[0].name, "self");
	strcpy(s.measures[0].path, "/proc/self/exe");
	s.measure_count = 1;
	assert_int_equal(platform_collect(&p, &s, *state, "", boot_one), CV_OK);
	assert_int_equal(p.digest_count, 2);
	assert_string_equal(p.digests[0].name, "conclave-device");
	assert_memory_equal(p.digests[0].value, p.digests[1].value, CV_HASH_BYTES);
	assert_int_equal(p.bootcount, 1);
	assert_int_equal(p.iat_s, 0);
	assert_int_equal(p.dbgstat, EVIDENCE_DEBUG_DISABLED);
	assert_false(p.has_place || p.has_region);
	/* one name, two files: which one is meant? */
	strcpy(s.measures[0].name, "conclave-device");
	assert_int_equal(platform_collect(&p, &s, *state, "", boot_one), CV_ERR_CONFIG);
	strcpy(s.measures[0].path, "/nonexistent");
	strcpy(s.measures[0].name, "kernel");
	assert_int_equal(platform_collect(&p, &s, *state, "", boot_one), CV_ERR_NOT_FOUND);
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_dir_setup, temp_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_event_counter_only_grows),
		T(a_damaged_counter_is_never_started_again),
		T(boots_are_counted_once_each),
		T(one_boot_has_one_key),
		T(the_boot_key_never_touches_a_disk),
		T(remembers_what_is_mounted),
		T(asks_and_answers_over_the_socket),
		T(the_run_directory_is_ours_alone),
		T(a_long_run_directory_is_refused_not_cut),
		T(measures_files_byte_for_byte),
		T(the_evidence_says_what_is_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
