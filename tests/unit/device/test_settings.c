#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "device/settings.h"
#include "tests/unit/support/temp_dir.h"

/* The number of lines that settings_load printed. */
static int load(void **state, const char *text, struct settings *s, enum cv_err want)
{
	struct options o = { .state_dir = "/st", .config_named = true };
	int pipes[2], saved = dup(STDERR_FILENO), lines = 0;
	char out[8192];

	o.config_file = temp_path(state, "device.ini");
	assert_int_equal(file_write_atomic(o.config_file, text, strlen(text), 0644), CV_OK);
	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], STDERR_FILENO);
	enum cv_err err = settings_load(s, &o);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipes[1]);
	ssize_t n = read(pipes[0], out, sizeof(out));
	close(pipes[0]);
	for (ssize_t i = 0; i < n; i++)
		lines += out[i] == '\n';
	assert_int_equal(err, want);
	return lines;
}

static void reads_every_key(void **state)
{
	struct settings s;

	assert_int_equal(
		load(state,
			"[device]\ncontainer = /c/v.cv\nmount_point = /mnt/x\nlog_level = warning\n"
			"[mount]\nallow_other = no\nread_only = yes\ncache = 64MiB\n"
			"[evidence]\noemid = acme\nhwmodel = Box 2\nhwversion = 3\niat = never\n"
			"measure.1 = kernel /boot/vmlinuz\nmeasure.2 = dtb   /boot/x y.dtb\n"
			"[place]\nregion = EU\nstate = DE-BE\ncity = Berlin\nlatitude = 52.5200066\n"
			"longitude = -13.4\naccuracy_m = 25\nsource = survey\n",
			&s, CV_OK),
		0);
	assert_string_equal(s.container, "/c/v.cv");
	assert_string_equal(s.mount_point, "/mnt/x");
	assert_false(s.allow_other);
	assert_true(s.read_only);
	assert_int_equal(s.cache_mib, 64);
	assert_string_equal(s.hwmodel, "Box 2");
	assert_int_equal(s.iat, SETTINGS_IAT_NEVER);
	assert_int_equal(s.measure_count, 2);
	assert_string_equal(s.measures[1].name, "dtb");
	assert_string_equal(s.measures[1].path, "/boot/x y.dtb");
	assert_true(s.place.has_region && s.place.has_position);
	assert_int_equal(s.place.lat_e7, 525200066);
	assert_int_equal(s.place.lon_e7, -134000000);
	assert_int_equal(s.place.accuracy_mm, 25000);
	assert_string_equal(s.place.source, "survey");
}

static void no_file_means_defaults(void **state)
{
	struct options o = { .state_dir = "/st", .config_file = temp_path(state, "none") };
	struct settings s;

	assert_int_equal(settings_load(&s, &o), CV_OK);
	assert_string_equal(s.container, "/st/volume.cv");
	assert_string_equal(s.mount_point, "");
	assert_true(s.allow_other);
	assert_int_equal(s.iat, SETTINGS_IAT_AUTO);
}

static void a_named_file_must_be_there(void **state)
{
	struct options o = { .state_dir = "/st",
		.config_file = temp_path(state, "none"),
		.config_named = true };
	struct settings s;

	assert_int_equal(settings_load(&s, &o), CV_ERR_NOT_FOUND);
}

static void tells_every_mistake(void **state)
{
	struct settings s;

	assert_int_equal(
		load(state,
			"[device]\ncontainer = relative\nspeed = 3\n"
			"[evidence]\niat = sometimes\nmeasure.1 = kernel\nmeasure.2 = .x /a\n"
			"[place]\nregion = EU\nlatitude = 91\n",
			&s, CV_ERR_CONFIG),
		8);
}

/* As it is shipped, and with every example in it switched on. */
static void the_shipped_example_has_no_mistake(void **state)
{
	struct settings s;
	uint8_t *text = NULL;
	size_t len = 0;

	assert_int_equal(file_read(&text, &len, "deploy/device.ini.example", 65536), CV_OK);
	assert_int_equal(load(state, (char *)text, &s, CV_OK), 0);
	assert_string_equal(s.mount_point, "/srv/conclave");
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == '#' && text[i + 1] >= 'a' && text[i + 1] <= 'z')
			text[i] = '\n';
	assert_int_equal(load(state, (char *)text, &s, CV_OK), 0);
	assert_int_equal(s.measure_count, 2);
	assert_true(s.place.has_region && s.place.has_position);
	free(text);
}

static void degrees_are_exact(void **state)
{
	static const struct {
		const char *text;
		int32_t value;
	} good[] = { { "0", 0 }, { "-0", 0 }, { "90", 900000000 }, { "-180.0", -1800000000 },
		{ "0.0000001", 1 }, { "179.9999999", 1799999999 } };
	static const char *const bad[] = { "", "-", ".", "1.", ".5", "1e3", "+1", " 1", "1 ", "1,5",
		"0.00000001", "180.0000001", "1.2.3", "99999999999" };
	int32_t out = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(settings_degrees(&out, good[i].text, 180), CV_OK);
		assert_int_equal(out, good[i].value);
	}
	out = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(settings_degrees(&out, bad[i], 180), CV_OK);
	assert_int_equal(out, 7);
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_dir_setup, temp_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_every_key),
		T(no_file_means_defaults),
		T(a_named_file_must_be_there),
		T(tells_every_mistake),
		T(the_shipped_example_has_no_mistake),
		cmocka_unit_test(degrees_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
