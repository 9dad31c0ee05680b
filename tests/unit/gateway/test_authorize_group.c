/* The verdict with a group's policy: each of its rules, and that two policies only narrow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/authorize.h"
#include "protocol/crypto.h"

#define MONDAY 1795392000u /* 2026-11-23T00:00:00Z */
#define HOUR 3600u
#define DAY 86400u

struct fixture {
	struct authorize_input in;
	struct authorize_request request;
	struct evidence evidence;
	struct record record;
	struct policy policy;
	struct group_policy group;
	struct group_reference references[3];
	uint8_t ueid[EVIDENCE_UEID_BYTES];
};

static struct fixture *f;

static void waive(struct policy *p)
{
	p->boot = POLICY_RULES;
	p->boot_max_keys = 3;
	p->boot_max_step = 10;
	p->measurements = p->place = p->iat = POLICY_NOT_REQUIRED;
	p->pcrs = p->firmware = POLICY_NOT_REQUIRED;
	p->platform = p->inventory = p->events = POLICY_NOT_REQUIRED;
}

static void add_reference(size_t i, const char *measurement, const char *name, uint8_t fill)
{
	struct group_reference *r = &f->references[i];

	strcpy(r->measurement, measurement);
	strcpy(r->name, name);
	memset(r->value, fill, sizeof(r->value));
	r->until_s = UINT64_MAX;
}

/* Device "d1" of group "lamps", on a Monday at noon; every rule of the group is there and holds. */
static void good(void)
{
	struct record_share *share = &f->record.volumes[0].current;
	struct evidence_platform *claims = &f->evidence.platform;

	memset(f, 0, sizeof(*f));
	f->in.request = &f->request;
	f->in.purpose = f->evidence.purpose = EVIDENCE_UNLOCK;
	f->in.evidence = &f->evidence;
	f->in.ueid = f->ueid;
	f->in.record = &f->record;
	f->in.policy = &f->policy;
	f->in.group = &f->group;
	f->in.clock.now_s = MONDAY + 12 * HOUR;
	f->in.clock.trusted = true;
	f->request.epoch = f->evidence.epoch = share->epoch = 4;
	strcpy(f->record.device, "d1");
	strcpy(f->record.group, "lamps");
	f->record.state = DEVICE_ACTIVE;
	f->record.trust_class = TRUST_SOFTWARE;
	f->record.volume_count = 1;
	share->present = true;
	f->evidence.nonce_count = 1;
	memset(f->evidence.boot_key, 11, sizeof(f->evidence.boot_key));
	memset(claims->boot_id, 3, sizeof(claims->boot_id));
	claims->dbgstat = EVIDENCE_DEBUG_DISABLED;
	strcpy(claims->swname, "conclave-device");
	strcpy(claims->swversion, "0.9.1");
	claims->digest_count = 2;
	strcpy(claims->digests[0].name, "app");
	memset(claims->digests[0].value, 2, CV_HASH_BYTES);
	strcpy(claims->digests[1].name, "kernel");
	memset(claims->digests[1].value, 5, CV_HASH_BYTES);
	waive(&f->policy);
	waive(&f->group.rules);
	strcpy(f->group.group, "lamps");
	f->group.references = f->group.clients = f->group.windows = f->group.quota = POLICY_RULES;
	f->group.reference = f->references;
	f->group.reference_count = 3;
	add_reference(0, "app", "app 1", 1);
	add_reference(1, "app", "app 2", 2);
	add_reference(2, "kernel", "kernel 6", 5);
	f->group.trust_classes = 1u << TRUST_SOFTWARE;
	f->group.client_count = 1;
	strcpy(f->group.client[0].name, "conclave-device");
	strcpy(f->group.client[0].version, "0.9");
	f->group.window_count = 1;
	f->group.window[0].days = 1;
	f->group.window[0].from_minute = 12 * 60;
	f->group.window[0].until_minute = 13 * 60;
	f->group.releases_per_day = 2;
	f->record.quota_day = MONDAY / DAY;
	f->record.quota_used = 1;
}

static enum reason verdict(void)
{
	return authorize(&f->in).reason;
}

static void releases_when_both_policies_hold(void **state)
{
	struct verdict v;

	(void)state;
	good();
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_true(v.new_boot && v.new_key && !v.approved);
	assert_string_equal(v.reference->name, "app 2");
}

static void without_a_policy_for_its_group_nothing_is_released(void **state)
{
	(void)state;
	good();
	f->in.group = NULL;
	assert_int_equal(verdict(), REASON_POLICY_MISSING);
	/* a policy that nobody asked for, and another group's: a mistake of the caller */
	good();
	f->record.group[0] = '\0';
	assert_int_equal(verdict(), REASON_INTERNAL);
	good();
	strcpy(f->record.group, "pumps");
	assert_int_equal(verdict(), REASON_INTERNAL);
}

