/*
 * The verdict: each reason by itself, every pair of reasons in the order of docs/protocol.md
 * section 9, and the boot rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/authorize.h"
#include "gateway/keeper_state.h"
#include "protocol/crypto.h"

struct fixture {
	struct authorize_input in;
	struct authorize_request request;
	struct evidence evidence;
	struct record record;
	struct policy policy;
	uint8_t ueid[EVIDENCE_UEID_BYTES];
};

static struct fixture *f;

static void set_list(struct policy_list *list, const char *name)
{
	list->present = 1;
	list->count = 2;
	strcpy(list->names[0], "elsewhere");
	strcpy(list->names[1], name);
}

/* Everything is demanded, and everything holds. */
static void good(void)
{
	struct record_share *share = &f->record.volumes[0].current;
	struct evidence_platform *claims = &f->evidence.platform;

	memset(f, 0, sizeof(*f));
	f->in.request = &f->request;
	f->in.purpose = EVIDENCE_UNLOCK;
	f->in.nonce = CV_OK;
	f->in.evidence_result = CV_OK;
	f->in.evidence = &f->evidence;
	f->in.ueid = f->ueid;
	f->in.record = &f->record;
	f->in.policy = &f->policy;
	f->in.clock.now_s = 2000000000;
	f->in.clock.trusted = true;
	memset(f->ueid, 7, sizeof(f->ueid));
	memset(f->request.volume_id, 1, sizeof(f->request.volume_id));
	f->request.epoch = 4;
	memset(f->request.nonce, 9, sizeof(f->request.nonce));
	strcpy(f->record.device, "d1");
	f->record.state = DEVICE_ACTIVE;
	f->record.trust_class = TRUST_SOFTWARE;
	f->record.volume_count = 1;
	memset(f->record.volumes[0].volume_id, 1, CV_VOLUME_ID_BYTES);
	share->present = true;
	share->epoch = 4;
	memset(share->share_set_hash, 5, sizeof(share->share_set_hash));
	f->evidence.purpose = EVIDENCE_UNLOCK;
	memset(f->evidence.ueid, 7, sizeof(f->evidence.ueid));
	memset(f->evidence.volume_id, 1, sizeof(f->evidence.volume_id));
	f->evidence.epoch = 4;
	memset(f->evidence.share_set_hash, 5, sizeof(f->evidence.share_set_hash));
	f->evidence.nonce_count = 2;
	memset(f->evidence.nonces[0], 8, CV_NONCE_BYTES);
	memset(f->evidence.nonces[1], 9, CV_NONCE_BYTES);
	memset(f->evidence.boot_key, 11, sizeof(f->evidence.boot_key));
	memset(claims->boot_id, 3, sizeof(claims->boot_id));
	claims->dbgstat = EVIDENCE_DEBUG_DISABLED;
	claims->iat_s = 2000000000 - 60;
	claims->digest_count = 2;
	strcpy(claims->digests[0].name, "kernel");
	strcpy(claims->digests[1].name, "app");
	memset(claims->digests[1].value, 2, CV_HASH_BYTES);
	claims->has_region = 1;
	strcpy(claims->region, "emea");
	strcpy(claims->state, "hessen");
	strcpy(claims->city, "kassel");
	f->policy.boot = f->policy.measurements = f->policy.place = f->policy.iat = POLICY_RULES;
	f->policy.platform = f->policy.inventory = f->policy.events = POLICY_NOT_REQUIRED;
	f->policy.boot_max_keys = 2;
	f->policy.boot_max_step = 10;
	f->policy.measurement_count = 1;
	strcpy(f->policy.measurement[0].name, "app");
	f->policy.measurement[0].count = 2;
	memset(f->policy.measurement[0].values[1], 2, CV_HASH_BYTES);
	set_list(&f->policy.regions, "emea");
	set_list(&f->policy.states, "hessen");
	set_list(&f->policy.cities, "kassel");
	f->policy.iat_max_age_s = 300;
	f->policy.iat_max_ahead_s = 30;
}

