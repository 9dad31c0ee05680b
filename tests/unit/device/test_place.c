/* Where the device says it is: its own numbers, a file, and a gpsd that says what we make it say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utime.h>

#include "device/place.h"
#include "host/clock.h"
#include "tests/unit/support/temp_dir.h"

static struct settings s;
static struct place_fix fix;
static struct evidence_platform claims;

static void reset(enum settings_place_from from)
{
	memset(&s, 0, sizeof(s));
	memset(&claims, 0, sizeof(claims));
	s.place.from = from;
	s.place.wait_ms = 5000;
}

static void find(void)
{
	memset(&fix, 0xaa, sizeof(fix));
	place_find(&fix, &s, -1);
	place_claim(&claims, &s, &fix, clock_monotonic_ms());
}

static void its_own_numbers_have_no_age(void **state)
{
	(void)state;
	reset(SETTINGS_PLACE_HERE);
	find();
	assert_false(claims.has_place);
	assert_string_equal(claims.place_source, "");
	s.place.has_position = true;
	s.place.lat_e7 = 5;
	s.place.accuracy_mm = 7;
	find();
	assert_true(claims.has_place && !claims.has_place_age);
	assert_int_equal(claims.lat_e7, 5);
	assert_int_equal(claims.accuracy_mm, 7);
	assert_string_equal(claims.place_source, "configuration");
	strcpy(s.place.source, "survey");
	find();
	assert_string_equal(claims.place_source, "survey");
}

static void put(const char *dir, const char *text, int64_t age_s)
{
	struct utimbuf times = {clock_wall_s() - age_s, clock_wall_s() - age_s};
	FILE *f;

	snprintf(s.place.file, sizeof(s.place.file), "%s/place.json", dir);
	f = fopen(s.place.file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(utime(s.place.file, &times), 0);
}

static void a_file_has_the_age_of_its_date_or_says_it(void **state)
{
	char text[200];

	reset(SETTINGS_PLACE_FILE);
	put(*state, "{\"lat_e7\":-1,\"lon_e7\":2,\"accuracy_mm\":30,\"receiver\":\"modem\"}", 90);
	find();
	assert_true(claims.has_place && claims.has_place_age);
	assert_in_range(claims.place_age_s, 90, 100);
	assert_int_equal(claims.lat_e7, -1);
	assert_string_equal(claims.place_source, "file");
	assert_string_equal(claims.place_receiver, "modem");
	snprintf(text, sizeof(text), "{\"lat_e7\":-1,\"lon_e7\":2,\"taken\":%lld}",
		(long long)clock_wall_s() - 100000);
	put(*state, text, 0);
	find();
	assert_in_range(claims.place_age_s, 100000, 100010);
	assert_int_equal(claims.accuracy_mm, EVIDENCE_ACCURACY_UNKNOWN);
	/* from the future: one of the clocks is wrong */
	put(*state, "{\"lat_e7\":-1,\"lon_e7\":2}", -5000);
	find();
	assert_true(claims.has_place && !claims.has_place_age);
}

static void a_bad_file_gives_no_position(void **state)
{
	static const char *const bad[] = {"", "[]", "{\"lat_e7\":1}", "{\"lat_e7\":1.5,\"lon_e7\":2}",
		"{\"lat_e7\":900000001,\"lon_e7\":2}", "{\"lat_e7\":1,\"lon_e7\":-1800000001}",
		"{\"lat_e7\":1,\"lon_e7\":NaN}", "{\"lat_e7\":1,\"lon_e7\":2,\"x\":1}",
		"{\"lat_e7\":1,\"lon_e7\":2,\"receiver\":\"\\u0007\"}",
		"{\"lat_e7\":1,\"lon_e7\":2,\"accuracy_mm\":-1}"};

	reset(SETTINGS_PLACE_FILE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(*state, bad[i], 0);
		find();
		assert_false(claims.has_place || claims.has_place_age);
		assert_string_equal(claims.place_receiver, "");
	}
	strcpy(s.place.file, "/nonexistent");
	find();
	assert_false(claims.has_place);
}

static void degrees_must_be_on_the_globe(void **state)
{
	int32_t out = 3;

	(void)state;
	assert_int_equal(place_degrees(&out, 52.520006667, 90), CV_OK);
	assert_int_equal(out, 525200067);
	assert_int_equal(place_degrees(&out, -180, 180), CV_OK);
	assert_int_equal(out, -1800000000);
	assert_int_equal(place_degrees(&out, 90.0000001, 90), CV_ERR_RANGE);
	assert_int_equal(place_degrees(&out, (double)NAN, 90), CV_ERR_RANGE);
	assert_int_equal(place_degrees(&out, (double)INFINITY, 90), CV_ERR_RANGE);
	assert_int_equal(out, -1800000000);
}

/* --- gpsd */

#define VERSION "{\"class\":\"VERSION\",\"release\":\"3.22\",\"proto_major\":3}\r\n"
#define DEVICES \
	"{\"class\":\"DEVICES\",\"devices\":[{\"path\":\"/dev/ttyS0\",\"driver\":\"SiRF\"}," \
	"{\"path\":\"/dev/ttyACM0\",\"driver\":\"u-blox\",\"subtype\":\"SW ROM CORE 3.01\"}]}\r\n"
#define NO_FIX "{\"class\":\"TPV\",\"device\":\"/dev/ttyACM0\",\"mode\":1,\"lat\":1,\"lon\":2}\r\n"
#define FIX(more) \
	"{\"class\":\"TPV\",\"device\":\"/dev/ttyACM0\",\"mode\":3,\"time\":\"2026-11-21T10:00:02.000Z\"," \
	"\"lat\":52.520006667," \
	"\"lon\":-13.4" more "}\r\n"