static void a_frozen_fleet_refuses_before_any_evidence(void **state)
{
	(void)state;
	good();
	f->in.frozen = true;
	f->in.evidence_result = CV_ERR_SIGNATURE;
	assert_int_equal(verdict(), REASON_FLEET_FROZEN);
	f->record.state = DEVICE_REVOKED;
	assert_int_equal(verdict(), REASON_DEVICE_REVOKED);
}

static void a_group_says_which_classes_it_has(void **state)
{
	(void)state;
	good();
	f->group.trust_classes = 1u << TRUST_TPM | 1u << TRUST_MICROCONTROLLER;
	assert_int_equal(verdict(), REASON_TRUST_CLASS);
	assert_int_equal(authorize(&f->in).source, AUTHORIZE_BY_GROUP);
}

/* Whatever one policy allows, the other can refuse; neither can allow what the other refuses. */
static void two_policies_can_only_narrow(void **state)
{
	struct verdict v;

	(void)state;
	for (int which = 0; which < 2; which++) {
		good();
		(which == 0 ? &f->policy : &f->group.rules)->place = POLICY_RULES;
		(which == 0 ? &f->policy : &f->group.rules)->regions.present = 1;
		v = authorize(&f->in);
		assert_int_equal(v.reason, REASON_PLACE_MISSING);
		assert_int_equal(v.source, which == 0 ? AUTHORIZE_BY_DEVICE : AUTHORIZE_BY_GROUP);
		good();
		(which == 0 ? &f->policy : &f->group.rules)->measurements = POLICY_EMPTY;
		assert_int_equal(verdict(), REASON_POLICY_EMPTY);
		good();
		(which == 0 ? &f->policy : &f->group.rules)->boot = POLICY_EMPTY;
		assert_int_equal(verdict(), REASON_POLICY_EMPTY);
	}
}

static void the_stricter_boot_limits_count(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		good();
		(which == 0 ? &f->policy : &f->group.rules)->boot_max_keys = 1;
		f->record.boot.known = true;
		memset(f->record.boot.boot_id, 3, CV_BOOT_ID_BYTES);
		f->record.boot.key_count = 1;
		assert_int_equal(verdict(), REASON_BOOT_KEY);
		good();
		(which == 0 ? &f->policy : &f->group.rules)->boot_max_step = 1;
		f->record.trust_class = TRUST_MICROCONTROLLER;
		f->group.trust_classes = 1u << TRUST_MICROCONTROLLER;
		f->record.boot.known = true;
		memset(f->evidence.platform.boot_id, 0, CV_BOOT_ID_BYTES);
		f->evidence.platform.boot_id[15] = 2;
		assert_int_equal(verdict(), REASON_BOOT_AHEAD);
	}
}

static void each_measurement_named_needs_a_value(void **state)
{
	(void)state;
	good();
	f->evidence.platform.digests[1].value[31] ^= 1;
	assert_int_equal(verdict(), REASON_MEASUREMENT_MISMATCH);
	good();
	strcpy(f->evidence.platform.digests[1].name, "Kernel");
	assert_int_equal(verdict(), REASON_MEASUREMENT_MISSING);
	good();
	/* a value of another measurement does not help */
	memset(f->evidence.platform.digests[0].value, 5, CV_HASH_BYTES);
	assert_int_equal(verdict(), REASON_MEASUREMENT_MISMATCH);
	good();
	f->group.reference_count = 0;
	assert_int_equal(verdict(), REASON_POLICY_EMPTY);
	good();
	f->group.references = POLICY_EMPTY;
	assert_int_equal(verdict(), REASON_POLICY_EMPTY);
	good();
	f->group.references = POLICY_NOT_REQUIRED;
	f->group.reference = NULL;
	assert_int_equal(verdict(), REASON_RELEASE);
}

static void a_value_holds_from_its_first_second_to_before_its_last(void **state)
{
	(void)state;
	good();
	f->references[1].from_s = f->in.clock.now_s;
	f->references[1].until_s = f->in.clock.now_s + 1;
	assert_int_equal(verdict(), REASON_RELEASE);
	f->references[1].from_s++;
	f->references[1].until_s++;
	assert_int_equal(verdict(), REASON_REFERENCE_EXPIRED);
	f->references[1].from_s = 0;
	f->references[1].until_s = f->in.clock.now_s;
	assert_int_equal(verdict(), REASON_REFERENCE_EXPIRED);
	/* the same value again, under a name that still holds */
	memset(f->references[0].value, 2, CV_HASH_BYTES);
	assert_int_equal(verdict(), REASON_RELEASE);
}

