#include "protocol/policy.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/unit/protocol/documents.h"

static struct policy policy;

static enum cv_err decode(const char *data, size_t len)
{
	char problem[120] = "";
	enum cv_err err;

	memset(&policy, 0xaa, sizeof(policy));
	err = policy_decode(&policy, data, len, problem, sizeof(problem));
	if (err != CV_OK) {
		assert_true(all_zero(&policy, sizeof(policy)));
		assert_true(problem[0] != '\0');
	}
	return err;
}

static void decodes_what_the_reference_wrote(void **state)
{
	char problem[120];

	(void)state;
	damage_accepts(decode, v_policy, TEXT_LEN(v_policy));
	assert_int_equal(policy.version, 7);
	assert_int_equal(policy.boot, POLICY_RULES);
	assert_int_equal(policy.boot_max_keys, 3);
	assert_int_equal(policy.boot_max_step, 1000);
	assert_int_equal(policy.measurements, POLICY_RULES);
	assert_int_equal(policy.measurement_count, 2);
	assert_string_equal(policy.measurement[0].name, "kernel");
	assert_int_equal(policy.measurement[0].count, 2);
	assert_string_equal(policy.measurement[1].name, "conclave-device");
	assert_int_equal(policy.measurement[1].count, 1);
	assert_int_equal(policy.place, POLICY_RULES);
	assert_int_equal(policy.regions.present, 1);
	assert_string_equal(policy.regions.names[0], "NO");
	assert_int_equal(policy.states.present, 0);
	assert_int_equal(policy.cities.count, 2);
	assert_string_equal(policy.cities.names[1], "Bergen");
	assert_int_equal(policy.iat, POLICY_RULES);
	assert_int_equal(policy.iat_max_age_s, 300);
	assert_int_equal(policy.iat_max_ahead_s, 60);
	assert_int_equal(policy.lease_s, 86400);
	assert_int_equal(policy.reveal_reason, 1);
	assert_int_equal(policy_lint(&policy, problem, sizeof(problem)), CV_OK);
}

static void refuses_truncations_and_more_and_survives_flips(void **state)
{
	(void)state;
	damage_refuses_truncations(decode, v_policy, TEXT_LEN(v_policy));
	damage_refuses_one_more(decode, v_policy, TEXT_LEN(v_policy));
	damage_flips(decode, v_policy, TEXT_LEN(v_policy));
	damage_reports_no_memory(decode, v_policy, TEXT_LEN(v_policy));
}

#define BOOT "\"boot\":{\"max_keys\":3,\"max_step\":1000}"
#define PLACE "\"place\":{\"regions\":[\"NO\"],\"cities\":[\"Oslo\",\"Bergen\"]}"
#define IAT "\"iat\":{\"max_age_seconds\":300,\"max_ahead_seconds\":60}"

/* A section that is absent or empty decodes, refuses, and is named by lint. */
static void empty_sections_are_found_by_lint(void **state)
{
	static const struct {
		const char *from, *to, *section;
	} rows[] = {
		{BOOT ",", "", "boot"},
		{BOOT, "\"boot\":{}", "boot"},
		{PLACE ",", "", "place"},
		{PLACE, "\"place\":{}", "place"},
		{IAT ",", "", "iat"},
		{IAT, "\"iat\":{}", "iat"},
	};
	char changed[2048], problem[120];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_replace(changed, sizeof(changed), v_policy, rows[i].from, rows[i].to);
		damage_accepts(decode, changed, strlen(changed));
		assert_int_equal(policy_lint(&policy, problem, sizeof(problem)), CV_ERR_TYPE);
		assert_memory_equal(problem, rows[i].section, strlen(rows[i].section));
		assert_int_equal(policy_lint(&policy, NULL, 0), CV_ERR_TYPE);
	}
	memset(&policy, 0, sizeof(policy));
	assert_int_equal(policy_lint(&policy, problem, sizeof(problem)), CV_ERR_TYPE);
}

