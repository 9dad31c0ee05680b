#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/ini.h"

static const struct ini_key schema[] = {
	{ "server", "name", false },
	{ "server", "listen", false },
	{ "server", "size", false },
	{ "server", "wait", false },
	{ "server", "count", false },
	{ "server", "on", false },
	{ "server", "mode", false },
	{ "server", "path", false },
	{ "server", "place", true },
	{ "webhook.*", "secret", false },
};

static struct ini_file *open_text(const char *text)
{
	struct ini_file *ini = NULL;

	assert_int_equal(ini_open_text(&ini, "t.ini", text, schema,
				 sizeof(schema) / sizeof(schema[0])),
		CV_OK);
	return ini;
}

/* The text has exactly this one mistake. */
static void expect_mistake(const char *text, const char *message)
{
	struct ini_file *ini = open_text(text);

	if (ini_mistake_count(ini) > 0)
		assert_string_equal(ini_mistake_text(ini, 0), message);
	assert_int_equal(ini_mistake_count(ini), 1);
	assert_int_equal(ini_finish(ini), CV_ERR_CONFIG);
	assert_null(ini_mistake_text(ini, 1));
	ini_close(ini);
}

static void reads_values_of_every_kind(void **state)
{
	static const char *const modes[] = { "slow", "fast", NULL };
	const char *places[4];
	struct ini_file *ini = open_text("# a comment\n; another\n\n[server]\nname = g-1\n"
					 "listen = 127.0.0.1:7443\nsize = 64KiB\nwait=250ms\ncount =  7 \n"
					 "on = yes\nmode = fast\npath = /var/x\n"
					 "place.1 = north, of here\nplace.20 = south\r\n");

	(void)state;
	assert_string_equal(ini_id(ini, "server", "name", true), "g-1");
	assert_string_equal(ini_text(ini, "server", "listen", NULL), "127.0.0.1:7443");
	assert_int_equal(ini_size(ini, "server", "size", 1, 0, 1 << 20), 65536);
	assert_int_equal(ini_duration_ms(ini, "server", "wait", 1, 0, 1000), 250);
	assert_int_equal(ini_uint(ini, "server", "count", 1, 0, 10), 7);
	assert_true(ini_bool(ini, "server", "on", false));
	assert_int_equal(ini_enum(ini, "server", "mode", modes, 0), 1);
	assert_string_equal(ini_path(ini, "server", "path", NULL), "/var/x");
	assert_int_equal(ini_list(ini, "server", "place", places, 4), 2);
	assert_string_equal(places[0], "north, of here");
	assert_string_equal(places[1], "south");
	assert_int_equal(ini_line(ini, "server", "listen"), 6);
	assert_int_equal(ini_finish(ini), CV_OK);
	ini_close(ini);
}

static void absent_keys_give_the_fallback(void **state)
{
	struct ini_file *ini = open_text("");

	(void)state;
	assert_null(ini_text(ini, "server", "listen", NULL));
	assert_int_equal(ini_size(ini, "server", "size", 5, 0, 10), 5);
	assert_false(ini_bool(ini, "server", "on", false));
	assert_null(ini_id(ini, "server", "name", false));
	assert_int_equal(ini_finish(ini), CV_OK);
	assert_null(ini_text_required(ini, "server", "listen"));
	assert_int_equal(ini_finish(ini), CV_ERR_CONFIG);
	assert_string_equal(ini_mistake_text(ini, 0), "t.ini: [server] listen: missing");
	ini_close(ini);
}

static void names_each_mistake_by_line(void **state)
{
	(void)state;
	expect_mistake("[server]\nspeed = 1\n", "t.ini:2: [server] speed: unknown key");
	expect_mistake("[nobody]\nspeed = 1\nx = 2\n", "t.ini:1: [nobody]: unknown section");
	expect_mistake("[server]\nname = a\n\nname = b\n",
		"t.ini:4: [server] name: given twice (first in line 2)");
	expect_mistake("[server]\nname = a\n[server]\ncount = 1\n",
		"t.ini:3: [server]: section given twice (first in line 1)");
	expect_mistake("name = a\n", "t.ini:1: key before the first [section]");
	expect_mistake("[server]\nname =\n", "t.ini:2: [server] name: no value");
	expect_mistake("[server]\nname\n", "t.ini:2: not `key = value`");
	expect_mistake("[server]\nname : a\n", "t.ini:2: not `key = value`");
	expect_mistake("[server\nname = a\n", "t.ini:1: not a section: [name]");
}

static void refuses_what_the_library_would_cut_or_join(void **state)
{
	char text[400] = "[server]\nlisten = ";

	(void)state;
	expect_mistake("[server]\nlisten = a ;b\n",
		"t.ini:2: comment after a value (put it on its own line)");
	expect_mistake("[server]\nlisten = a #b\n",
		"t.ini:2: comment after a value (put it on its own line)");
	expect_mistake("[server]\nlisten = a\n  more\n",
		"t.ini:3: starts with a blank (continuation lines are not taken)");
	expect_mistake("[server]\nlisten = a\001b\n", "t.ini:2: control character");
	memset(text + strlen(text), 'x', 200);
	expect_mistake(text, "t.ini:2: line too long");
}

static void long_lines_up_to_the_limit_come_whole(void **state)
{
	char text[400] = "[server]\nlisten = ";
	char want[256] = "";

	(void)state;
	memset(text + strlen(text), 'x', INI_LINE_MAX - 9);
	memset(want, 'x', INI_LINE_MAX - 9);
	struct ini_file *ini = open_text(text);
	assert_string_equal(ini_text(ini, "server", "listen", ""), want);
	assert_int_equal(ini_finish(ini), CV_OK);
	ini_close(ini);
}

