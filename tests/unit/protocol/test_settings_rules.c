#include "tests/unit/protocol/check.h"

#include "protocol/settings_rules.h"

static enum cv_err decode(struct settings_rules *r, const char *json)
{
	memset(r, 0xa5, sizeof(*r));
	return settings_rules_decode(r, json, strlen(json));
}

static void has_defaults_for_what_is_not_said(void **state)
{
	struct settings_rules r;

	(void)state;
	assert_int_equal(decode(&r, "{\"v\":1}"), CV_OK);
	assert_int_equal(r.settings_version, 0);
	assert_int_equal(r.min_firmware, 0);
	assert_int_equal(r.status_s, SETTINGS_STATUS_DEFAULT_S);
	assert_int_equal(r.relock, SETTINGS_LOCK_REVOKED);
	assert_int_equal(decode(&r, "{\"conclave\":{\"relock\":\"lease\"}}"), CV_OK);
	assert_int_equal(r.relock, SETTINGS_LOCK_LEASE);
	assert_int_equal(r.status_s, SETTINGS_STATUS_DEFAULT_S);
}

static void reads_every_member(void **state)
{
	struct settings_rules r;

	(void)state;
	assert_int_equal(decode(&r, "{\"ssid\":\"x\",\"conclave\":{\"settings_version\":4294967295,"
				    "\"min_firmware\":7,\"status_seconds\":86400,"
				    "\"relock\":\"never\"}}"),
		CV_OK);
	assert_int_equal(r.settings_version, UINT32_MAX);
	assert_int_equal(r.min_firmware, 7);
	assert_int_equal(r.status_s, 86400);
	assert_int_equal(r.relock, SETTINGS_LOCK_NEVER);
}

static void refuses_what_it_does_not_know(void **state)
{
	static const char *const bad[] = {"", "[]", "{", "{\"conclave\":1}", "{\"conclave\":[]}",
		"{\"conclave\":{\"relok\":\"lease\"}}", "{\"conclave\":{\"relock\":\"later\"}}",
		"{\"conclave\":{\"relock\":1}}", "{\"conclave\":{\"status_seconds\":0}}",
		"{\"conclave\":{\"status_seconds\":86401}}", "{\"conclave\":{\"min_firmware\":-1}}",
		"{\"conclave\":{\"settings_version\":4294967296}}",
		"{\"conclave\":{\"min_firmware\":1.5}}", "{\"conclave\":{},\"conclave\":{}}"};
	struct settings_rules r, untouched;

	(void)state;
	memset(&untouched, 0xa5, sizeof(untouched));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_not_equal(decode(&r, bad[i]), CV_OK);
		assert_memory_equal(&r, &untouched, sizeof(r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults_for_what_is_not_said),
		cmocka_unit_test(reads_every_member),
		cmocka_unit_test(refuses_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