static void nonce_foreign(void) { f->in.nonce = CV_ERR_NONCE_FOREIGN; }
static void nonce_expired(void) { f->in.nonce = CV_ERR_NONCE_EXPIRED; }
static void nonce_spent(void) { f->in.nonce = CV_ERR_NONCE_SPENT; }
static void nonce_busy(void) { f->in.nonce = CV_ERR_BUSY; }
static void nonce_unset(void) { f->in.nonce = CV_ERR_INTERNAL; }
static void volume(void) { f->record.volumes[0].volume_id[15] ^= 1; }
static void epoch(void) { f->record.volumes[0].current.epoch = 5; }
static void no_share(void) { f->record.volumes[0].current.present = false; }
static void revoked(void) { f->record.state = DEVICE_REVOKED; }
static void quarantined(void) { f->record.state = DEVICE_QUARANTINED; }
static void no_state(void) { f->record.state = (enum device_state)0; }
static void ev_format(void) { f->in.evidence_result = CV_ERR_FORMAT; }
static void ev_type(void) { f->in.evidence_result = CV_ERR_TYPE; }
static void ev_range(void) { f->in.evidence_result = CV_ERR_RANGE; }
static void ev_long(void) { f->in.evidence_result = CV_ERR_TOO_LONG; }
static void ev_algorithm(void) { f->in.evidence_result = CV_ERR_ALGORITHM; }
static void ev_signature(void) { f->in.evidence_result = CV_ERR_SIGNATURE; }
static void ev_unset(void) { f->in.evidence_result = CV_ERR_INTERNAL; }
static void ev_crypto(void) { f->in.evidence_result = CV_ERR_CRYPTO; }
static void ev_profile(void) { f->evidence.other_profile = 1; }
static void ev_purpose(void) { f->evidence.purpose = EVIDENCE_CHECK; }
static void ev_nonce(void) { f->evidence.nonces[1][39] ^= 1; }
static void ev_device(void) { f->evidence.ueid[32] ^= 1; }
static void ev_volume(void) { f->evidence.volume_id[0] ^= 1; }
static void ev_epoch(void) { f->evidence.epoch = 3; }
static void ev_share_set(void) { f->evidence.share_set_hash[31] ^= 1; }
static struct tpm_quote a_quote;

static void quote(void) { f->request.quote = &a_quote; }
static void debug(void) { f->evidence.platform.dbgstat = EVIDENCE_DEBUG_ENABLED; }
static void debug_odd(void) { f->evidence.platform.dbgstat = (enum evidence_debug)77; }
static void no_policy(void) { f->in.policy = NULL; }
static void boot_empty(void) { f->policy.boot = POLICY_EMPTY; }
static void boot_form(void) { memset(f->evidence.platform.boot_id, 0, 8); }

static void counter(uint64_t last, uint64_t now)
{
	f->record.trust_class = TRUST_MICROCONTROLLER;
	f->record.boot.known = true;
	memset(f->record.boot.boot_id, 0, CV_BOOT_ID_BYTES);
	memset(f->evidence.platform.boot_id, 0, CV_BOOT_ID_BYTES);
	for (int i = 0; i < 8; i++) {
		f->record.boot.boot_id[15 - i] = (uint8_t)(last >> 8 * i);
		f->evidence.platform.boot_id[15 - i] = (uint8_t)(now >> 8 * i);
	}
}

static void boot_rollback(void) { counter(100, 99); }
static void boot_ahead(void) { counter(100, 111); }

static void boot_key(void)
{
	f->record.boot.known = true;
	memcpy(f->record.boot.boot_id, f->evidence.platform.boot_id, CV_BOOT_ID_BYTES);
	f->record.boot.key_count = 2;
	memset(f->record.boot.keys, 0x55, sizeof(f->record.boot.keys));
}

