#include "protocol/policy.h"

#include "protocol/json_get.h"

#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"

#define POLICY(place) \
	"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":10}," \
	"\"measurements\":\"not_required\",\"place\":" place \
	",\"iat\":\"not_required\",\"lease_seconds\":0,\"reveal_reason\":false}"
#define AREAS(areas) POLICY("{\"areas\":[" areas "],\"max_accuracy_m\":50}")
#define CIRCLE "{\"name\":\"depot\",\"centre\":[525200066,134049540],\"radius_m\":500}"
#define SQUARE "{\"name\":\"yard.2\",\"polygon\":[[0,0],[0,1000],[1000,1000],[1000,0]]}"
#define EVERYTHING \
	"{\"regions\":[\"emea\"],\"areas\":[" CIRCLE "," SQUARE "],\"max_accuracy_m\":50," \
	"\"max_age_seconds\":120,\"sources\":[{\"source\":\"gpsd\",\"receiver\":\"u-blox\"," \
	"\"firmware\":\"SPG 3.01\"},{\"source\":\"configuration\"}]}"

static struct policy policy;
static char problem[160];

static enum cv_err decode(const char *data, size_t len)
{
	enum cv_err err;

	memset(&policy, 0xaa, sizeof(policy));
	problem[0] = '\0';
	err = policy_decode(&policy, data, len, problem, sizeof(problem));
	if (err != CV_OK) {
		assert_true(all_zero(&policy, sizeof(policy)));
		assert_true(problem[0] != '\0');
	}
	return err;
}

static void decodes_every_rule(void **state)
{
	static const char text[] = POLICY(EVERYTHING);

	(void)state;
	damage_accepts(decode, text, TEXT_LEN(text));
	assert_int_equal(policy.place, POLICY_RULES);
	assert_int_equal(policy.area_count, 2);
	assert_string_equal(policy.areas[0].name, "depot");
	assert_int_equal(policy.areas[0].is_circle, 1);
	assert_int_equal(policy.areas[0].circle.centre.lat_e7, 525200066);
	assert_int_equal(policy.areas[0].circle.centre.lon_e7, 134049540);
	assert_int_equal(policy.areas[0].circle.radius_m, 500);
	assert_string_equal(policy.areas[1].name, "yard.2");
	assert_int_equal(policy.areas[1].first, 0);
	assert_int_equal(policy.areas[1].corner_count, 4);
	assert_int_equal(policy.areas[1].box[1].lon_e7, 1000);
	assert_int_equal(policy.max_accuracy_m, 50);
	assert_int_equal(policy.has_max_age, 1);
	assert_int_equal(policy.max_age_s, 120);
	assert_int_equal(policy.source_count, 2);
	assert_string_equal(policy.sources[0].firmware, "SPG 3.01");
	assert_string_equal(policy.sources[1].receiver, "");
	damage_refuses_truncations(decode, text, TEXT_LEN(text));
	damage_flips(decode, text, TEXT_LEN(text));
	damage_reports_no_memory(decode, text, TEXT_LEN(text));
}