static void a_nul_byte_is_a_mistake(void **state)
{
	char path[] = "/tmp/conclave-ini-XXXXXX";
	struct ini_file *ini = NULL;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[server]\nname = a\0b\n", 20), 20);
	close(fd);
	assert_int_equal(ini_open(&ini, path, schema, 11), CV_OK);
	unlink(path);
	assert_int_equal(ini_mistake_count(ini), 1);
	assert_non_null(strstr(ini_mistake_text(ini, 0), ":2: control character"));
	ini_close(ini);
	assert_int_equal(ini_open(&ini, path, schema, 11), CV_ERR_NOT_FOUND);
}

static void typed_getters_refuse_other_forms(void **state)
{
	static const char *const sizes[] = { "1 KiB", "KiB", "1kb", "-1", "1.5MiB", "0x10",
		"99999999999999999999", "18446744073709551615KiB" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(text, sizeof(text), "[server]\nsize = %s\n", sizes[i]);
		struct ini_file *ini = open_text(text);
		assert_int_equal(ini_size(ini, "server", "size", 77, 0, UINT64_MAX), 77);
		assert_int_equal(ini_mistake_count(ini), 1);
		ini_close(ini);
	}
	struct ini_file *ini = open_text(
		"[server]\nwait = 30\ncount = 11\non = maybe\nmode = x\npath = rel\nname = Bad\n");
	static const char *const modes[] = { "slow", "fast", NULL };
	assert_int_equal(ini_duration_ms(ini, "server", "wait", 5, 0, 100), 5);
	assert_int_equal(ini_uint(ini, "server", "count", 5, 0, 10), 5);
	assert_true(ini_bool(ini, "server", "on", true));
	assert_int_equal(ini_enum(ini, "server", "mode", modes, 1), 1);
	assert_string_equal(ini_path(ini, "server", "path", "/fb"), "/fb");
	assert_null(ini_id(ini, "server", "name", true));
	assert_int_equal(ini_mistake_count(ini), 6);
	assert_string_equal(ini_mistake_text(ini, 0),
		"t.ini:2: [server] wait: not a duration (250ms, 30s, 5m, 2h, 7d): 30");
	ini_close(ini);
}

static void list_numbers_are_checked(void **state)
{
	(void)state;
	expect_mistake("[server]\nplace = a\n", "t.ini:2: [server] place: unknown key");
	expect_mistake("[server]\nplace.0 = a\n", "t.ini:2: [server] place.0: unknown key");
	expect_mistake("[server]\nplace.x = a\n", "t.ini:2: [server] place.x: unknown key");
	expect_mistake("[server]\nplace.1 = a\nplace.1 = b\n",
		"t.ini:3: [server] place.1: given twice (first in line 2)");
}

static void named_sections_are_listed_in_order(void **state)
{
	struct ini_file *ini =
		open_text("[webhook.ops]\nsecret = /a\n[server]\n[webhook.chat]\nsecret = /b\n");
	size_t cursor = 0;

	(void)state;
	assert_string_equal(ini_next_section(ini, "webhook.*", &cursor), "webhook.ops");
	assert_string_equal(ini_next_section(ini, "webhook.*", &cursor), "webhook.chat");
	assert_null(ini_next_section(ini, "webhook.*", &cursor));
	assert_string_equal(ini_text(ini, "webhook.chat", "secret", ""), "/b");
	assert_int_equal(ini_finish(ini), CV_OK);
	ini_close(ini);
	expect_mistake("[webhook.]\nsecret = a\n", "t.ini:1: [webhook.]: unknown section");
}

static void the_callers_own_mistakes_get_a_line(void **state)
{
	struct ini_file *ini = open_text("\n[server]\nlisten = x\n");

	(void)state;
	ini_mistake(ini, "server", "listen", "not an address: %s", "x");
	ini_mistake(ini, "server", NULL, "needs more");
	assert_string_equal(
		ini_mistake_text(ini, 0), "t.ini:3: [server] listen: not an address: x");
	assert_string_equal(ini_mistake_text(ini, 1), "t.ini:2: [server]: needs more");
	ini_close(ini);
}

static void collects_more_mistakes_than_it_keeps(void **state)
{
	char text[4096] = "[server]\n";

	(void)state;
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "bad%d = 1\n", i);
	struct ini_file *ini = open_text(text);
	assert_int_equal(ini_mistake_count(ini), 100);
	assert_non_null(ini_mistake_text(ini, INI_MISTAKES_MAX - 1));
	assert_null(ini_mistake_text(ini, INI_MISTAKES_MAX));
	ini_close(ini);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_values_of_every_kind),
		cmocka_unit_test(absent_keys_give_the_fallback),
		cmocka_unit_test(names_each_mistake_by_line),
		cmocka_unit_test(refuses_what_the_library_would_cut_or_join),
		cmocka_unit_test(long_lines_up_to_the_limit_come_whole),
		cmocka_unit_test(a_nul_byte_is_a_mistake),
		cmocka_unit_test(typed_getters_refuse_other_forms),
		cmocka_unit_test(list_numbers_are_checked),
		cmocka_unit_test(named_sections_are_listed_in_order),
		cmocka_unit_test(the_callers_own_mistakes_get_a_line),
		cmocka_unit_test(collects_more_mistakes_than_it_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