static void iat_empty(void) { f->policy.iat = POLICY_EMPTY; }
static void iat_missing(void) { f->evidence.platform.iat_s = 0; }
static void iat_old(void) { f->evidence.platform.iat_s = 2000000000 - 301; }
static void iat_ahead(void) { f->evidence.platform.iat_s = 2000000000 + 31; }
static void iat_untrusted(void) { f->in.clock.trusted = false; }
static void measurements_empty(void) { f->policy.measurements = POLICY_EMPTY; }
static void measurements_none(void) { f->policy.measurement_count = 0; }
static void measurement_missing(void) { strcpy(f->evidence.platform.digests[1].name, "App"); }
static void measurement_mismatch(void) { f->evidence.platform.digests[1].value[31] ^= 1; }
static void pcrs_ruled(void) { f->policy.pcrs = POLICY_RULES; }
static void firmware_ruled(void) { f->policy.firmware = POLICY_RULES; }
static void place_empty(void) { f->policy.place = POLICY_EMPTY; }

static void place_no_list(void)
{
	f->policy.regions.present = f->policy.states.present = f->policy.cities.present = 0;
}

static void place_missing(void) { f->evidence.platform.has_region = 0; }
static void region_denied(void) { strcpy(f->evidence.platform.region, "apac"); }
static void state_denied(void) { strcpy(f->evidence.platform.state, "Hessen"); }
static void city_denied(void) { f->policy.cities.count = 0; }

/* In the order in which they must win; two of one group change the same thing. */
static const struct fault {
	void (*apply)(void);
	enum reason reason;
	int group;
} faults[] = {
	{ nonce_foreign, REASON_NONCE_FOREIGN, 1 },
	{ nonce_expired, REASON_NONCE_EXPIRED, 1 },
	{ nonce_spent, REASON_NONCE_SPENT, 1 },
	{ nonce_busy, REASON_BUSY, 1 },
	{ nonce_unset, REASON_INTERNAL, 1 },
	{ volume, REASON_VOLUME_UNKNOWN, 2 },
	{ epoch, REASON_EPOCH_UNKNOWN, 3 },
	{ no_share, REASON_EPOCH_UNKNOWN, 3 },
	{ revoked, REASON_DEVICE_REVOKED, 4 },
	{ quarantined, REASON_DEVICE_QUARANTINED, 4 },
	{ no_state, REASON_INTERNAL, 4 },
	{ ev_format, REASON_EVIDENCE_FORMAT, 5 },
	{ ev_type, REASON_EVIDENCE_FORMAT, 5 },
	{ ev_range, REASON_EVIDENCE_FORMAT, 5 },
	{ ev_long, REASON_EVIDENCE_FORMAT, 5 },
	{ ev_algorithm, REASON_EVIDENCE_ALGORITHM, 5 },
	{ ev_signature, REASON_EVIDENCE_SIGNATURE, 5 },
	{ ev_unset, REASON_INTERNAL, 5 },
	{ ev_crypto, REASON_INTERNAL, 5 },
	{ ev_profile, REASON_EVIDENCE_PROFILE, 6 },
	{ ev_purpose, REASON_EVIDENCE_PURPOSE, 7 },
	{ ev_nonce, REASON_EVIDENCE_NONCE, 8 },
	{ ev_device, REASON_EVIDENCE_DEVICE, 9 },
	{ ev_volume, REASON_EVIDENCE_VOLUME, 10 },
	{ ev_epoch, REASON_EVIDENCE_EPOCH, 11 },
	{ ev_share_set, REASON_EVIDENCE_SHARE_SET, 12 },
	{ quote, REASON_QUOTE_UNSUPPORTED, 13 },
	{ debug, REASON_DEBUG_ENABLED, 14 },
	{ debug_odd, REASON_DEBUG_ENABLED, 14 },
	{ no_policy, REASON_POLICY_EMPTY, 15 },
	{ boot_empty, REASON_POLICY_EMPTY, 16 },
	{ boot_form, REASON_BOOT_FORM, 17 },
	{ boot_rollback, REASON_BOOT_ROLLBACK, 17 },
	{ boot_ahead, REASON_BOOT_AHEAD, 17 },
	{ boot_key, REASON_BOOT_KEY, 17 },
	{ iat_empty, REASON_POLICY_EMPTY, 18 },
	{ iat_missing, REASON_TIME_MISSING, 19 },
	{ iat_old, REASON_TIME_OUTSIDE, 19 },
	{ iat_ahead, REASON_TIME_OUTSIDE, 19 },
	{ iat_untrusted, REASON_TIME_OUTSIDE, 20 },
	{ measurements_empty, REASON_POLICY_EMPTY, 21 },
	{ measurements_none, REASON_POLICY_EMPTY, 22 },
	{ measurement_missing, REASON_MEASUREMENT_MISSING, 23 },
	{ measurement_mismatch, REASON_MEASUREMENT_MISMATCH, 24 },
	{ pcrs_ruled, REASON_QUOTE_MISSING, 31 },
	{ firmware_ruled, REASON_QUOTE_MISSING, 31 },
	{ place_empty, REASON_POLICY_EMPTY, 25 },
	{ place_no_list, REASON_POLICY_EMPTY, 26 },
	{ place_missing, REASON_PLACE_MISSING, 27 },
	{ region_denied, REASON_PLACE_DENIED, 28 },
	{ state_denied, REASON_PLACE_DENIED, 29 },
	{ city_denied, REASON_PLACE_DENIED, 30 },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static void releases_when_everything_holds(void **state)
{
	struct verdict v;

	(void)state;
	good();
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_ptr_equal(v.share, &f->record.volumes[0].current);
	assert_true(v.new_boot);
	assert_int_equal(v.alerts, 0);
}

static void each_fault_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAULTS; i++) {
		struct verdict v;

		good();
		faults[i].apply();
		v = authorize(&f->in);
		if (v.reason != faults[i].reason || v.share != NULL)
			print_error("fault %zu gives %s\n", i, reason_code(v.reason));
		assert_int_equal(v.reason, faults[i].reason);
		assert_null(v.share);
	}
}