static void the_client_must_be_listed_and_new_enough(void **state)
{
	(void)state;
	good();
	strcpy(f->evidence.platform.swversion, "0.10");
	assert_int_equal(verdict(), REASON_RELEASE);
	strcpy(f->evidence.platform.swversion, "0.8.9");
	assert_int_equal(verdict(), REASON_CLIENT_VERSION);
	strcpy(f->evidence.platform.swversion, "0.10");
	strcpy(f->evidence.platform.swname, "conclave-mcu");
	assert_int_equal(verdict(), REASON_CLIENT_VERSION);
	f->group.client_count = 0;
	assert_int_equal(verdict(), REASON_POLICY_EMPTY);
}

static void windows_open_and_close_on_the_minute(void **state)
{
	(void)state;
	good();
	f->in.clock.now_s = MONDAY + 12 * HOUR - 1;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	f->in.clock.now_s = MONDAY + 13 * HOUR - 1;
	assert_int_equal(verdict(), REASON_RELEASE);
	f->in.clock.now_s = MONDAY + 13 * HOUR;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	f->in.clock.now_s = MONDAY + DAY + 12 * HOUR;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	f->in.clock.now_s = MONDAY + 7 * DAY + 12 * HOUR;
	assert_int_equal(verdict(), REASON_RELEASE);
	f->group.window_count = 0;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	f->group.windows = POLICY_EMPTY;
	assert_int_equal(verdict(), REASON_POLICY_EMPTY);
}

static void a_window_runs_over_midnight_and_the_end_of_the_week(void **state)
{
	(void)state;
	good();
	f->group.releases_per_day = 100;
	f->group.window[0].days = 1u << 6;
	f->group.window[0].from_minute = 22 * 60;
	f->group.window[0].until_minute = 5 * 60;
	f->in.clock.now_s = MONDAY + 5 * HOUR - 1; /* begun on Sunday */
	assert_int_equal(verdict(), REASON_RELEASE);
	f->in.clock.now_s = MONDAY + 5 * HOUR;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	f->in.clock.now_s = MONDAY + 22 * HOUR;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	f->in.clock.now_s = MONDAY - 2 * HOUR;
	assert_int_equal(verdict(), REASON_RELEASE);
	/* all day */
	f->group.window[0].from_minute = 0;
	f->group.window[0].until_minute = 24 * 60;
	f->in.clock.now_s = MONDAY - 1;
	assert_int_equal(verdict(), REASON_RELEASE);
	f->in.clock.now_s = MONDAY;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
}

static void the_quota_counts_new_keys_of_a_day(void **state)
{
	(void)state;
	good();
	f->record.quota_used = 2;
	assert_int_equal(verdict(), REASON_QUOTA_REACHED);
	/* the same boot with the same key gets nothing new */
	f->record.boot.known = true;
	memset(f->record.boot.boot_id, 3, CV_BOOT_ID_BYTES);
	f->record.boot.key_count = 1;
	memset(f->record.boot.keys[0], 11, CV_X25519_BYTES);
	assert_int_equal(verdict(), REASON_RELEASE);
	good();
	f->record.quota_used = 2;
	f->record.quota_day--;
	assert_int_equal(verdict(), REASON_RELEASE);
	/* a clock that went back begins no new day */
	f->record.quota_day += 2;
	assert_int_equal(verdict(), REASON_QUOTA_REACHED);
}

static void maintenance_waives_windows_and_quota_but_no_evidence(void **state)
{
	(void)state;
	good();
	f->in.clock.now_s = MONDAY + 20 * HOUR;
	f->record.quota_used = 2;
	f->group.maintenance_count = 1;
	f->group.maintenance[0].from_s = MONDAY + 20 * HOUR;
	f->group.maintenance[0].until_s = MONDAY + 21 * HOUR;
	assert_int_equal(verdict(), REASON_RELEASE);
	f->evidence.platform.digests[0].value[0] ^= 1;
	assert_int_equal(verdict(), REASON_MEASUREMENT_MISMATCH);
	f->evidence.platform.digests[0].value[0] ^= 1;
	f->in.clock.now_s = MONDAY + 21 * HOUR;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	/* nobody knows whether it is now */
	f->in.clock.now_s = MONDAY + 20 * HOUR;
	f->in.clock.trusted = false;
	f->group.clock_trusted = 1;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
}

static void an_untrusted_clock_refuses_only_where_the_policy_says_so(void **state)
{
	(void)state;
	good();
	f->in.clock.trusted = false;
	f->in.clock.now_s = 100; /* 1970 */
	f->references[1].from_s = MONDAY;
	f->record.quota_used = 100;
	assert_int_equal(verdict(), REASON_RELEASE);
	f->group.clock_trusted = 1;
	assert_int_equal(verdict(), REASON_REFERENCE_EXPIRED);
	f->references[1].from_s = 0;
	assert_int_equal(verdict(), REASON_WINDOW_CLOSED);
	f->group.windows = POLICY_NOT_REQUIRED;
	assert_int_equal(verdict(), REASON_QUOTA_REACHED);
}

