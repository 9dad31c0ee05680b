/* Where a device may be: every rule by itself, what the audit is told, and what it may keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/authorize.h"
#include "gateway/privacy.h"

#define TEXT(place) \
	"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":10}," \
	"\"measurements\":\"not_required\",\"place\":" place \
	",\"iat\":\"not_required\",\"lease_seconds\":0,\"reveal_reason\":false}"
/* one minute of latitude is 1,853 m */
#define AREAS \
	"\"areas\":[{\"name\":\"far\",\"centre\":[0,0],\"radius_m\":1000}," \
	"{\"name\":\"depot\",\"centre\":[500000000,80000000],\"radius_m\":1000}," \
	"{\"name\":\"yard\",\"polygon\":[[510000000,80000000],[510000000,80100000]," \
	"[510100000,80100000],[510100000,80000000]]}],\"max_accuracy_m\":100"

static struct policy policy;
static struct evidence evidence;
static struct verdict verdict;

static void rules(const char *text)
{
	char problem[120] = "";

	if (policy_decode(&policy, text, strlen(text), problem, sizeof(problem)) != CV_OK)
		print_error("%s\n", problem);
	assert_int_equal(policy.place, POLICY_RULES);
}

static enum reason decide(void)
{
	const struct authorize_input in = { .evidence = &evidence, .policy = &policy };

	memset(&verdict, 0, sizeof(verdict));
	return authorize_place(&in, &verdict);
}

static void at(int32_t lat_e7, int32_t lon_e7, uint32_t accuracy_mm)
{
	struct evidence_platform *p = &evidence.platform;

	memset(&evidence, 0, sizeof(evidence));
	p->has_place = 1;
	p->lat_e7 = lat_e7;
	p->lon_e7 = lon_e7;
	p->accuracy_mm = accuracy_mm;
}

static void one_area_must_hold_all_of_the_position(void **state)
{
	(void)state;
	rules(TEXT("{" AREAS "}"));
	at(500000000, 80000000, 5000);
	assert_int_equal(decide(), REASON_RELEASE);
	at(510050000, 80050000, 5000);
	assert_int_equal(decide(), REASON_RELEASE);
	at(500080000, 80000000, 5000); /* 890 m north */
	assert_int_equal(decide(), REASON_RELEASE);
	at(500100000, 80000000, 5000); /* 1,112 m */
	assert_int_equal(decide(), REASON_PLACE_DENIED);
	assert_string_equal(verdict.detail.rule, "place.areas");
	assert_string_equal(verdict.detail.nearest, "depot");
	assert_int_equal(verdict.detail.unit, VERDICT_MM);
	assert_in_range(verdict.detail.over, 116000, 118000);
	at(500085000, 80000000, 100000); /* 945 m and 100 m of doubt */
	assert_int_equal(decide(), REASON_PLACE_DENIED);
	assert_in_range(verdict.detail.over, 45000, 46000);
	at(509999000, 80050000, 1000); /* 11 m south of the yard */
	assert_int_equal(decide(), REASON_PLACE_DENIED);
	assert_string_equal(verdict.detail.nearest, "yard");
	assert_in_range(verdict.detail.over, 12000, 12300);
}

static void no_position_no_accuracy_or_a_bad_one_is_refused(void **state)
{
	(void)state;
	rules(TEXT("{" AREAS "}"));
	at(500000000, 80000000, 5000);
	evidence.platform.has_place = 0;
	assert_int_equal(decide(), REASON_PLACE_MISSING);
	at(500000000, 80000000, EVIDENCE_ACCURACY_UNKNOWN);
	assert_int_equal(decide(), REASON_PLACE_ACCURACY);
	assert_string_equal(verdict.detail.claimed, "unknown");
	at(500000000, 80000000, 100001);
	assert_int_equal(decide(), REASON_PLACE_ACCURACY);
	assert_int_equal(verdict.detail.over, 1);
	at(500000000, 80000000, 100000);
	assert_int_equal(decide(), REASON_RELEASE);
}

static void an_old_fix_is_refused(void **state)
{
	(void)state;
	rules(TEXT("{\"max_age_seconds\":60}"));
	at(0, 0, 0);
	assert_int_equal(decide(), REASON_PLACE_MISSING);
	evidence.platform.has_place_age = 1;
	evidence.platform.place_age_s = 60;
	assert_int_equal(decide(), REASON_RELEASE);
	evidence.platform.place_age_s = 75;
	assert_int_equal(decide(), REASON_PLACE_STALE);
	assert_int_equal(verdict.detail.unit, VERDICT_S);
	assert_int_equal(verdict.detail.over, 15);
	evidence.platform.has_place = 0;
	assert_int_equal(decide(), REASON_PLACE_MISSING);
}