static void the_first_of_two_faults_names_the_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAULTS; i++) {
		for (size_t j = i + 1; j < FAULTS; j++) {
			enum reason got;

			if (faults[i].group == faults[j].group)
				continue;
			good();
			faults[j].apply();
			faults[i].apply();
			got = authorize(&f->in).reason;
			if (got != faults[i].reason)
				print_error("faults %zu and %zu give %s\n", i, j, reason_code(got));
			assert_int_equal(got, faults[i].reason);
		}
	}
}

/* Each reason that a verdict can have is in the table above, or in test_authorize_{tpm,place,residency,events}.c. */
static void every_reason_is_tested(void **state)
{
	static const enum reason elsewhere[] = { REASON_RELEASE, REASON_RATE_LIMITED,
		REASON_STORE_FAILED, REASON_MALFORMED, REASON_COUNTER_REUSED,
		REASON_QUOTE_FORMAT, REASON_QUOTE_ALGORITHM, REASON_QUOTE_SIGNATURE,
		REASON_QUOTE_TYPE, REASON_QUOTE_KEY, REASON_QUOTE_TOKEN, REASON_QUOTE_SELECTION,
		REASON_QUOTE_DIGEST, REASON_PCR_MISMATCH, REASON_FIRMWARE_MISMATCH,
		REASON_PLACE_SOURCE, REASON_PLACE_STALE, REASON_PLACE_ACCURACY, REASON_RESIDENCY_MISSING,
		REASON_RESIDENCY_MISMATCH, REASON_INVENTORY_MISSING, REASON_INVENTORY_MISMATCH,
		REASON_EVENT_MISSING, REASON_EVENT_REPLAY, REASON_EVENT_MISMATCH, REASON_EVENT_ABSENT,
		/* test_authorize_group.c */
		REASON_TRUST_CLASS, REASON_CLIENT_VERSION, REASON_REFERENCE_EXPIRED,
		REASON_WINDOW_CLOSED, REASON_QUOTA_REACHED, REASON_APPROVAL_REQUIRED,
		REASON_POLICY_MISSING, REASON_FLEET_FROZEN };

	(void)state;
	for (int r = 0; r < REASON_COUNT_; r++) {
		bool found = false;

		for (size_t i = 0; i < FAULTS; i++)
			found = found || faults[i].reason == (enum reason)r;
		for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
			found = found || elsewhere[i] == (enum reason)r;
		if (!found)
			print_error("no test for %s\n", reason_code((enum reason)r));
		assert_true(found);
	}
}