struct daemon {
	int listener;
	const char *text;
	bool hang; /* keeps the connection open behind the text */
	char asked[128];
	pthread_t thread;
};

static void *serve(void *context)
{
	struct daemon *d = context;
	int fd = accept(d->listener, NULL, NULL);
	char rest[64];
	ssize_t n = recv(fd, d->asked, sizeof(d->asked) - 1, 0);

	d->asked[n > 0 ? n : 0] = '\0';
	/* in pieces: a report may come in any number of packets */
	for (size_t done = 0, len = strlen(d->text); done < len;) {
		const size_t part = len - done < 50 ? len - done : 50;

		if (send(fd, d->text + done, part, MSG_NOSIGNAL) != (ssize_t)part)
			break;
		done += part;
	}
	while (d->hang && recv(fd, rest, sizeof(rest), 0) > 0)
		;
	close(fd);
	close(d->listener);
	return NULL;
}

static enum cv_err ask(const char *text, bool hang)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct daemon d = {.listener = socket(AF_INET, SOCK_STREAM, 0), .text = text, .hang = hang};
	enum cv_err err;

	assert_int_equal(bind(d.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(d.listener, 1), 0);
	assert_int_equal(getsockname(d.listener, (struct sockaddr *)&a, &len), 0);
	strcpy(s.place.gpsd_host, "127.0.0.1");
	s.place.gpsd_port = ntohs(a.sin_port);
	memset(&fix, 0, sizeof(fix));
	assert_int_equal(pthread_create(&d.thread, NULL, serve, &d), 0);
	err = place_gpsd(&fix, &s.place, -1);
	pthread_join(d.thread, NULL);
	assert_string_equal(d.asked, "?WATCH={\"enable\":true,\"json\":true};\n");
	return err;
}

static void the_first_position_counts_with_its_receiver(void **state)
{
	(void)state;
	reset(SETTINGS_PLACE_GPSD);
	assert_int_equal(ask(VERSION DEVICES NO_FIX FIX(",\"eph\":17.1") FIX(",\"eph\":1"), true),
		CV_OK);
	assert_int_equal(fix.lat_e7, 525200067);
	assert_int_equal(fix.lon_e7, -134000000);
	assert_int_equal(fix.accuracy_mm, 17100);
	assert_string_equal(fix.source, "gpsd");
	assert_string_equal(fix.receiver, "u-blox");
	assert_string_equal(fix.firmware, "SW ROM CORE 3.01");
	assert_true(fix.has_age);
	fix.known = true;
	place_claim(&claims, &s, &fix, fix.taken_ms + 61500);
	assert_int_equal(claims.place_age_s, 61);
}

static void an_accuracy_that_is_not_there_is_unknown(void **state)
{
	(void)state;
	reset(SETTINGS_PLACE_GPSD);
	assert_int_equal(ask(FIX(""), true), CV_OK);
	assert_int_equal(fix.accuracy_mm, EVIDENCE_ACCURACY_UNKNOWN);
	assert_string_equal(fix.receiver, "");
	assert_int_equal(ask(FIX(",\"epx\":3,\"epy\":4"), true), CV_OK);
	assert_int_equal(fix.accuracy_mm, 7000);
	assert_int_equal(ask(FIX(",\"eph\":-1"), true), CV_OK);
	assert_int_equal(fix.accuracy_mm, EVIDENCE_ACCURACY_UNKNOWN);
	assert_int_equal(ask(FIX(",\"eph\":1e300"), true), CV_OK);
	assert_int_equal(fix.accuracy_mm, EVIDENCE_ACCURACY_UNKNOWN);
}

static void what_is_no_position_is_passed_over(void **state)
{
	(void)state;
	reset(SETTINGS_PLACE_GPSD);
	s.place.wait_ms = 300;
	assert_int_equal(ask(VERSION DEVICES NO_FIX
			"{\"class\":\"TPV\",\"mode\":3,\"lat\":1,\"lon\":2}\r\n"
			"{\"class\":\"TPV\",\"mode\":3,\"time\":\"x\",\"lat\":91,\"lon\":0}\r\n"
			"{\"class\":\"TPV\",\"mode\":3,\"time\":\"x\",\"lat\":\"1\",\"lon\":0}\r\n"
			"{\"class\":\"TPV\",\"mode\":3,\"time\":\"x\",\"lat\":1e999,\"lon\":0}\r\n"
			"{\"class\":\"SKY\"}\r\n\r\n7\r\n",
			true),
		CV_ERR_TIMEOUT);
	assert_int_equal(ask("no gpsd at all\n", true), CV_ERR_FORMAT);
	assert_int_equal(ask(VERSION, false), CV_ERR_UNREACHABLE);
}

static void a_line_without_end_is_given_up(void **state)
{
	static char text[PLACE_LINE_MAX + 100];

	(void)state;
	reset(SETTINGS_PLACE_GPSD);
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(ask(text, true), CV_ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_numbers_have_no_age),
		cmocka_unit_test(a_file_has_the_age_of_its_date_or_says_it),
		cmocka_unit_test(a_bad_file_gives_no_position),
		cmocka_unit_test(degrees_must_be_on_the_globe),
		cmocka_unit_test(the_first_position_counts_with_its_receiver),
		cmocka_unit_test(an_accuracy_that_is_not_there_is_unknown),
		cmocka_unit_test(what_is_no_position_is_passed_over),
		cmocka_unit_test(a_line_without_end_is_given_up),
	};

	return cmocka_run_group_tests(tests, temp_dir_setup, temp_dir_teardown);
}
