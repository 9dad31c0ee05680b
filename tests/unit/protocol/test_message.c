#include "protocol/message.h"

#include "protocol/mac.h"
#include "tests/unit/protocol/check.h"
#include "tests/unit/protocol/damage.h"
#include "tests/vectors/tpm_vectors.h"
#include "tests/unit/protocol/documents.h"

/*
 * One row per message: the reference's text must decode, encode again to the same bytes, and a
 * flipped one is refused or is a message of its own, which then survives encode and decode.
 */
#define ROUND_TRIP(name, type)                                                                  \
	static enum cv_err name(const char *data, size_t len)                                   \
	{                                                                                       \
		static char text[CV_BODY_MAX];                                                  \
		struct type m, again;                                                           \
		size_t n;                                                                       \
		enum cv_err err;                                                                \
                                                                                                \
		memset(&m, 0, sizeof(m));                                                       \
		memset(&again, 0, sizeof(again));                                               \
		err = type##_decode(&m, data, len);                                             \
		if (err != CV_OK) {                                                             \
			assert_true(all_zero(&m, sizeof(m)));                                   \
			return err;                                                             \
		}                                                                               \
		assert_int_equal(type##_encode(text, sizeof(text), &n, &m), CV_OK);             \
		err = type##_decode(&again, text, n);                                           \
		if (err == CV_ERR_MEMORY)                                                       \
			return err;                                                             \
		assert_int_equal(err, CV_OK);                                                   \
		assert_memory_equal(&again, &m, sizeof(m));                                     \
		return CV_OK;                                                                   \
	}

ROUND_TRIP(do_nonce_request, nonce_request)
ROUND_TRIP(do_nonce_answer, nonce_answer)
ROUND_TRIP(do_authorize_answer, authorize_answer)
ROUND_TRIP(do_check_answer, check_answer)
ROUND_TRIP(do_event_request, event_request)
ROUND_TRIP(do_status_request, status_request)
ROUND_TRIP(do_status_answer, status_answer)

static enum cv_err do_authorize_request(const char *data, size_t len)
{
	static char evidence[CV_EVIDENCE_MAX + 1], evidence2[CV_EVIDENCE_MAX + 1];
	static char text[CV_BODY_MAX];
	static struct tpm_quote quote, quote2;
	struct authorize_request m, again;
	size_t n;
	enum cv_err err = authorize_request_decode(&m, data, len, evidence, &quote);

	if (err != CV_OK)
		return err;
	assert_ptr_equal(m.evidence, evidence);
	assert_int_equal(m.evidence_len, strlen(evidence));
	assert_int_equal(authorize_request_encode(text, sizeof(text), &n, &m), CV_OK);
	err = authorize_request_decode(&again, text, n, evidence2, &quote2);
	if (err == CV_ERR_MEMORY)
		return err;
	assert_int_equal(err, CV_OK);
	assert_string_equal(evidence2, evidence);
	assert_memory_equal(again.nonce, m.nonce, sizeof(m.nonce));
	assert_int_equal(again.epoch, m.epoch);
	assert_int_equal(again.quote != NULL, m.quote != NULL);
	if (m.quote != NULL)
		assert_memory_equal(&quote2, &quote, sizeof(quote));
	return CV_OK;
}

static enum cv_err do_refusal(const char *data, size_t len)
{
	char text[CV_AUTHORIZE_REPLY_BYTES + 1];
	struct refusal m, again;
	size_t n;
	enum cv_err err = refusal_decode(&m, 403, data, len);

	if (err != CV_OK)
		return err;
	assert_true(m.retry_after_s <= CV_RETRY_AFTER_MAX_S);
	assert_int_equal(
		refusal_encode(text, sizeof(text), &n, &m, CV_AUTHORIZE_REPLY_BYTES), CV_OK);
	assert_int_equal(n, CV_AUTHORIZE_REPLY_BYTES);
	err = refusal_decode(&again, 403, text, n);
	if (err == CV_ERR_MEMORY)
		return err;
	assert_int_equal(err, CV_OK);
	assert_int_equal(again.retry, m.retry);
	assert_int_equal(again.has_reason, m.has_reason);
	assert_int_equal(again.reason, m.reason);
	return CV_OK;
}

static const struct row {
	const char *name, *text;
	damage_decode round_trip;
	int request; /* unknown members are refused */
} rows[] = {
	{"nonce_request", v_nonce_request, do_nonce_request, 1},
	{"nonce_answer", v_nonce_answer, do_nonce_answer, 0},
	{"authorize_request", v_authorize_request, do_authorize_request, 1},
	{"authorize_answer", v_authorize_answer, do_authorize_answer, 0},
	{"check_answer", v_check_answer, do_check_answer, 0},
	{"event_request", v_event_request, do_event_request, 1},
	{"status_request", v_status_request, do_status_request, 1},
	{"status_answer", v_status_answer, do_status_answer, 0},
	{"refusal", v_refusal, do_refusal, 0},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void decodes_what_the_reference_wrote(void **state)
{
	char evidence[CV_EVIDENCE_MAX + 1];
	struct nonce_request nr;
	struct nonce_answer na;
	static struct tpm_quote quote;
	struct authorize_request ar;
	struct authorize_answer aa;

	(void)state;
	assert_int_equal(
		nonce_request_decode(&nr, v_nonce_request, TEXT_LEN(v_nonce_request)), CV_OK);
	assert_memory_equal(nr.request_id, v_request_id, 16);
	assert_memory_equal(nr.volume_id, v_volume_id, 16);
	assert_memory_equal(nr.boot_id, v_boot_id, 16);
	assert_int_equal(nr.epoch, VECTOR_EPOCH);
	assert_int_equal(nonce_answer_decode(&na, v_nonce_answer, TEXT_LEN(v_nonce_answer)), CV_OK);
	assert_memory_equal(na.nonce, v_nonce, 40);
	assert_int_equal(na.expires_in_s, 30);
	assert_int_equal(authorize_request_decode(&ar, v_authorize_request,
				 TEXT_LEN(v_authorize_request), evidence, &quote),
		CV_OK);
	assert_memory_equal(ar.nonce, v_nonce, 40);
	assert_string_equal(ar.evidence, v_evidence);
	assert_null(ar.quote);
	assert_int_equal(
		authorize_answer_decode(&aa, v_authorize_answer, TEXT_LEN(v_authorize_answer)), CV_OK);
	assert_memory_equal(aa.sealed_share, v_sealed_share, 80);
	assert_memory_equal(aa.session, v_session, 16);
	assert_int_equal(aa.lease_s, 86400);
	assert_int_equal(aa.policy_version, 7);
	assert_int_equal(aa.store_revision, 99);
	assert_string_equal(aa.anchor, "anchor-1");
}

static void decodes_events_states_and_refusals_of_the_reference(void **state)
{
	struct event_request er;
	struct status_answer sa;
	struct check_answer ca;
	struct refusal r;

	(void)state;
	assert_int_equal(
		event_request_decode(&er, v_event_request, TEXT_LEN(v_event_request)), CV_OK);
	assert_int_equal(er.event, DEVICE_EVENT_SHARE_INVALID);
	assert_int_equal(er.counter, 17);
	assert_int_equal(er.has_session, 1);
	assert_memory_equal(er.session, v_session, 16);
	assert_string_equal(er.reason, "share_wrong");
	assert_string_equal(er.gateway, "gw-c");
	assert_int_equal(er.store_revision, 99);
	assert_string_equal(er.anchor, "anchor-1");
	assert_int_equal(
		status_answer_decode(&sa, v_status_answer, TEXT_LEN(v_status_answer)), CV_OK);
	assert_int_equal(sa.state, DEVICE_QUARANTINED);
	assert_int_equal(check_answer_decode(&ca, v_check_answer, TEXT_LEN(v_check_answer)), CV_OK);
	assert_int_equal(ca.would_release, 1);
	assert_int_equal(refusal_decode(&r, 403, v_refusal, TEXT_LEN(v_refusal)), CV_OK);
	assert_int_equal(r.retry, RETRY_NEW_NONCE);
	assert_int_equal(r.has_reason, 1);
	assert_int_equal(r.reason, REASON_NONCE_SPENT);
	assert_int_equal(
		refusal_decode(&r, 503, v_refusal_later, TEXT_LEN(v_refusal_later)), CV_OK);
	assert_int_equal(r.retry, RETRY_LATER);
	assert_int_equal(r.retry_after_s, 5);
	assert_int_equal(r.has_reason, 0);
}

#define SAME_BYTES(type, text)                                                                  \
	do {                                                                                    \
		struct type m;                                                                  \
		assert_int_equal(type##_decode(&m, text, strlen(text)), CV_OK);                 \
		assert_int_equal(type##_encode(out, strlen(text) + 1, &len, &m), CV_OK);        \
		assert_string_equal(out, text);                                                 \
		assert_int_equal(                                                               \
			type##_encode(out, strlen(text), &len, &m), CV_ERR_TOO_LONG);           \
	} while (0)

static void encodes_as_the_reference(void **state)
{
	static char out[CV_BODY_MAX], evidence[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote quote;
	struct authorize_request ar;
	struct refusal later = {503, RETRY_LATER, 5, 0, REASON_INTERNAL};
	struct refusal spent = {403, RETRY_NEW_NONCE, 5, 1, REASON_NONCE_SPENT};
	size_t len;

	(void)state;
	SAME_BYTES(nonce_request, v_nonce_request);
	SAME_BYTES(nonce_answer, v_nonce_answer);
	SAME_BYTES(authorize_answer, v_authorize_answer);
	SAME_BYTES(check_answer, v_check_answer);
	SAME_BYTES(event_request, v_event_request);
	SAME_BYTES(status_request, v_status_request);
	SAME_BYTES(status_answer, v_status_answer);
	assert_int_equal(event_answer_encode(out, sizeof(out), &len, NULL), CV_OK);
	assert_string_equal(out, v_event_answer);
	assert_int_equal(authorize_request_decode(&ar, v_authorize_request,
				 TEXT_LEN(v_authorize_request), evidence, &quote),
		CV_OK);
	assert_int_equal(authorize_request_encode(out, sizeof(out), &len, &ar), CV_OK);
	assert_string_equal(out, v_authorize_request);
	assert_int_equal(refusal_encode(out, sizeof(out), &len, &later, 0), CV_OK);
	assert_string_equal(out, v_refusal_later);
	assert_int_equal(refusal_encode(out, sizeof(out), &len, &spent, 1024), CV_OK);
	assert_string_equal(out, v_refusal);
}

static void refuses_truncations_and_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		size_t len = strlen(rows[i].text);

		damage_accepts(rows[i].round_trip, rows[i].text, len);
		damage_refuses_truncations(rows[i].round_trip, rows[i].text, len);
		damage_refuses_one_more(rows[i].round_trip, rows[i].text, len);
		damage_reports_no_memory(rows[i].round_trip, rows[i].text, len);
	}
}

static void a_flipped_message_is_refused_or_one_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		damage_flips(rows[i].round_trip, rows[i].text, strlen(rows[i].text));
}

/* Whatever a flip does to the body, the MAC over it no longer holds. */
static void every_flip_of_a_message_breaks_its_mac(void **state)
{
	static const struct mac_scope scope = {"acme", "gw-b", "pump-7"};
	char body[sizeof(v_nonce_request)];
	uint8_t mac[CV_MAC_BYTES];

	(void)state;
	memcpy(body, v_nonce_request, sizeof(body));
	for (size_t bit = 0; bit < 8 * TEXT_LEN(v_nonce_request); bit++) {
		body[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(mac_request(mac, v_mac_key, &scope, "POST", "/v1/nonce", body,
					 TEXT_LEN(v_nonce_request)),
			CV_OK);
		assert_memory_not_equal(mac, v_request_mac, sizeof(mac));
		body[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void requests_refuse_unknown_members_and_answers_ignore_them(void **state)
{
	char changed[4096];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		text_replace(changed, sizeof(changed), rows[i].text, "{", "{\"unknown\":[1],");
		assert_int_equal(damage_run(rows[i].round_trip, changed, strlen(changed)),
			rows[i].request ? CV_ERR_TYPE : CV_OK);
	}
}

/* Cuts out the members of `text` one by one; `index` says which. Returns 0 when there is none. */
static int without_member(char *out, size_t cap, const char *text, int index)
{
	const char *from = text + 1;

	for (; index > 0; index--) {
		from = strstr(from, ",\"");
		if (from == NULL)
			return 0;
		from++;
	}
	{
		const char *next = strstr(from, ",\"");
		size_t head = (size_t)(from - text);

		if (next != NULL)
			snprintf(out, cap, "%.*s%s", (int)head, text, next + 1);
		else
			snprintf(out, cap, "%.*s}", (int)(head - (head > 1 ? 1 : 0)), text);
	}
	return 1;
}

static void every_member_is_required_unless_the_document_says_otherwise(void **state)
{
	static const char *const optional[] = {"\"anchor\"", "\"pad\"", "\"session\":\"Ks", "\"reason\"",
		"\"gateway\"", "\"store_revision\":99,\"anchor\"", "\"type\"", "\"title\""};
	char changed[4096];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		for (int k = 0; without_member(changed, sizeof(changed), rows[i].text, k); k++) {
			const char *member = rows[i].text + 1;
			int may_miss = 0;
			enum cv_err err;

			for (int n = 0; n < k; n++)
				member = strstr(member, ",\"") + 1;
			for (size_t n = 0; n < sizeof(optional) / sizeof(optional[0]); n++)
				may_miss |= strncmp(member, optional[n], strlen(optional[n])) == 0 &&
					((n != 2 && n != 5) || rows[i].round_trip == do_event_request);
			err = damage_run(rows[i].round_trip, changed, strlen(changed));
			if (err != (may_miss ? CV_OK : CV_ERR_TYPE))
				fail_msg("%s without %.20s: %d", rows[i].name, member, err);
		}
	}
}

static void refuses_wrong_types_and_ranges(void **state)
{
	static const struct {
		int row;
		const char *from, *to;
		enum cv_err want;
	} bad[] = {
		{0, "\"epoch\":3", "\"epoch\":\"3\"", CV_ERR_TYPE},
		{0, "\"epoch\":3", "\"epoch\":0", CV_ERR_RANGE},
		{0, "\"epoch\":3", "\"epoch\":4294967296", CV_ERR_RANGE},
		{0, "\"epoch\":3", "\"epoch\":3.0", CV_ERR_FORMAT},
		{0, "\"epoch\":3", "\"epoch\":3,\"epoch\":3", CV_ERR_FORMAT},
		{0, "\"epoch\":3", "\"epoch\":3,\"\\u0065poch\":3", CV_ERR_FORMAT},
		{0, "\"request_id\":\"", "\"request_id\":\"A", CV_ERR_TYPE},
		{0, "\"boot_id\":\"", "\"boot_id\":null,\"b\":\"", CV_ERR_TYPE},
		{1, "\"expires_in\":30", "\"expires_in\":-1", CV_ERR_RANGE},
		{1, "\"expires_in\":30", "\"expires_in\":3601", CV_ERR_RANGE},
		{2, "\"evidence\":\"", "\"quote\":5,\"evidence\":\"", CV_ERR_TYPE},
		{2, "\"evidence\":\"", "\"quote\":\"x\",\"evidence\":\"", CV_ERR_TYPE},
		{2, "\"evidence\":\"", "\"quote\":{},\"evidence\":\"", CV_ERR_TYPE},
		{2, "\"evidence\":\"", "\"Evidence\":\"", CV_ERR_TYPE},
		{3, "\"lease_seconds\":86400", "\"lease_seconds\":4294967296", CV_ERR_RANGE},
		{3, "\"anchor\":\"anchor-1\"", "\"anchor\":\"with space\"", CV_ERR_FORMAT},
		{3, "\"anchor\":\"anchor-1\"", "\"anchor\":5", CV_ERR_TYPE},
		{4, "true", "1", CV_ERR_TYPE},
		{5, "SHARE_INVALID", "mount_ok", CV_ERR_TYPE},
		{5, "\"counter\":17", "\"counter\":-1", CV_ERR_RANGE},
		{5, "share_wrong", "Share", CV_ERR_FORMAT},
		{5, "share_wrong", "", CV_ERR_FORMAT},
		{5, "share_wrong", "a12345678901234567890123456789012", CV_ERR_TOO_LONG},
		{5, "gw-c", "GW", CV_ERR_FORMAT},
		{5, "gw-c", "", CV_ERR_FORMAT},
		{5, "\"store_revision\":99", "\"store_revision\":0", CV_ERR_RANGE},
		{7, "quarantined", "locked", CV_ERR_TYPE},
		{8, "new_nonce", "now", CV_ERR_TYPE},
		{8, "\"status\":403", "\"status\":200", CV_ERR_MISMATCH},
		{8, "\"retry\":\"new_nonce\"", "\"retry\":\"later\",\"retry_after\":-5", CV_ERR_RANGE},
	};
	char changed[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct row *row = &rows[bad[i].row];
		enum cv_err err;

		text_replace(changed, sizeof(changed), row->text, bad[i].from, bad[i].to);
		err = damage_run(row->round_trip, changed, strlen(changed));
		if (err != bad[i].want)
			fail_msg("%s, %s: %d, not %d", row->name, bad[i].to, err, bad[i].want);
	}
}

static void a_refusal_cannot_ask_for_a_year(void **state)
{
	static const struct {
		const char *text;
		uint32_t want;
	} waits[] = {
		{"{\"status\":403,\"retry\":\"later\",\"retry_after\":31536000}", 30},
		{"{\"status\":403,\"retry\":\"later\",\"retry_after\":9007199254740991}", 30},
		{"{\"status\":403,\"retry\":\"later\",\"retry_after\":7}", 7},
		{"{\"status\":403,\"retry\":\"later\"}", 0},
		{"{\"status\":403,\"retry\":\"no\",\"retry_after\":31536000}", 0},
	};
	struct refusal r;

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(
			refusal_decode(&r, 403, waits[i].text, strlen(waits[i].text)), CV_OK);
		assert_int_equal(r.retry_after_s, waits[i].want);
	}
}

static void an_unknown_reason_does_not_lose_the_refusal(void **state)
{
	static const char *const texts[] = {
		"{\"status\":403,\"retry\":\"no\",\"reason\":\"of_tomorrow\"}",
		"{\"status\":403,\"retry\":\"no\",\"reason\":\"release\"}"};
	struct refusal r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(refusal_decode(&r, 403, texts[i], strlen(texts[i])), CV_OK);
		assert_int_equal(r.retry, RETRY_NO);
		assert_int_equal(r.has_reason, 0);
	}
}

static void release_and_refusal_have_the_same_length(void **state)
{
	char out[CV_AUTHORIZE_REPLY_BYTES + 1];
	struct authorize_answer longest;
	size_t len;

	(void)state;
	memset(&longest, 0xff, sizeof(longest));
	longest.policy_version = longest.store_revision = CV_JSON_INTEGER_MAX;
	memset(longest.anchor, '"', MESSAGE_ANCHOR_MAX);
	longest.anchor[MESSAGE_ANCHOR_MAX] = '\0';
	assert_int_equal(authorize_answer_encode(out, sizeof(out), &len, &longest), CV_OK);
	assert_int_equal(len, CV_AUTHORIZE_REPLY_BYTES);
	for (int i = 0; i < REASON_COUNT_; i++) {
		struct refusal r = {403, reason_retry((enum reason)i), 30, 1, (enum reason)i};

		assert_int_equal(refusal_encode(
					 out, sizeof(out), &len, &r, CV_AUTHORIZE_REPLY_BYTES),
			CV_OK);
		assert_int_equal(len, CV_AUTHORIZE_REPLY_BYTES);
	}
}

static void encode_refuses_what_decode_would_refuse(void **state)
{
	struct event_request bad[5], good;
	struct status_answer answer = {(enum device_state)0, 1, 1, 1};
	char out[1024];
	size_t len;

	(void)state;
	assert_int_equal(
		event_request_decode(&good, v_event_request, TEXT_LEN(v_event_request)), CV_OK);
	for (size_t i = 0; i < 5; i++)
		bad[i] = good;
	bad[0].event = (enum device_event)0;
	strcpy(bad[1].reason, "A");
	strcpy(bad[2].gateway, "GW");
	strcpy(bad[3].anchor, "a b");
	bad[4].counter = UINT64_MAX;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(event_request_encode(out, sizeof(out), &len, &bad[i]),
			i < 4 ? CV_ERR_ARGUMENT : CV_ERR_RANGE);
	assert_int_equal(status_answer_encode(out, sizeof(out), &len, &answer), CV_ERR_ARGUMENT);
}

static void carries_a_quote(void **state)
{
	static char out[CV_BODY_MAX], evidence[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote quote;
	struct authorize_request ar;
	size_t len;

	(void)state;
	assert_int_equal(authorize_request_decode(&ar, v_tpm_authorize_request,
				 TEXT_LEN(v_tpm_authorize_request), evidence, &quote),
		CV_OK);
	assert_ptr_equal(ar.quote, &quote);
	assert_int_equal(quote.attest_len, sizeof(v_tpm_quote_attest));
	assert_memory_equal(quote.attest, v_tpm_quote_attest, quote.attest_len);
	assert_int_equal(quote.signature_len, sizeof(v_tpm_quote_signature));
	assert_memory_equal(quote.signature, v_tpm_quote_signature, quote.signature_len);
	assert_memory_equal(quote.pcrs, v_tpm_quote_pcrs, sizeof(quote.pcrs));
	assert_int_equal(authorize_request_encode(out, sizeof(out), &len, &ar), CV_OK);
	assert_string_equal(out, v_tpm_authorize_request);
	quote.attest_len = TPM_ATTEST_MAX + 1;
	assert_int_equal(authorize_request_encode(out, sizeof(out), &len, &ar), CV_ERR_ARGUMENT);
}

static void survives_every_flip_in_a_quote(void **state)
{
	(void)state;
	damage_accepts(do_authorize_request, v_tpm_authorize_request, TEXT_LEN(v_tpm_authorize_request));
	damage_refuses_truncations(
		do_authorize_request, v_tpm_authorize_request, TEXT_LEN(v_tpm_authorize_request));
	damage_flips(do_authorize_request, v_tpm_authorize_request, TEXT_LEN(v_tpm_authorize_request));
}

/* The text of the vector with one member of the quote changed. */
static enum cv_err with_quote(const char *from, const char *to)
{
	static char body[2 * CV_BODY_MAX], evidence[CV_EVIDENCE_MAX + 1];
	static struct tpm_quote quote;
	const char *at = strstr(v_tpm_authorize_request, from);
	struct authorize_request ar;

	assert_non_null(at);
	snprintf(body, sizeof(body), "%.*s%s%s", (int)(at - v_tpm_authorize_request),
		v_tpm_authorize_request, to, at + strlen(from));
	return authorize_request_decode(&ar, body, strlen(body), evidence, &quote);
}

static void refuses_other_members_and_sizes_of_a_quote(void **state)
{
	(void)state;
	assert_int_equal(with_quote("\"pcrs\":\"AAAA", "\"pcrs\":\""), CV_ERR_TYPE);
	assert_int_equal(with_quote("\"pcrs\":\"", "\"pcrs\":\"AAAA"), CV_ERR_TYPE);
	assert_int_equal(with_quote("\"pcrs\":\"", "\"more\":1,\"pcrs\":\""), CV_ERR_TYPE);
	assert_int_equal(with_quote("\"signature\":\"", "\"signature\":\"AAAA"), CV_ERR_TOO_LONG);
	assert_int_equal(with_quote("\"attest\":\"", "\"attest\":5,\"x\":\""), CV_ERR_TYPE);
	assert_int_equal(with_quote("\"attest\":\"", "\"attest\":\"="), CV_ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_the_reference_wrote),
		cmocka_unit_test(decodes_events_states_and_refusals_of_the_reference),
		cmocka_unit_test(encodes_as_the_reference),
		cmocka_unit_test(refuses_truncations_and_more),
		cmocka_unit_test(a_flipped_message_is_refused_or_one_of_its_own),
		cmocka_unit_test(every_flip_of_a_message_breaks_its_mac),
		cmocka_unit_test(requests_refuse_unknown_members_and_answers_ignore_them),
		cmocka_unit_test(every_member_is_required_unless_the_document_says_otherwise),
		cmocka_unit_test(refuses_wrong_types_and_ranges),
		cmocka_unit_test(a_refusal_cannot_ask_for_a_year),
		cmocka_unit_test(an_unknown_reason_does_not_lose_the_refusal),
		cmocka_unit_test(release_and_refusal_have_the_same_length),
		cmocka_unit_test(encode_refuses_what_decode_would_refuse),
		cmocka_unit_test(carries_a_quote),
		cmocka_unit_test(survives_every_flip_in_a_quote),
		cmocka_unit_test(refuses_other_members_and_sizes_of_a_quote),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