static void grant(void)
{
	struct record_grant *g = &f->record.grant;

	g->present = true;
	g->epoch = 4;
	memset(g->boot_key, 11, sizeof(g->boot_key));
	g->given_s = f->in.clock.now_s - AUTHORIZE_GRANT_S + 1;
}

static void approval_is_for_this_volume_epoch_and_key_and_not_for_long(void **state)
{
	(void)state;
	good();
	f->group.approval = 1;
	assert_int_equal(verdict(), REASON_APPROVAL_REQUIRED);
	grant();
	assert_true(authorize(&f->in).approved);
	f->record.grant.given_s--;
	assert_int_equal(verdict(), REASON_APPROVAL_REQUIRED);
	f->record.grant.given_s = f->in.clock.now_s + 1; /* the clock went back */
	assert_int_equal(verdict(), REASON_APPROVAL_REQUIRED);
	grant();
	f->record.grant.boot_key[31] ^= 1;
	assert_int_equal(verdict(), REASON_APPROVAL_REQUIRED);
	grant();
	f->record.grant.epoch = 3;
	assert_int_equal(verdict(), REASON_APPROVAL_REQUIRED);
	grant();
	f->record.grant.epoch = 4;
	f->record.grant.volume_id[0] ^= 1;
	assert_int_equal(verdict(), REASON_APPROVAL_REQUIRED);
	/* a key that got its share before needs no other approval */
	good();
	f->group.approval = 1;
	f->record.boot.known = true;
	memset(f->record.boot.boot_id, 3, CV_BOOT_ID_BYTES);
	f->record.boot.key_count = 1;
	memset(f->record.boot.keys[0], 11, CV_X25519_BYTES);
	assert_int_equal(verdict(), REASON_RELEASE);
}

/* An operator is only asked about what everything else would let pass. */
static void approval_is_asked_for_last(void **state)
{
	(void)state;
	good();
	f->group.approval = 1;
	f->policy.place = POLICY_RULES;
	f->policy.regions.present = 1;
	assert_int_equal(verdict(), REASON_PLACE_MISSING);
	good();
	f->group.approval = 1;
	f->record.quota_used = 2;
	assert_int_equal(verdict(), REASON_QUOTA_REACHED);
}

/* What a dry run says of evidence is what the verdict would say, less what is about the moment. */
static void a_dry_run_agrees_with_the_verdict(void **state)
{
	(void)state;
	good();
	f->in.nonce = CV_ERR_NONCE_EXPIRED;
	f->in.frozen = true;
	assert_int_equal(authorize_again(&f->in).reason, REASON_RELEASE);
	f->evidence.platform.digests[0].value[0] ^= 1;
	assert_int_equal(authorize_again(&f->in).reason, REASON_MEASUREMENT_MISMATCH);
	good();
	f->group.trust_classes = 1u << TRUST_TPM;
	assert_int_equal(authorize_again(&f->in).reason, REASON_TRUST_CLASS);
	good();
	f->in.evidence_result = CV_ERR_SIGNATURE;
	assert_int_equal(authorize_again(&f->in).reason, REASON_EVIDENCE_SIGNATURE);
}

static int setup(void **state)
{
	(void)state;
	f = malloc(sizeof(*f));
	return f != NULL && crypto_init() == CV_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_when_both_policies_hold),
		cmocka_unit_test(without_a_policy_for_its_group_nothing_is_released),
		cmocka_unit_test(a_frozen_fleet_refuses_before_any_evidence),
		cmocka_unit_test(a_group_says_which_classes_it_has),
		cmocka_unit_test(two_policies_can_only_narrow),
		cmocka_unit_test(the_stricter_boot_limits_count),
		cmocka_unit_test(each_measurement_named_needs_a_value),
		cmocka_unit_test(a_value_holds_from_its_first_second_to_before_its_last),
		cmocka_unit_test(the_client_must_be_listed_and_new_enough),
		cmocka_unit_test(windows_open_and_close_on_the_minute),
		cmocka_unit_test(a_window_runs_over_midnight_and_the_end_of_the_week),
		cmocka_unit_test(the_quota_counts_new_keys_of_a_day),
		cmocka_unit_test(maintenance_waives_windows_and_quota_but_no_evidence),
		cmocka_unit_test(an_untrusted_clock_refuses_only_where_the_policy_says_so),
		cmocka_unit_test(approval_is_for_this_volume_epoch_and_key_and_not_for_long),
		cmocka_unit_test(approval_is_asked_for_last),
		cmocka_unit_test(a_dry_run_agrees_with_the_verdict),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