static void a_zeroed_input_refuses(void **state)
{
	(void)state;
	good();
	memset(&f->record, 0, sizeof(f->record));
	memset(&f->policy, 0, sizeof(f->policy));
	memset(&f->evidence, 0, sizeof(f->evidence));
	assert_int_not_equal(authorize(&f->in).reason, REASON_RELEASE);
}

static void before_evidence_agrees_with_the_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAULTS; i++) {
		enum reason early;

		good();
		faults[i].apply();
		early = authorize_before_evidence(&f->in);
		if (early != REASON_RELEASE)
			assert_int_equal(early, authorize(&f->in).reason);
		assert_int_equal(early != REASON_RELEASE, faults[i].group <= 4);
	}
}

static void sections_not_required_ask_for_nothing(void **state)
{
	(void)state;
	good();
	f->policy.iat = f->policy.place = f->policy.measurements = POLICY_NOT_REQUIRED;
	iat_missing();
	iat_untrusted();
	measurement_mismatch();
	place_missing();
	assert_int_equal(authorize(&f->in).reason, REASON_RELEASE);
}

static void the_edges_of_the_time_window_are_inside(void **state)
{
	(void)state;
	good();
	f->evidence.platform.iat_s = 2000000000 - 300;
	assert_int_equal(authorize(&f->in).reason, REASON_RELEASE);
	f->evidence.platform.iat_s = 2000000000 + 30;
	assert_int_equal(authorize(&f->in).reason, REASON_RELEASE);
	f->evidence.platform.iat_s = UINT64_MAX;
	assert_int_equal(authorize(&f->in).reason, REASON_TIME_OUTSIDE);
	f->in.clock.now_s = 0;
	assert_int_equal(authorize(&f->in).reason, REASON_TIME_OUTSIDE);
}

static void the_pending_share_has_its_own_epoch(void **state)
{
	struct record_share *pending = &f->record.volumes[0].pending;

	(void)state;
	good();
	*pending = f->record.volumes[0].current;
	pending->epoch = 5;
	memset(pending->share_set_hash, 6, sizeof(pending->share_set_hash));
	assert_ptr_equal(authorize(&f->in).share, &f->record.volumes[0].current);
	f->request.epoch = f->evidence.epoch = 5;
	assert_int_equal(authorize(&f->in).reason, REASON_EVIDENCE_SHARE_SET);
	memset(f->evidence.share_set_hash, 6, CV_HASH_BYTES);
	assert_ptr_equal(authorize(&f->in).share, pending);
}

static void a_check_needs_a_token_for_a_check(void **state)
{
	(void)state;
	good();
	f->in.purpose = EVIDENCE_CHECK;
	assert_int_equal(authorize(&f->in).reason, REASON_EVIDENCE_PURPOSE);
	f->evidence.purpose = EVIDENCE_CHECK;
	assert_int_equal(authorize(&f->in).reason, REASON_RELEASE);
}

static void the_same_boot_keeps_its_keys(void **state)
{
	struct verdict v;

	(void)state;
	good();
	f->record.boot = authorize(&f->in).boot;
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_false(v.new_boot);
	assert_int_equal(v.boot.key_count, 1);
	f->evidence.boot_key[0] ^= 1;
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_int_equal(v.alerts, AUTHORIZE_ALERT_NEW_BOOT_KEY);
	assert_int_equal(v.boot.key_count, 2);
	f->record.boot = v.boot;
	f->evidence.boot_key[0] ^= 2;
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_BOOT_KEY);
	assert_int_equal(v.alerts, AUTHORIZE_ALERT_CLONE);
	/* An operator forgot the keys: the next is taken without an alert. */
	f->record.boot.key_count = 0;
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_int_equal(v.alerts, 0);
	f->evidence.platform.boot_id[5] ^= 1;
	v = authorize(&f->in);
	assert_true(v.new_boot);
	assert_int_equal(v.boot.key_count, 1);
	assert_int_equal(v.boot.history_count, 1);
}

