/*
 * The verdict for devices of class tpm: the quote's reasons, in their order, the boot pair, PCR values
 * and firmware. What test_authorize.c says of every class is not repeated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/authorize.h"
#include "protocol/crypto.h"

static struct fixture {
	struct authorize_input in;
	struct authorize_request request;
	struct evidence evidence;
	struct record record;
	struct policy policy;
	struct tpm_quote quote;
	struct tpm_attest attest;
	uint8_t ueid[EVIDENCE_UEID_BYTES];
} *f;

static void booted(uint32_t resets, uint32_t restarts)
{
	f->attest.reset_count = resets;
	f->attest.restart_count = restarts;
	tpm_boot_id(f->evidence.platform.boot_id, resets, restarts);
}

static void good(void)
{
	struct record_share *share = &f->record.volumes[0].current;

	memset(f, 0, sizeof(*f));
	f->in.request = &f->request;
	f->in.purpose = f->evidence.purpose = EVIDENCE_UNLOCK;
	f->in.evidence = &f->evidence;
	f->in.ueid = f->ueid;
	f->in.record = &f->record;
	f->in.policy = &f->policy;
	f->in.quote_result = REASON_RELEASE;
	f->in.attest = &f->attest;
	f->in.quote = f->request.quote = &f->quote;
	f->request.epoch = f->evidence.epoch = share->epoch = 4;
	f->record.state = DEVICE_ACTIVE;
	f->record.trust_class = TRUST_TPM;
	f->record.volume_count = 1;
	share->present = true;
	f->evidence.nonce_count = 1;
	f->evidence.platform.dbgstat = EVIDENCE_DEBUG_DISABLED;
	booted(7, 2);
	f->policy.boot = f->policy.pcrs = f->policy.firmware = POLICY_RULES;
	f->policy.boot_max_keys = 2;
	f->policy.boot_max_step = 1;
	f->policy.measurements = f->policy.place = f->policy.iat = POLICY_NOT_REQUIRED;
	f->policy.platform = f->policy.inventory = f->policy.events = POLICY_NOT_REQUIRED;
	f->attest.firmware = 0x20191023;
	f->policy.firmware_count = 2;
	f->policy.firmwares[1] = 0x20191023;
	memset(f->quote.pcrs[7], 0x77, CV_HASH_BYTES);
	f->policy.pcr[7].count = 2;
	memset(f->policy.pcr[7].values[1], 0x77, CV_HASH_BYTES);
	f->policy.pcr[0].count = 1;
}

static void missing(void) { f->request.quote = NULL; }
static void unset(void) { f->in.quote_result = REASON_INTERNAL; }
static void format(void) { f->in.quote_result = REASON_QUOTE_FORMAT; }
static void algorithm(void) { f->in.quote_result = REASON_QUOTE_ALGORITHM; }
static void signature(void) { f->in.quote_result = REASON_QUOTE_SIGNATURE; }
static void type(void) { f->in.quote_result = REASON_QUOTE_TYPE; }
static void key(void) { f->in.quote_result = REASON_QUOTE_KEY; }
static void token(void) { f->in.quote_result = REASON_QUOTE_TOKEN; }
static void selection(void) { f->in.quote_result = REASON_QUOTE_SELECTION; }
static void digest(void) { f->in.quote_result = REASON_QUOTE_DIGEST; }
static void no_attest(void) { f->in.attest = NULL; }
static void no_values(void) { f->in.quote = NULL; }
static void debug(void) { f->evidence.platform.dbgstat = EVIDENCE_DEBUG_ENABLED; }
static void claims_another_boot(void) { f->evidence.platform.boot_id[15] ^= 1; }

static void claims_the_kernels_boot(void)
{
	memset(f->evidence.platform.boot_id, 0xab, CV_BOOT_ID_BYTES);
}

static void firmware_empty(void) { f->policy.firmware = POLICY_EMPTY; }
static void firmware_none(void) { f->policy.firmware_count = 0; }
static void firmware_other(void) { f->attest.firmware++; }
static void pcrs_empty(void) { f->policy.pcrs = POLICY_EMPTY; }

static void pcrs_none(void)
{
	for (size_t i = 0; i < TPM_PCR_COUNT; i++)
		f->policy.pcr[i].count = 0;
}

static void pcr_other(void) { f->quote.pcrs[7][31] ^= 1; }
static void pcr_0_other(void) { f->quote.pcrs[0][0] = 1; }

/* In the order in which they must win; two of one group change the same thing. */
static const struct fault {
	void (*apply)(void);
	enum reason reason;
	int group;
} faults[] = {
	{ missing, REASON_QUOTE_MISSING, 1 },
	{ unset, REASON_INTERNAL, 2 },
	{ format, REASON_QUOTE_FORMAT, 2 },
	{ algorithm, REASON_QUOTE_ALGORITHM, 2 },
	{ signature, REASON_QUOTE_SIGNATURE, 2 },
	{ type, REASON_QUOTE_TYPE, 2 },
	{ key, REASON_QUOTE_KEY, 2 },
	{ token, REASON_QUOTE_TOKEN, 2 },
	{ selection, REASON_QUOTE_SELECTION, 2 },
	{ digest, REASON_QUOTE_DIGEST, 2 },
	{ no_attest, REASON_INTERNAL, 3 },
	{ no_values, REASON_INTERNAL, 3 },
	{ debug, REASON_DEBUG_ENABLED, 4 },
	{ claims_another_boot, REASON_BOOT_FORM, 5 },
	{ claims_the_kernels_boot, REASON_BOOT_FORM, 5 },
	{ firmware_empty, REASON_POLICY_EMPTY, 6 },
	{ firmware_none, REASON_POLICY_EMPTY, 6 },
	{ firmware_other, REASON_FIRMWARE_MISMATCH, 7 },
	{ pcrs_empty, REASON_POLICY_EMPTY, 8 },
	{ pcrs_none, REASON_POLICY_EMPTY, 8 },
	{ pcr_other, REASON_PCR_MISMATCH, 9 },
	{ pcr_0_other, REASON_PCR_MISMATCH, 9 },
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static void releases_when_everything_holds(void **state)
{
	struct verdict v;

	(void)state;
	good();
	v = authorize(&f->in);
	assert_int_equal(v.reason, REASON_RELEASE);
	assert_true(v.new_boot);
	assert_int_equal(v.alerts, 0);
	assert_memory_equal(v.boot.boot_id, f->evidence.platform.boot_id, CV_BOOT_ID_BYTES);
}

static void each_fault_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAULTS; i++) {
		struct verdict v;

		good();
		faults[i].apply();
		v = authorize(&f->in);
		if (v.reason != faults[i].reason)
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
			if (faults[i].group == faults[j].group)
				continue;
			good();
			faults[j].apply();
			faults[i].apply();
			assert_int_equal(authorize(&f->in).reason, faults[i].reason);
		}
	}
}

