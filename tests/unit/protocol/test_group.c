#include "protocol/group.h"

#include "protocol/opcert.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/unit/protocol/documents.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char good[] =
	"{\"v\":1,\"fleet\":\"acme\",\"group\":\"lamps\",\"comment\":\"street lamps\",\"rules\":{\"v\":1,"
	"\"policy_version\":7,\"boot\":{\"max_keys\":3,\"max_step\":1000},\"measurements\":"
	"\"not_required\",\"place\":\"not_required\",\"iat\":\"not_required\",\"lease_seconds\":60,"
	"\"reveal_reason\":true},\"references\":{\"app\":[{\"name\":\"app 1.0\",\"value\":\"" HEX
	"\",\"until\":\"2027-01-01T00:00:00Z\"}]},\"trust_classes\":[\"software\"],\"min_client\":"
	"{\"conclave-device\":\"0.1.0\"},\"windows\":[{\"days\":[\"mon\",\"sun\"],\"from\":\"22:00\","
	"\"until\":\"05:30\"}],\"maintenance\":[{\"from\":\"2026-03-01T00:00:00Z\",\"until\":"
	"\"2026-03-02T00:00:00Z\"}],\"releases_per_day\":4,\"approval\":\"required\",\"clock\":\"any\","
	"\"quarantine_on\":[\"boot_rollback\"]}";

static struct group_policy policy;

static enum cv_err decode(const char *data, size_t len)
{
	char problem[200] = "";
	enum cv_err err;

	group_free(&policy);
	err = group_decode(&policy, data, len, problem, sizeof(problem));
	if (err != CV_OK) {
		assert_true(all_zero(&policy, sizeof(policy)));
		assert_true(problem[0] != '\0' || err == CV_ERR_MEMORY);
	}
	return err;
}

static void decodes_every_section(void **state)
{
	(void)state;
	assert_int_equal(decode(good, strlen(good)), CV_OK);
	assert_string_equal(policy.fleet, "acme");
	assert_string_equal(policy.group, "lamps");
	assert_int_equal(policy.rules.version, 7);
	assert_int_equal(policy.rules.lease_s, 60);
	assert_int_equal(policy.references, POLICY_RULES);
	assert_int_equal(policy.reference_count, 1);
	assert_string_equal(policy.reference[0].measurement, "app");
	assert_string_equal(policy.reference[0].name, "app 1.0");
	assert_int_equal(policy.reference[0].value[1], 0x11);
	assert_int_equal(policy.reference[0].from_s, 0);
	assert_int_equal(policy.reference[0].until_s, 1798761600);
	assert_int_equal(policy.trust_classes, 1u << TRUST_SOFTWARE);
	assert_int_equal(policy.client_count, 1);
	assert_string_equal(policy.client[0].version, "0.1.0");
	assert_int_equal(policy.window_count, 1);
	assert_int_equal(policy.window[0].days, 0x41);
	assert_int_equal(policy.window[0].from_minute, 22 * 60);
	assert_int_equal(policy.window[0].until_minute, 5 * 60 + 30);
	assert_int_equal(policy.maintenance_count, 1);
	assert_int_equal(policy.maintenance[0].from_s, 1772323200);
	assert_int_equal(policy.releases_per_day, 4);
	assert_int_equal(policy.approval, 1);
	assert_int_equal(policy.clock_trusted, 0);
	assert_int_equal(policy.quarantine_on[REASON_BOOT_ROLLBACK], 1);
	assert_int_equal(policy.quarantine_on[REASON_BOOT_AHEAD], 0);
	group_free(&policy);
}

static void refuses_truncations_and_more_and_survives_flips(void **state)
{
	(void)state;
	damage_refuses_truncations(decode, good, strlen(good));
	damage_refuses_one_more(decode, good, strlen(good));
	damage_flips(decode, good, strlen(good));
	damage_reports_no_memory(decode, good, strlen(good));
	group_free(&policy);
}

static void refuses(const char *from, const char *to)
{
	static char text[8192];

	text_replace(text, sizeof(text), good, from, to);
	if (decode(text, strlen(text)) == CV_OK)
		fail_msg("taken: %s", to);
}

