#include "protocol/eventlog.h"

#include "protocol/tpm_quote.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/vectors/eventlog_vectors.h"

#define SPEC_ALGORITHMS 56 /* offset of their number in the header event */
#define FIRST 69	   /* offset of the second event: StartupLocality */

static struct eventlog log_;

static enum cv_err condense(const char *data, size_t len)
{
	memset(&log_, 0xaa, sizeof(log_));
	return eventlog_condense(&log_, (const uint8_t *)data, len);
}

static void condenses_and_replays_what_the_reference_wrote(void **state)
{
	uint8_t value[CV_HASH_BYTES];

	(void)state;
	damage_accepts(condense, v_eventlog, sizeof(v_eventlog));
	assert_int_equal(log_.len, sizeof(v_eventlog_condensed));
	assert_memory_equal(log_.bytes, v_eventlog_condensed, sizeof(v_eventlog_condensed));
	assert_int_equal(eventlog_check(&log_), CV_OK);
	assert_int_equal(eventlog_count(&log_), 20);
	for (size_t i = 0; i < TPM_PCR_COUNT; i++) {
		assert_int_equal(eventlog_replay(value, &log_, tpm_pcr_number(i)), CV_OK);
		assert_memory_equal(value, v_eventlog_pcrs + i * CV_HASH_BYTES, sizeof(value));
	}
}

/* Cut between two events it is a shorter log, anywhere else it is none. */
static void refuses_every_truncation_inside_an_event(void **state)
{
	struct eventlog_reader r;
	struct eventlog_event event;
	static char ends[sizeof(v_eventlog) + 1];

	(void)state;
	assert_int_equal(eventlog_open(&r, v_eventlog, sizeof(v_eventlog)), CV_OK);
	do {
		ends[sizeof(v_eventlog) - r.left] = 1;
	} while (eventlog_next(&r, &event) == CV_OK);
	for (size_t n = 0; n < sizeof(v_eventlog); n++) {
		enum cv_err err = damage_run(condense, v_eventlog, n);

		assert_int_equal(err == CV_OK, ends[n] != 0);
		if (err != CV_OK)
			assert_int_equal(log_.len, 0);
	}
	damage_refuses_one_more(condense, v_eventlog, sizeof(v_eventlog));
}

/* A flip is noticed by the replay, unless it is in what no PCR covers: type, data, SHA-1, PCR 10. */
static enum cv_err judge(const char *data, size_t len)
{
	enum cv_err err = condense(data, len);

	if (err == CV_OK && eventlog_check(&log_) != CV_OK)
		fail_msg("condensed to what is not valid");
	return err;
}

static void survives_every_flip(void **state)
{
	(void)state;
	damage_flips(judge, v_eventlog, sizeof(v_eventlog));
}

static enum cv_err bent(size_t offset, uint8_t value)
{
	static uint8_t log[sizeof(v_eventlog)];

	memcpy(log, v_eventlog, sizeof(log));
	assert_int_not_equal(log[offset], value);
	log[offset] = value;
	return damage_run(condense, log, sizeof(log));
}