static void sections_can_be_waived_in_so_many_words(void **state)
{
	char changed[2048];

	(void)state;
	text_replace(changed, sizeof(changed), v_policy, PLACE, "\"place\":\"not_required\"");
	damage_accepts(decode, changed, strlen(changed));
	assert_int_equal(policy.place, POLICY_NOT_REQUIRED);
	text_replace(changed, sizeof(changed), v_policy, IAT, "\"iat\":\"not_required\"");
	damage_accepts(decode, changed, strlen(changed));
	assert_int_equal(policy.iat, POLICY_NOT_REQUIRED);
	text_replace(changed, sizeof(changed), v_policy, BOOT, "\"boot\":\"not_required\"");
	assert_int_equal(damage_run(decode, changed, strlen(changed)), CV_ERR_TYPE);
	text_replace(changed, sizeof(changed), v_policy, PLACE, "\"place\":\"Not_required\"");
	assert_int_equal(damage_run(decode, changed, strlen(changed)), CV_ERR_TYPE);
}

static void says_what_is_wrong_and_where(void **state)
{
	static const struct {
		const char *from, *to;
		enum cv_err want;
		const char *problem;
	} rows[] = {
		{"\"v\":1", "\"v\":2", CV_ERR_RANGE, "v: out of range"},
		{"\"v\":1,", "", CV_ERR_TYPE, "v: missing or not an integer"},
		{"\"v\":1", "\"v\":1,\"leese\":1", CV_ERR_TYPE, "leese: unknown member"},
		{"\"policy_version\":7", "\"policy_version\":0", CV_ERR_RANGE,
			"policy_version: out of range"},
		{"\"max_keys\":3", "\"max_keys\":0", CV_ERR_RANGE, "boot.max_keys: out of range"},
		{",\"max_step\":1000", "", CV_ERR_TYPE, "boot.max_step: missing or not an integer"},
		{"\"max_keys\":3", "\"max_keys\":3,\"max_kys\":1", CV_ERR_TYPE,
			"boot.max_kys: unknown member"},
		{BOOT, "\"boot\":[]", CV_ERR_TYPE, "boot: must be an object"},
		{PLACE, "\"place\":null", CV_ERR_TYPE,
			"place: must be an object or \"not_required\""},
		{"[\"NO\"]", "[]", CV_ERR_TYPE, "place.regions: must be a list of at least one name"},
		{"[\"NO\"]", "\"NO\"", CV_ERR_TYPE,
			"place.regions: must be a list of at least one name"},
		{"[\"NO\"]", "[\"\"]", CV_ERR_TYPE,
			"place.regions: a name is not 1 to 63 printable ASCII characters"},
		{"\"regions\"", "\"region\"", CV_ERR_TYPE, "place.region: unknown member"},
		{"\"kernel\":[", "\"Kernel\":[", CV_ERR_FORMAT,
			"measurements: a name is not [a-z0-9][a-z0-9._-]{0,62}"},
		{"\"kernel\":[", "\"kernel\":[\"abc\",", CV_ERR_TYPE,
			"measurements.kernel: a value is not 64 lower-case hex digits"},
		{"\"kernel\":[", "\"kernel\":[5,", CV_ERR_TYPE,
			"measurements.kernel: a value is not 64 lower-case hex digits"},
		{"\"kernel\":[", "\"boot\":[],\"kernel\":[", CV_ERR_TYPE,
			"measurements.boot: must be a list of at least one value"},
		{"\"max_age_seconds\":300", "\"max_age_seconds\":-1", CV_ERR_RANGE,
			"iat.max_age_seconds: out of range"},
		{"\"lease_seconds\":86400", "\"lease_seconds\":4294967296", CV_ERR_RANGE,
			"lease_seconds: out of range"},
		{"\"reveal_reason\":true", "\"reveal_reason\":1", CV_ERR_TYPE,
			"reveal_reason: missing or not true or false"},
		{",\"reveal_reason\":true", "", CV_ERR_TYPE,
			"reveal_reason: missing or not true or false"},
		{"{", "{{", CV_ERR_FORMAT, "policy: not well-formed"},
	};
	char changed[2048], problem[120];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum cv_err err;

		text_replace(changed, sizeof(changed), v_policy, rows[i].from, rows[i].to);
		err = policy_decode(&policy, changed, strlen(changed), problem, sizeof(problem));
		if (err != rows[i].want || strcmp(problem, rows[i].problem) != 0)
			fail_msg("%s: %d, %s", rows[i].to, err, problem);
		assert_int_equal(policy_decode(&policy, changed, strlen(changed), NULL, 0), err);
		assert_int_equal(policy_decode(&policy, changed, strlen(changed), problem, 4), err);
		assert_true(strlen(problem) < 4);
	}
}