static void decodes_what_the_reference_wrote(void **state)
{
	(void)state;
	assert_int_equal(decode(v_policy_full, TEXT_LEN(v_policy_full)), CV_OK);
	assert_int_equal(policy.area_count, 2);
	assert_int_equal(policy.max_age_s, 60);
	assert_string_equal(policy.kernels.names[0], "6.1.0-31-amd64");
	assert_string_equal(policy.boot_states.names[0], "secure");
	assert_int_equal(policy.cmdline_count, 1);
	assert_string_equal(policy.inventory_required.names[0], "dmi.*");
	assert_string_equal(policy.inventory_recorded.names[0], "net.*");
	assert_int_equal(policy_lint(&policy, NULL, 0), CV_OK);
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		enum cv_err err;
		const char *says;
	} cases[] = {
		{POLICY("{\"areas\":[]}"), CV_ERR_TYPE, "place.areas: must be a list"},
		{POLICY("{\"areas\":[" CIRCLE "]}"), CV_ERR_TYPE, "place.max_accuracy_m: missing"},
		{POLICY("{\"regions\":[\"a\"],\"max_accuracy_m\":5}"), CV_ERR_TYPE,
			"place.max_accuracy_m: only together"},
		{POLICY("{\"areas\":[" CIRCLE "],\"max_accuracy_m\":100001}"), CV_ERR_RANGE,
			"place.max_accuracy_m: out of range"},
		{AREAS("7"), CV_ERR_TYPE, "place.areas: an area is no object"},
		{AREAS("{\"polygon\":[[0,0],[0,1],[1,0]]}"), CV_ERR_FORMAT, "an area's name"},
		{AREAS("{\"name\":\"A\",\"polygon\":[]}"), CV_ERR_FORMAT, "an area's name"},
		{AREAS("{\"name\":\"a\"}"), CV_ERR_TYPE, "place.areas.a: neither"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[0,1]]}"), CV_ERR_RANGE,
			"place.areas.a: fewer than 3"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[0,1],[1]]}"), CV_ERR_TYPE,
			"place.areas.a: a point"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[0,1],[1,\"0\"]]}"), CV_ERR_TYPE,
			"place.areas.a: a point"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[0,1],[900000001,0]]}"), CV_ERR_RANGE,
			"place.areas.a: a point"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[0,-1800000001],[1,0]]}"), CV_ERR_RANGE,
			"place.areas.a: a point"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,1790000000],[0,-1790000000],[9,0]]}"),
			CV_ERR_RANGE, "place.areas.a: across the antimeridian"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[9,9],[0,9],[9,0]]}"), CV_ERR_RANGE,
			"place.areas.a: the polygon crosses"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[0,9],[9,9],[0,0]]}"), CV_ERR_RANGE,
			"place.areas.a: a corner twice"},
		{AREAS("{\"name\":\"a\",\"polygon\":[[0,0],[0,9],[9,9]],\"x\":1}"), CV_ERR_TYPE,
			"place.areas.x: unknown"},
		{AREAS("{\"name\":\"a\",\"centre\":[0,0],\"radius_m\":0}"), CV_ERR_RANGE,
			"place.areas.radius_m: out of range"},
		{AREAS("{\"name\":\"a\",\"centre\":[0,0],\"radius_m\":20000001}"), CV_ERR_RANGE,
			"place.areas.radius_m: out of range"},
		{AREAS("{\"name\":\"a\",\"centre\":[0],\"radius_m\":1}"), CV_ERR_TYPE,
			"place.areas.a: a point"},
		{AREAS("{\"name\":\"a\",\"centre\":[NaN,0],\"radius_m\":1}"), CV_ERR_FORMAT,
			"policy"},
		{AREAS("{\"name\":\"a\",\"centre\":[1.5,0],\"radius_m\":1}"), CV_ERR_FORMAT,
			"policy"},
		{POLICY("{\"sources\":[]}"), CV_ERR_TYPE, "place.sources: must be"},
		{POLICY("{\"sources\":[{}]}"), CV_ERR_TYPE, "place.sources: a source"},
		{POLICY("{\"sources\":[{\"source\":\"\"}]}"), CV_ERR_TYPE, "place.sources.source"},
		{POLICY("{\"sources\":[{\"model\":\"x\"}]}"), CV_ERR_TYPE,
			"place.sources.model: unknown"},
		{POLICY("{\"max_age_seconds\":-1}"), CV_ERR_RANGE, "place.max_age_seconds"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum cv_err err = decode(cases[i].text, strlen(cases[i].text));

		if (err != cases[i].err || strstr(problem, cases[i].says) == NULL)
			print_error("case %zu: %s: %s\n", i, cv_err_text(err), problem);
		assert_int_equal(err, cases[i].err);
		assert_non_null(strstr(problem, cases[i].says));
	}
}

/* A group's document is larger than a device's own policy: only the counts bound it. */
static enum cv_err decode_many(size_t areas, size_t corners)
{
	static char text[400000];
	struct cJSON *tree = NULL;
	size_t n = 0;
	enum cv_err err;

	n += (size_t)sprintf(text + n, "%s", "{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,"
		"\"max_step\":10},\"measurements\":\"not_required\",\"iat\":\"not_required\","
		"\"lease_seconds\":0,\"reveal_reason\":false,\"place\":{\"max_accuracy_m\":9,"
		"\"areas\":[");
	for (size_t i = 0; i < areas; i++) {
		n += (size_t)sprintf(text + n, "%s{\"name\":\"a\",\"polygon\":[[0,0]", i > 0 ? "," : "");
		for (size_t j = 1; j < corners; j++)
			n += (size_t)sprintf(text + n, ",[%zu,%zu]", j * j, j);
		n += (size_t)sprintf(text + n, "]}");
	}
	n += (size_t)sprintf(text + n, "]}}");
	err = json_parse(&tree, text, n, sizeof(text));
	assert_int_equal(err, CV_OK);
	err = policy_decode_tree(&policy, tree, problem, sizeof(problem));
	json_free(tree);
	return err;
}

static void limits_hold(void **state)
{
	(void)state;
	assert_int_equal(decode_many(CV_AREAS_MAX, 4), CV_OK);
	assert_int_equal(policy.areas[CV_AREAS_MAX - 1].first, 4 * (CV_AREAS_MAX - 1));
	assert_int_equal(decode_many(CV_AREAS_MAX + 1, 4), CV_ERR_TOO_LONG);
	assert_int_equal(decode_many(1, CV_POLYGON_CORNERS_MAX), CV_OK);
	assert_int_equal(decode_many(1, CV_POLYGON_CORNERS_MAX + 1), CV_ERR_TOO_LONG);
	assert_int_equal(decode_many(CV_CORNERS_MAX / 64, 64), CV_OK);
	assert_int_equal(decode_many(CV_CORNERS_MAX / 64 + 1, 64), CV_ERR_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_every_rule),
		cmocka_unit_test(decodes_what_the_reference_wrote),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