static void numbers_that_lie_are_refused(void **state)
{
	(void)state;
	assert_int_equal(v_eventlog[SPEC_ALGORITHMS], 2);
	assert_int_equal(bent(0, 1), CV_ERR_FORMAT);			   /* PCR of the header */
	assert_int_equal(bent(4, 4), CV_ERR_FORMAT);			   /* its type */
	assert_int_equal(bent(31, 0x80), CV_ERR_FORMAT);		   /* its size */
	assert_int_equal(bent(46, '2'), CV_ERR_FORMAT);			   /* Spec ID Event02 */
	assert_int_equal(bent(SPEC_ALGORITHMS, 0), CV_ERR_FORMAT);
	assert_int_equal(bent(SPEC_ALGORITHMS, 1), CV_ERR_FORMAT);
	assert_int_equal(bent(SPEC_ALGORITHMS + 3, 0x80), CV_ERR_FORMAT);
	assert_int_equal(bent(SPEC_ALGORITHMS + 8, 0x0c), CV_ERR_ALGORITHM); /* no SHA-256 */
	assert_int_equal(bent(SPEC_ALGORITHMS + 8, 0x04), CV_ERR_FORMAT);    /* SHA-1 twice */
	assert_int_equal(bent(SPEC_ALGORITHMS + 10, 31), CV_ERR_FORMAT);     /* of 31 bytes */
	assert_int_equal(v_eventlog[FIRST + 8], 2);
	assert_int_equal(bent(FIRST + 8, 0), CV_ERR_FORMAT);
	assert_int_equal(bent(FIRST + 8, 3), CV_ERR_FORMAT);
	assert_int_equal(bent(FIRST + 11, 0xff), CV_ERR_FORMAT);
	assert_int_equal(bent(FIRST + 12, 0x0b), CV_ERR_FORMAT); /* SHA-256 twice */
	assert_int_equal(bent(FIRST + 12, 0x0d), CV_ERR_FORMAT); /* an algorithm not announced */
	assert_int_equal(bent(FIRST + 71, 0x7f), CV_ERR_FORMAT); /* data beyond the end */
	assert_int_equal(bent(FIRST + 88, 5), CV_ERR_FORMAT);	 /* no such locality */
	assert_int_equal(bent(FIRST + 89 + 3, 1), CV_ERR_FORMAT); /* PCR 16777216 */
}

static size_t many(uint8_t *out, size_t events)
{
	/* PCR 4, EV_ACTION, SHA-256 only, no data */
	static const uint8_t head[] = {4, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0x0b, 0};
	size_t n = FIRST;

	memcpy(out, v_eventlog, FIRST);
	for (size_t i = 0; i < events; i++) {
		memcpy(out + n, head, sizeof(head));
		memset(out + n + sizeof(head), (int)i, CV_HASH_BYTES);
		memset(out + n + sizeof(head) + CV_HASH_BYTES, 0, 4);
		n += sizeof(head) + CV_HASH_BYTES + 4;
	}
	return n;
}

static void limits_hold(void **state)
{
	static uint8_t log[EVENTLOG_FILE_MAX + 1];

	(void)state;
	assert_int_equal(eventlog_condense(&log_, log, many(log, CV_EVENTS_MAX)), CV_OK);
	assert_int_equal(eventlog_count(&log_), CV_EVENTS_MAX);
	assert_int_equal(
		eventlog_condense(&log_, log, many(log, CV_EVENTS_MAX + 1)), CV_ERR_TOO_LONG);
	assert_int_equal(eventlog_condense(&log_, log, sizeof(log)), CV_ERR_TOO_LONG);
	/* nothing but a header is a log of nothing */
	assert_int_equal(eventlog_condense(&log_, log, FIRST), CV_OK);
	assert_int_equal(log_.len, 1);
}

static void what_travels_is_checked(void **state)
{
	(void)state;
	assert_int_equal(eventlog_condense(&log_, v_eventlog, sizeof(v_eventlog)), CV_OK);
	log_.len--;
	assert_int_equal(eventlog_check(&log_), CV_ERR_FORMAT);
	log_.len = 0;
	assert_int_equal(eventlog_check(&log_), CV_ERR_FORMAT);
	log_.len = sizeof(log_.bytes) + EVENTLOG_ENTRY_BYTES;
	assert_int_equal(eventlog_check(&log_), CV_ERR_FORMAT);
	log_.len = 1 + EVENTLOG_ENTRY_BYTES;
	assert_int_equal(eventlog_check(&log_), CV_OK);
	log_.bytes[0] = 1;
	assert_int_equal(eventlog_check(&log_), CV_ERR_RANGE);
	log_.bytes[0] = 4;
	log_.bytes[1] = 10; /* no quote covers it */
	assert_int_equal(eventlog_check(&log_), CV_ERR_RANGE);
	log_.bytes[1] = 16;
	assert_int_equal(eventlog_check(&log_), CV_ERR_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(condenses_and_replays_what_the_reference_wrote),
		cmocka_unit_test(refuses_every_truncation_inside_an_event),
		cmocka_unit_test(survives_every_flip),
		cmocka_unit_test(numbers_that_lie_are_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(what_travels_is_checked),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