static void each_mistake_is_refused(void **state)
{
	static const char *const mistakes[][2] = {
		{"\"v\":1,\"fleet\"", "\"v\":2,\"fleet\""},
		{"\"fleet\":\"acme\"", "\"fleet\":\"Acme\""},
		{"\"group\":\"lamps\"", "\"group\":\"\""},
		{"\"group\":\"lamps\"", "\"group\":\"lamps\",\"more\":1"},
		{"\"comment\":\"street lamps\"", "\"comment\":1"},
		{"\"policy_version\":7", "\"policy_version\":0"},
		{"\"boot\":{\"max_keys\":3,\"max_step\":1000}", "\"boot\":{}"},
		{"\"measurements\":\"not_required\"", "\"measurements\":{}"},
		{"\"references\":{", "\"references\":{\"App\":[],"},
		{"\"references\":{", "\"references\":{\"other\":[],"},
		{"\"name\":\"app 1.0\"", "\"name\":\"\""},
		{"\"name\":\"app 1.0\"", "\"label\":\"app 1.0\""},
		{"\"value\":\"0", "\"value\":\"g"},
		{"\"value\":\"00", "\"value\":\"0"},
		{"2027-01-01T00:00:00Z", "2027-01-01T00:00:00"},
		{"2027-01-01T00:00:00Z", "2027-02-29T00:00:00Z"},
		{"2027-01-01T00:00:00Z", "2027-13-01T00:00:00Z"},
		{"2027-01-01T00:00:00Z", "2027-01-01T24:00:00Z"},
		{"2027-01-01T00:00:00Z", "1969-01-01T00:00:00Z"},
		{"2027-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"\"trust_classes\":[\"software\"]", "\"trust_classes\":[]"},
		{"\"trust_classes\":[\"software\"]", "\"trust_classes\":[\"chip\"]"},
		{"\"trust_classes\":[\"software\"]", "\"trust_classes\":[\"software\",\"software\"]"},
		/* a class that needs what the rules do not have */
		{"\"trust_classes\":[\"software\"]", "\"trust_classes\":[\"tpm\"]"},
		{"\"min_client\":{\"conclave-device\":\"0.1.0\"}", "\"min_client\":{}"},
		{"\"min_client\":{\"conclave-device\":\"0.1.0\"}", "\"min_client\":{\"x\":1}"},
		{"\"min_client\":{\"conclave-device\":\"0.1.0\"},", ""},
		{"\"days\":[\"mon\",\"sun\"]", "\"days\":[]"},
		{"\"days\":[\"mon\",\"sun\"]", "\"days\":[\"mon\",\"mon\"]"},
		{"\"days\":[\"mon\",\"sun\"]", "\"days\":[\"Monday\"]"},
		{"\"from\":\"22:00\"", "\"from\":\"22:0\""},
		{"\"from\":\"22:00\"", "\"from\":\"22:60\""},
		{"\"from\":\"22:00\"", "\"from\":\"24:00\""},
		{"\"until\":\"05:30\"", "\"until\":\"24:01\""},
		{"\"until\":\"05:30\"", "\"until\":\"05:30:00\""},
		{"\"until\":\"2026-03-02", "\"until\":\"2026-02-02"},
		{"\"maintenance\":[{\"from\":\"2026-03-01T00:00:00Z\",", "\"maintenance\":[{"},
		{"\"releases_per_day\":4", "\"releases_per_day\":0"},
		{"\"releases_per_day\":4", "\"releases_per_day\":\"many\""},
		{"\"approval\":\"required\"", "\"approval\":true"},
		{"\"clock\":\"any\"", "\"clock\":\"some\""},
		{"\"clock\":\"any\",", ""},
		{"\"boot_rollback\"", "\"device_revoked\""},
		{"\"boot_rollback\"", "\"approval_required\""},
		{"\"boot_rollback\"", "\"counter_reused\""},
		{"\"boot_rollback\"", "\"nonsense\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		refuses(mistakes[i][0], mistakes[i][1]);
}

static void the_most_values_are_taken_and_one_more_is_not(void **state)
{
	static char text[CV_GROUP_POLICY_MAX + 4096];

	(void)state;
	for (size_t count = GROUP_REFERENCES_MAX - 1; count <= GROUP_REFERENCES_MAX; count++) {
		const char *rest = strstr(good, "{\"name\":\"app 1.0\"");
		size_t n = (size_t)(rest - good);

		memcpy(text, good, n);
		for (size_t i = 0; i < count; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				"{\"name\":\"%zu\",\"value\":\"%064zx\"},", i, i);
		snprintf(text + n, sizeof(text) - n, "%s", rest);
		assert_int_equal(decode(text, strlen(text)),
			count < GROUP_REFERENCES_MAX ? CV_OK : CV_ERR_TOO_LONG);
	}
	group_free(&policy);
}

static void times_go_there_and_back(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} times[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-12-31T23:59:59Z", 31535999},
		{"2000-02-29T12:00:00Z", 951825600},
		{"2024-12-31T00:00:00Z", 1735603200},
		{"2026-11-21T06:00:00Z", 1795240800},
		{"2100-03-01T00:00:00Z", 4107542400},
		{"9999-12-31T23:59:59Z", 253402300799},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		uint64_t seconds = 1;

		assert_int_equal(group_time_parse(times[i].text, &seconds), CV_OK);
		assert_int_equal(seconds, times[i].seconds);
	}
}

static void versions_are_compared_by_their_numbers(void **state)
{
	static const char *const rising[] = {"", "0.1", "0.1.0", "0.9", "0.10", "1.0", "1.0a", "1.02b",
		"1.10", "2"};
	const size_t n = sizeof(rising) / sizeof(rising[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			const int order = group_version_compare(rising[i], rising[k]);

			assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
		}
	}
	assert_int_equal(group_version_compare("1.02", "1.2"), 0);
}

static void a_canary_share_is_near_its_percent_and_only_grows(void **state)
{
	size_t few = 0, many = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		char device[16];
		int in_few = 0, in_many = 0;

		snprintf(device, sizeof(device), "d%d", i);
		assert_int_equal(group_is_canary("lamps", device, 10, &in_few), CV_OK);
		assert_int_equal(group_is_canary("lamps", device, 50, &in_many), CV_OK);
		assert_true(!in_few || in_many);
		few += in_few != 0;
		many += in_many != 0;
	}
	assert_in_range(few, 120, 280);
	assert_in_range(many, 850, 1150);
}