static void a_hostile_name_is_shown_cut_and_harmless(void **state)
{
	char text[600], problem[40];

	(void)state;
	snprintf(text, sizeof(text), "{\"v\":1,\"\\u001b[2J\\u00e9%0400d\":1}", 0);
	assert_int_equal(
		policy_decode(&policy, text, strlen(text), problem, sizeof(problem)), CV_ERR_TYPE);
	assert_memory_equal(problem, "?[2J??000", 9);
	assert_int_equal(strlen(problem), sizeof(problem) - 1);
}

static void limits_hold(void **state)
{
	static char text[CV_POLICY_MAX + 80], names[CV_POLICY_MAX];
	size_t n = 0;

	(void)state;
	for (int i = 0; i <= CV_PLACES_MAX; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s\"p%d\"", i ? "," : "", i);
	snprintf(text, sizeof(text), "{\"v\":1,\"policy_version\":1,\"place\":{\"states\":[%s]}}", names);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_TOO_LONG);
	n = 0;
	for (int i = 0; i <= CV_DIGESTS_MAX; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n,
			"%s\"m%d\":[\"%064d\"]", i ? "," : "", i, 0);
	snprintf(text, sizeof(text), "{\"v\":1,\"policy_version\":1,\"measurements\":{%s}}", names);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_TOO_LONG);
	n = 0;
	for (int i = 0; i <= CV_REFERENCE_VALUES_MAX; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s\"%064d\"", i ? "," : "", 0);
	snprintf(text, sizeof(text), "{\"v\":1,\"policy_version\":1,\"measurements\":{\"m\":[%s]}}",
		names);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_TOO_LONG);
	snprintf(text, sizeof(text), "%-*s", CV_POLICY_MAX, v_policy);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_OK);
	snprintf(text, sizeof(text), "%-*s", CV_POLICY_MAX + 1, v_policy);
	assert_int_equal(damage_run(decode, text, strlen(text)), CV_ERR_TOO_LONG);
}

#define TPM_BASE "{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":1,\"max_step\":1}," \
	"\"measurements\":\"not_required\",\"place\":\"not_required\",\"iat\":\"not_required\"," \
	"\"lease_seconds\":0,\"reveal_reason\":true"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static enum cv_err tpm_decode(const char *members)
{
	char text[CV_POLICY_MAX];

	snprintf(text, sizeof(text), "%s%s}", TPM_BASE, members);
	return decode(text, strlen(text));
}

static enum cv_err class_lint(enum trust_class trust_class)
{
	char problem[120];

	return policy_lint_class(&policy, trust_class, problem, sizeof(problem));
}

static void decodes_pcrs_and_firmware(void **state)
{
	(void)state;
	assert_int_equal(tpm_decode(",\"pcrs\":{\"0\":[\"" ONES "\"],\"11\":[\"" ONES "\",\"" ONES
				    "\"]},\"tpm_firmware\":[\"2019102300163636\"]"),
		CV_OK);
	assert_int_equal(policy.pcrs, POLICY_RULES);
	assert_int_equal(policy.pcr[0].count, 1);
	assert_int_equal(policy.pcr[10].count, 2); /* PCR 11: there is no 10 */
	assert_int_equal(policy.pcr[10].values[1][31], 0x11);
	assert_int_equal(policy.firmware, POLICY_RULES);
	assert_int_equal(policy.firmware_count, 1);
	assert_true(policy.firmwares[0] == 0x2019102300163636);
	assert_int_equal(class_lint(TRUST_TPM), CV_OK);
	assert_int_equal(class_lint(TRUST_SOFTWARE), CV_ERR_TYPE);
	assert_int_equal(class_lint(TRUST_MICROCONTROLLER), CV_ERR_TYPE);
}

