/* Golden tests: the words on the wire, each used once. */
#include "protocol/enrol.h"
#include "protocol/message.h"
#include "protocol/opcert.h"
#include "protocol/reason.h"

#include "tests/unit/protocol/check.h"

static void every_reason_has_its_own_code_and_parses_back(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_COUNT_; i++) {
		enum reason reason = (enum reason)i;

		assert_int_equal(reason_parse(reason_code(reason)), reason);
		for (const char *c = reason_code(reason); *c != '\0'; c++)
			assert_true((*c >= 'a' && *c <= 'z') || *c == '_');
	}
	assert_int_equal(reason_parse(""), REASON_INTERNAL);
	assert_int_equal(reason_parse("nonce_Spent"), REASON_INTERNAL);
	assert_string_equal(reason_code(REASON_COUNT_), "internal");
	assert_string_equal(reason_code((enum reason)-1), "internal");
}

static void hints_follow_the_document(void **state)
{
	static const enum reason later[] = {
		REASON_RATE_LIMITED, REASON_BUSY, REASON_STORE_FAILED, REASON_INTERNAL,
		REASON_WINDOW_CLOSED, REASON_QUOTA_REACHED, REASON_APPROVAL_REQUIRED};
	static const enum reason again[] = {
		REASON_NONCE_FOREIGN, REASON_NONCE_EXPIRED, REASON_NONCE_SPENT};

	(void)state;
	for (int i = 0; i < REASON_COUNT_; i++) {
		enum retry_hint want = RETRY_NO;

		for (size_t k = 0; k < sizeof(later) / sizeof(later[0]); k++)
			want = later[k] == (enum reason)i ? RETRY_LATER : want;
		for (size_t k = 0; k < 3; k++)
			want = again[k] == (enum reason)i ? RETRY_NEW_NONCE : want;
		assert_int_equal(reason_retry((enum reason)i), want);
	}
	assert_string_equal(retry_hint_text(RETRY_NO), "no");
	assert_string_equal(retry_hint_text(RETRY_NEW_NONCE), "new_nonce");
	assert_string_equal(retry_hint_text(RETRY_LATER), "later");
}

static void roles_classes_events_and_states_have_their_words(void **state)
{
	static const char *const roles[] = {"enrol", "revoke", "policy", "audit", "deal"};

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		assert_string_equal(op_role_name((enum op_role)(1u << i)), roles[i]);
		assert_int_equal(op_role_parse(roles[i]), 1u << i);
	}
	assert_int_equal(op_role_parse("root"), 0);
	assert_int_equal(op_role_parse(""), 0);
	assert_string_equal(trust_class_name(TRUST_SOFTWARE), "software");
	assert_string_equal(trust_class_name(TRUST_MICROCONTROLLER), "microcontroller");
	assert_string_equal(trust_class_name(TRUST_TPM), "tpm");
	assert_int_equal(trust_class_parse("microcontroller"), TRUST_MICROCONTROLLER);
	assert_int_equal(trust_class_parse("none"), 0);
	assert_string_equal(device_event_name(DEVICE_EVENT_MOUNT_OK), "MOUNT_OK");
	assert_string_equal(device_event_name(DEVICE_EVENT_MOUNT_FAIL), "MOUNT_FAIL");
	assert_string_equal(device_event_name(DEVICE_EVENT_SHARE_INVALID), "SHARE_INVALID");
	assert_string_equal(device_event_name(DEVICE_EVENT_CHECKPOINT), "CHECKPOINT");
	assert_string_equal(device_state_name(DEVICE_ACTIVE), "active");
	assert_string_equal(device_state_name(DEVICE_QUARANTINED), "quarantined");
	assert_string_equal(device_state_name(DEVICE_REVOKED), "revoked");
}

static void every_error_has_its_own_text(void **state)
{
	(void)state;
	for (int i = 0; i < CV_ERR_COUNT_; i++) {
		assert_string_not_equal(cv_err_text((enum cv_err)i), "unknown error");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
				cv_err_text((enum cv_err)i), cv_err_text((enum cv_err)k));
	}
	assert_string_equal(cv_err_text(CV_ERR_COUNT_), "unknown error");
	assert_string_equal(cv_err_text((enum cv_err)-1), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_its_own_code_and_parses_back),
		cmocka_unit_test(hints_follow_the_document),
		cmocka_unit_test(roles_classes_events_and_states_have_their_words),
		cmocka_unit_test(every_error_has_its_own_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
