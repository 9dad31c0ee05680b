#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mount.h>

#include "device/mount_table.h"
#include "device/mount_words.h"

static struct settings taken(const char *list)
{
	struct settings s = { .mount_flags = MS_NODEV | MS_NOSUID, .allow_other = true };
	char bad[MOUNT_WORD_MAX];

	assert_int_equal(mount_words_settings(&s, list, true, bad), CV_OK);
	return s;
}

static void the_last_word_wins(void **state)
{
	struct settings s = taken("ro,rw,ro,noallow_other,allow_other,dev,nodev,suid,exec,noexec");

	(void)state;
	assert_true(s.read_only);
	assert_true(s.allow_other);
	assert_int_equal(s.mount_flags, MS_NODEV | MS_NOEXEC);
	assert_int_equal(taken("sync,suid").mount_flags, MS_NODEV | MS_SYNCHRONOUS);
}

static void defaults_of_mount_come_through_spelled_out(void **state)
{
	(void)state;
	assert_int_equal(taken("dev=on").mount_flags, MS_NOSUID);
	assert_int_equal(taken("suid=on").mount_flags, MS_NODEV);
	assert_string_equal(taken("atime=on").volume_words, "atime");
}

static void sizes_and_times_have_units(void **state)
{
	(void)state;
	assert_int_equal(taken("cache=16M").cache_mib, 16);
	assert_int_equal(taken("cache=2GiB").cache_mib, 2048);
	assert_string_equal(taken("idle=10m").volume_words, "idle=600");
	assert_string_equal(taken("idle=90").volume_words, "idle=90");
	assert_string_equal(
		taken("atime,log_paths,idle=1h").volume_words, "atime,log_paths,idle=3600");
	assert_string_equal(taken("relatime").volume_words, "atime");
	assert_string_equal(taken("power=save").volume_words, "power=save");
}

static void what_is_for_others_does_nothing(void **state)
{
	struct settings none = taken("");
	struct settings s = taken("defaults,_netdev,nofail,noauto,x-systemd.automount,X-a.b=c,user,"
				  "comment=a b,,");

	(void)state;
	assert_memory_equal(&s, &none, sizeof(s));
}

static void a_word_that_is_not_understood_is_named(void **state)
{
	static const char *const wrong[] = { "nonsense", "cache=", "cache=16", "cache=0M",
		"cache=16MB", "cache=5G", "cache=99999999999999999999M", "idle=", "idle=0",
		"idle=500ms", "idle=9000h", "idle=x", "ro ", " ro", "RO", "x", "atime=1", "exec=on", "suid=off" };
	char bad[MOUNT_WORD_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct settings s = { .cache_mib = 0 };
		char list[64];

		snprintf(list, sizeof(list), "rw,%s,ro", wrong[i]);
		assert_int_equal(mount_words_settings(&s, list, true, bad), CV_ERR_ARGUMENT);
		assert_string_equal(bad, wrong[i]);
	}
}

static void places_are_for_the_command_line_only(void **state)
{
	static const char list[] = "run=/r,state=/s,config=/c,timeout=5m,key_fd=7,accept_older,ro";
	struct options o = { .key_fd = -1, .recovery_fd = -1 };
	struct settings s = { .cache_mib = 0 };
	char bad[MOUNT_WORD_MAX], copy[sizeof(list)];

	(void)state;
	memcpy(copy, list, sizeof(list));
	assert_int_equal(mount_words_options(&o, copy), CV_OK);
	assert_string_equal(o.run_dir, "/r");
	assert_string_equal(o.state_dir, "/s");
	assert_string_equal(o.config_file, "/c");
	assert_true(o.config_named && o.accept_older);
	assert_int_equal(o.timeout_ms, 300000);
	assert_int_equal(o.key_fd, 7);
	assert_int_equal(mount_words_settings(&s, list, true, bad), CV_OK);
	assert_int_equal(mount_words_settings(&s, list, false, bad), CV_ERR_ARGUMENT);
	assert_string_equal(bad, "run=/r");
}

static void endless_words_do_not_overflow(void **state)
{
	static char list[100000];
	char bad[MOUNT_WORD_MAX];
	struct settings s = { .cache_mib = 0 };

	(void)state;
	for (size_t i = 0; i + 6 < sizeof(list); i += 6)
		memcpy(list + i, "atime,", 6);
	assert_int_equal(mount_words_settings(&s, list, true, bad), CV_ERR_ARGUMENT);
	memset(list, 'a', sizeof(list) - 1);
	assert_int_equal(mount_words_settings(&s, list, true, bad), CV_ERR_ARGUMENT);
	assert_int_equal(strlen(bad), MOUNT_WORD_MAX - 1);
}

static bool line_is(const char *text, const char *want_point, const char *want_container)
{
	char line[512], *point = NULL, *container = NULL;

	snprintf(line, sizeof(line), "%s", text);
	return mount_table_line(line, &point, &container) && strcmp(point, want_point) == 0 &&
		strcmp(container, want_container) == 0;
}

static void lines_of_the_mount_table_are_read(void **state)
{
	char line[] = "36 35 0:50 / /mnt rw - fuse.conclave";
	char *point, *container;

	(void)state;
	assert_true(line_is("36 35 0:50 / /mnt/a\\040b rw,nosuid shared:1 master:2 - fuse.conclave "
			    "/c\\134d\\012.cv rw,user_id=0\n",
		"/mnt/a b", "/c\\d\n.cv"));
	assert_true(line_is("1 2 0:5 / /m rw - fuse.conclave /c rw", "/m", "/c"));
	assert_false(line_is("1 2 0:5 / /m rw - fuse.sshfs /c rw", "/m", "/c"));
	for (size_t len = 0; len <= strlen(line); len++) {
		char cut[sizeof(line)];

		memcpy(cut, line, len);
		cut[len] = '\0';
		assert_false(mount_table_line(cut, &point, &container));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_word_wins),
		cmocka_unit_test(defaults_of_mount_come_through_spelled_out),
		cmocka_unit_test(sizes_and_times_have_units),
		cmocka_unit_test(what_is_for_others_does_nothing),
		cmocka_unit_test(a_word_that_is_not_understood_is_named),
		cmocka_unit_test(places_are_for_the_command_line_only),
		cmocka_unit_test(endless_words_do_not_overflow),
		cmocka_unit_test(lines_of_the_mount_table_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