static void a_policy_without_tpm_sections_serves_every_class_but_tpm(void **state)
{
	static const char *const none[] = {"", ",\"pcrs\":{}", ",\"tpm_firmware\":[]",
		",\"pcrs\":\"not_required\"", ",\"tpm_firmware\":\"not_required\"",
		",\"pcrs\":{},\"tpm_firmware\":\"not_required\""};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(tpm_decode(none[i]), CV_OK);
		assert_int_equal(class_lint(TRUST_SOFTWARE), CV_OK);
		assert_int_equal(class_lint(TRUST_TPM), CV_ERR_TYPE);
	}
	assert_int_equal(tpm_decode(",\"pcrs\":\"not_required\",\"tpm_firmware\":\"not_required\""),
		CV_OK);
	assert_int_equal(class_lint(TRUST_TPM), CV_OK);
}

static void refuses_pcrs_that_prove_nothing_and_odd_values(void **state)
{
	static const char *const bad[] = {",\"pcrs\":{\"10\":[\"" ONES "\"]}",
		",\"pcrs\":{\"16\":[\"" ONES "\"]}", ",\"pcrs\":{\"23\":[\"" ONES "\"]}",
		",\"pcrs\":{\"24\":[\"" ONES "\"]}", ",\"pcrs\":{\"07\":[\"" ONES "\"]}",
		",\"pcrs\":{\"\":[\"" ONES "\"]}", ",\"pcrs\":{\"-1\":[\"" ONES "\"]}",
		",\"pcrs\":{\"256\":[\"" ONES "\"]}", ",\"pcrs\":{\"7\":[]}",
		",\"pcrs\":{\"7\":\"" ONES "\"}", ",\"pcrs\":{\"7\":[5]}",
		",\"pcrs\":{\"7\":[\"AB\"]}", ",\"pcrs\":[]", ",\"pcrs\":\"any\"",
		",\"tpm_firmware\":{}", ",\"tpm_firmware\":[5]", ",\"tpm_firmware\":[\"12\"]",
		",\"tpm_firmware\":\"any\"", ",\"tpm_firmware\":[\"2019102300163636\",1]"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (tpm_decode(bad[i]) == CV_OK)
			print_error("taken: %s\n", bad[i]);
		assert_int_not_equal(tpm_decode(bad[i]), CV_OK);
	}
}

static void refuses_more_values_than_its_limit(void **state)
{
	char text[CV_POLICY_MAX] = ",\"pcrs\":{\"7\":[\"" ONES "\"";

	(void)state;
	for (int i = 1; i < CV_PCR_VALUES_MAX; i++)
		strcat(text, ",\"" ONES "\"");
	strcat(text, "]}");
	assert_int_equal(tpm_decode(text), CV_OK);
	strcpy(strchr(text, ']'), ",\"" ONES "\"]}");
	assert_int_equal(tpm_decode(text), CV_ERR_TOO_LONG);
	strcpy(text, ",\"tpm_firmware\":[\"0000000000000001\"");
	for (int i = 1; i <= CV_PCR_VALUES_MAX; i++)
		strcat(text, ",\"0000000000000001\"");
	strcat(text, "]");
	assert_int_equal(tpm_decode(text), CV_ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_the_reference_wrote),
		cmocka_unit_test(refuses_truncations_and_more_and_survives_flips),
		cmocka_unit_test(empty_sections_are_found_by_lint),
		cmocka_unit_test(sections_can_be_waived_in_so_many_words),
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(a_hostile_name_is_shown_cut_and_harmless),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(decodes_pcrs_and_firmware),
		cmocka_unit_test(a_policy_without_tpm_sections_serves_every_class_but_tpm),
		cmocka_unit_test(refuses_pcrs_that_prove_nothing_and_odd_values),
		cmocka_unit_test(refuses_more_values_than_its_limit),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