static enum reason after(uint32_t resets, uint32_t restarts, uint32_t *alerts)
{
	struct verdict v;

	good();
	f->record.boot.known = true;
	f->record.boot.key_count = 1;
	tpm_boot_id(f->record.boot.boot_id, 7, 2);
	booted(resets, restarts);
	v = authorize(&f->in);
	*alerts = v.alerts;
	return v.reason;
}

static void the_boot_pair_never_goes_back(void **state)
{
	uint32_t alerts;

	(void)state;
	assert_int_equal(after(7, 1, &alerts), REASON_BOOT_ROLLBACK);
	assert_int_equal(alerts, AUTHORIZE_ALERT_ROLLBACK);
	assert_int_equal(after(6, 99, &alerts), REASON_BOOT_ROLLBACK);
	assert_int_equal(after(0, 0, &alerts), REASON_BOOT_ROLLBACK); /* cleared */
	assert_int_equal(after(0, UINT32_MAX, &alerts), REASON_BOOT_ROLLBACK);
}

static void suspend_reboot_and_power_cut_are_new_boots(void **state)
{
	uint32_t alerts;

	(void)state;
	assert_int_equal(after(7, 2, &alerts), REASON_RELEASE); /* the same boot */
	assert_int_equal(after(7, 3, &alerts), REASON_RELEASE); /* suspended */
	assert_int_equal(after(8, 0, &alerts), REASON_RELEASE); /* reset: restartCount is 0 again */
	assert_int_equal(alerts, 0);
	/* booted many times without asking for a share: max_step is for counters that devices keep */
	assert_int_equal(after(5000, 0, &alerts), REASON_RELEASE);
	assert_int_equal(after(UINT32_MAX, UINT32_MAX, &alerts), REASON_RELEASE);
}

static void an_unsafe_clock_refuses_nothing(void **state)
{
	(void)state;
	for (uint8_t safe = 0; safe < 2; safe++) {
		good();
		f->attest.safe = safe;
		assert_int_equal(authorize(&f->in).reason, REASON_RELEASE);
	}
}

static void sections_not_required_ask_for_no_value(void **state)
{
	(void)state;
	good();
	f->policy.pcrs = f->policy.firmware = POLICY_NOT_REQUIRED;
	pcr_other();
	firmware_other();
	assert_int_equal(authorize(&f->in).reason, REASON_RELEASE);
	missing(); /* but for a quote they always ask */
	assert_int_equal(authorize(&f->in).reason, REASON_QUOTE_MISSING);
}

static void another_class_gains_nothing_by_a_quote(void **state)
{
	static const enum trust_class classes[] = { TRUST_SOFTWARE, TRUST_MICROCONTROLLER };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		good();
		f->record.trust_class = classes[i];
		assert_int_equal(authorize(&f->in).reason, REASON_QUOTE_UNSUPPORTED);
	}
}

static int setup(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	return f == NULL || crypto_init() != CV_OK ? -1 : 0;
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
		cmocka_unit_test(releases_when_everything_holds),
		cmocka_unit_test(each_fault_has_its_reason),
		cmocka_unit_test(the_first_of_two_faults_names_the_reason),
		cmocka_unit_test(the_boot_pair_never_goes_back),
		cmocka_unit_test(suspend_reboot_and_power_cut_are_new_boots),
		cmocka_unit_test(an_unsafe_clock_refuses_nothing),
		cmocka_unit_test(sections_not_required_ask_for_no_value),
		cmocka_unit_test(another_class_gains_nothing_by_a_quote),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