static void sign(char out[DOCUMENT_BUF], uint32_t roles)
{
	static char crt[CV_OPCERT_MAX + 1];

	certificate_make(crt, roles);
	document_make(out, GROUP_TYP, crt, good, v_operator_private);
}

static enum cv_err open_text(const struct op_trust *trust, const char *text)
{
	static char payload[CV_GROUP_POLICY_MAX + 1];
	struct opcert signer;
	char problem[200];
	enum cv_err err;

	group_free(&policy);
	err = group_open(&policy, text, strlen(text), trust, &signer, payload, sizeof(payload),
		problem, sizeof(problem));
	if (err == CV_OK)
		assert_string_equal(signer.operator_id, "alice");
	group_free(&policy);
	return err;
}

static void only_an_operator_with_the_role_may_sign(void **state)
{
	static char text[DOCUMENT_BUF];
	struct op_trust trust = vector_trust;
	static struct revocations revoked;

	(void)state;
	sign(text, OP_ROLE_POLICY);
	assert_int_equal(open_text(&trust, text), CV_OK);
	text[strlen(text) - 3] ^= 1;
	assert_int_not_equal(open_text(&trust, text), CV_OK);
	sign(text, OP_ROLES_ALL & ~(uint32_t)OP_ROLE_POLICY);
	assert_int_equal(open_text(&trust, text), CV_ERR_ROLE);
	sign(text, OP_ROLE_POLICY);
	trust.fleet = "other";
	assert_int_equal(open_text(&trust, text), CV_ERR_MISMATCH);
	trust = vector_trust;
	trust.now_s = VECTOR_EXP;
	assert_int_equal(open_text(&trust, text), CV_ERR_EXPIRED);
	trust = vector_trust;
	revoked.count = 1;
	strcpy(revoked.operators[0], "alice");
	trust.revoked = &revoked;
	assert_int_equal(open_text(&trust, text), CV_ERR_DENIED);
}

static void a_second_signature_is_over_this_text_and_by_somebody_else(void **state)
{
	static char crt[CV_OPCERT_MAX + 1], text[DOCUMENT_BUF], second[GROUP_COUNTERSIGN_MAX + 1];
	const struct jws_signer root = jws_key_signer(v_root_private);
	uint8_t private[CV_ES256_PRIVATE_BYTES];
	struct opcert first = {"acme", "alice", {0}, 0, 0, 0}, found;
	struct opcert bob = {"acme", "bob", {0}, OP_ROLE_POLICY, VECTOR_IAT, VECTOR_EXP};
	struct jws_signer signer;
	size_t len;

	(void)state;
	sign(text, OP_ROLE_POLICY);
	memcpy(first.key, v_operator_public, sizeof(first.key));
	assert_int_equal(crypto_es256_keypair(private, bob.key), CV_OK);
	assert_int_equal(opcert_encode(crt, sizeof(crt), &len, &bob, &root), CV_OK);
	signer = jws_key_signer(private);
	assert_int_equal(group_countersign(second, sizeof(second), &len, "acme", text, strlen(text),
		crt, &signer), CV_OK);
	assert_int_equal(group_countersign_verify(&vector_trust, second, len, text, strlen(text),
		&first, &found), CV_OK);
	assert_string_equal(found.operator_id, "bob");
	assert_int_equal(group_countersign_verify(&vector_trust, second, len, text,
		strlen(text) - 1, &first, &found), CV_ERR_MISMATCH);
	/* the same operator under another key, and another name for the same key */
	strcpy(first.operator_id, "bob");
	assert_int_equal(group_countersign_verify(&vector_trust, second, len, text, strlen(text),
		&first, &found), CV_ERR_DENIED);
	strcpy(first.operator_id, "alice");
	memcpy(first.key, bob.key, sizeof(first.key));
	assert_int_equal(group_countersign_verify(&vector_trust, second, len, text, strlen(text),
		&first, &found), CV_ERR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_every_section),
		cmocka_unit_test(refuses_truncations_and_more_and_survives_flips),
		cmocka_unit_test(each_mistake_is_refused),
		cmocka_unit_test(the_most_values_are_taken_and_one_more_is_not),
		cmocka_unit_test(times_go_there_and_back),
		cmocka_unit_test(versions_are_compared_by_their_numbers),
		cmocka_unit_test(a_canary_share_is_near_its_percent_and_only_grows),
		cmocka_unit_test(only_an_operator_with_the_role_may_sign),
		cmocka_unit_test(a_second_signature_is_over_this_text_and_by_somebody_else),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