static void no_policy_allows_more_keys_than_a_record_holds(void **state)
{
	(void)state;
	good();
	boot_key();
	f->record.boot.key_count = RECORD_BOOT_KEYS_MAX;
	f->policy.boot_max_keys = UINT32_MAX;
	assert_int_equal(authorize(&f->in).reason, REASON_BOOT_KEY);
}

static void an_older_boot_that_comes_back_looks_like_a_clone(void **state)
{
	struct verdict v;
	uint8_t first;

	(void)state;
	good();
	first = f->evidence.platform.boot_id[0];
	for (uint8_t i = 0; i < 3; i++) {
		f->evidence.platform.boot_id[0] = (uint8_t)(first + i);
		v = authorize(&f->in);
		assert_int_equal(v.alerts, 0);
		f->record.boot = v.boot;
	}
	f->evidence.platform.boot_id[0] = first;
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_int_equal(v.alerts, AUTHORIZE_ALERT_CLONE);
}

static void a_counter_goes_up_by_small_steps(void **state)
{
	struct verdict v;

	(void)state;
	good();
	counter(100, 110);
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_true(v.new_boot);
	counter(100, 99);
	assert_int_equal(authorize(&f->in).alerts, AUTHORIZE_ALERT_ROLLBACK);
	counter(100, UINT64_MAX);
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_BOOT_AHEAD);
	assert_int_equal(v.alerts, AUTHORIZE_ALERT_COUNTER_AHEAD);
	/* The first counter of all is taken as it is. */
	counter(0, 5000);
	f->record.boot.known = false;
	assert_int_equal(authorize(&f->in).reason, REASON_RELEASE);
}

static void a_spent_nonce_is_told_as_replay(void **state)
{
	(void)state;
	good();
	nonce_spent();
	assert_int_equal(authorize(&f->in).alerts, AUTHORIZE_ALERT_REPLAY);
}

static void the_clock_is_trusted_by_its_rule(void **state)
{
	(void)state;
	assert_true(keeper_clock_judge(200, false, 100, 150).trusted);
	assert_false(keeper_clock_judge(99, false, 100, 50).trusted);
	assert_false(keeper_clock_judge(99, true, 100, 50).trusted);
	assert_false(keeper_clock_judge(149, false, 100, 150).trusted);
	/* Once synchronised, a clock that had run ahead is put right. */
	assert_true(keeper_clock_judge(149, true, 100, 150).trusted);
	assert_false(keeper_clock_judge(0, false, keeper_build_time_s(), 0).trusted);
}

static int set_up(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	return f != NULL && crypto_init() == CV_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_when_everything_holds),
		cmocka_unit_test(each_fault_has_its_reason),
		cmocka_unit_test(the_first_of_two_faults_names_the_reason),
		cmocka_unit_test(every_reason_is_tested),
		cmocka_unit_test(a_zeroed_input_refuses),
		cmocka_unit_test(before_evidence_agrees_with_the_verdict),
		cmocka_unit_test(sections_not_required_ask_for_nothing),
		cmocka_unit_test(the_edges_of_the_time_window_are_inside),
		cmocka_unit_test(the_pending_share_has_its_own_epoch),
		cmocka_unit_test(a_check_needs_a_token_for_a_check),
		cmocka_unit_test(the_same_boot_keeps_its_keys),
		cmocka_unit_test(no_policy_allows_more_keys_than_a_record_holds),
		cmocka_unit_test(an_older_boot_that_comes_back_looks_like_a_clone),
		cmocka_unit_test(a_counter_goes_up_by_small_steps),
		cmocka_unit_test(a_spent_nonce_is_told_as_replay),
		cmocka_unit_test(the_clock_is_trusted_by_its_rule),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