static void another_receiver_is_refused(void **state)
{
	struct evidence_platform *p = &evidence.platform;

	(void)state;
	rules(TEXT("{\"sources\":[{\"source\":\"file\"},{\"source\":\"gpsd\","
		   "\"receiver\":\"u-blox\",\"firmware\":\"SPG 3.01\"}]}"));
	memset(&evidence, 0, sizeof(evidence));
	assert_int_equal(decide(), REASON_PLACE_SOURCE);
	strcpy(p->place_source, "file");
	strcpy(p->place_receiver, "anything");
	assert_int_equal(decide(), REASON_RELEASE);
	strcpy(p->place_source, "gpsd");
	strcpy(p->place_receiver, "u-blox");
	strcpy(p->place_firmware, "SPG 3.02");
	assert_int_equal(decide(), REASON_PLACE_SOURCE);
	assert_string_equal(verdict.detail.claimed, "gpsd/u-blox/SPG 3.02");
	strcpy(p->place_firmware, "SPG 3.01");
	assert_int_equal(decide(), REASON_RELEASE);
}

static void every_list_that_is_there_must_hold(void **state)
{
	struct evidence_platform *p = &evidence.platform;

	(void)state;
	rules(TEXT("{\"cities\":[\"Kassel\"]," AREAS "}"));
	at(500000000, 80000000, 5000);
	assert_int_equal(decide(), REASON_PLACE_MISSING);
	assert_string_equal(verdict.detail.rule, "place.cities");
	p->has_region = 1;
	strcpy(p->city, "Fulda");
	assert_int_equal(decide(), REASON_PLACE_DENIED);
	assert_string_equal(verdict.detail.claimed, "Fulda");
	strcpy(p->city, "Kassel");
	assert_int_equal(decide(), REASON_RELEASE);
	p->lat_e7 = 0;
	assert_int_equal(decide(), REASON_PLACE_DENIED);
}

static void rules_that_say_nothing_refuse(void **state)
{
	(void)state;
	at(0, 0, 0);
	memset(&policy, 0, sizeof(policy));
	assert_int_equal(decide(), REASON_POLICY_EMPTY);
	policy.place = POLICY_RULES;
	assert_int_equal(decide(), REASON_POLICY_EMPTY);
	policy.place = POLICY_NOT_REQUIRED;
	assert_int_equal(decide(), REASON_RELEASE);
}

static const char *written(const struct privacy *privacy)
{
	static char text[512];
	struct json_writer w;
	size_t len;

	json_begin(&w, text, sizeof(text));
	json_object_open(&w, NULL);
	privacy_write(&w, privacy, &verdict.detail);
	json_object_close(&w);
	assert_int_equal(json_end(&w, &len), CV_OK);
	return text;
}

static void the_audit_keeps_what_privacy_allows(void **state)
{
	const struct privacy coarse = { PRIVACY_COARSE, PRIVACY_COARSE };
	const struct privacy exact = { PRIVACY_EXACT, PRIVACY_EXACT };
	const struct privacy redacted = { PRIVACY_REDACTED, PRIVACY_REDACTED };

	(void)state;
	rules(TEXT("{" AREAS "}"));
	at(500100000, 80000000, 5000);
	assert_int_equal(decide(), REASON_PLACE_DENIED);
	verdict.detail.over = 116951;
	assert_string_equal(written(&exact),
		"{\"rule\":\"place.areas\",\"nearest\":\"depot\",\"over_mm\":116951}");
	assert_string_equal(written(&coarse),
		"{\"rule\":\"place.areas\",\"nearest\":\"depot\",\"over_mm\":1000000}");
	assert_string_equal(written(&redacted), "{\"rule\":\"place.areas\"}");
	rules(TEXT("{\"cities\":[\"Kassel\"]}"));
	evidence.platform.has_region = 1;
	strcpy(evidence.platform.city, "Fulda");
	assert_int_equal(decide(), REASON_PLACE_DENIED);
	assert_string_equal(written(&exact), "{\"rule\":\"place.cities\",\"claimed\":\"Fulda\"}");
	assert_string_equal(written(&coarse), "{\"rule\":\"place.cities\"}");
	memset(&verdict, 0, sizeof(verdict));
	assert_string_equal(written(&exact), "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_area_must_hold_all_of_the_position),
		cmocka_unit_test(no_position_no_accuracy_or_a_bad_one_is_refused),
		cmocka_unit_test(an_old_fix_is_refused),
		cmocka_unit_test(another_receiver_is_refused),
		cmocka_unit_test(every_list_that_is_there_must_hold),
		cmocka_unit_test(rules_that_say_nothing_refuse),
		cmocka_unit_test(the_audit_keeps_what_privacy_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
