/* Records: the codec against every truncation and bit, the seal against every bit and place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/record.h"
#include "gateway/record_seal.h"
#include "protocol/crypto.h"

static struct record *made(void)
{
	struct record *rec = calloc(1, sizeof(*rec));

	assert_non_null(rec);
	strcpy(rec->device, "d1");
	rec->state = DEVICE_QUARANTINED;
	rec->trust_class = TRUST_MICROCONTROLLER;
	assert_int_equal(crypto_random(rec->mac_key, sizeof(rec->mac_key)), CV_OK);
	assert_int_equal(crypto_random(rec->attestation_key, CV_ES256_PUBLIC_BYTES), CV_OK);
	rec->policy_version = 7;
	strcpy(rec->policy, "{\"v\":1}");
	rec->policy_len = strlen(rec->policy);
	rec->volume_count = 2;
	for (size_t i = 0; i < 2; i++) {
		struct record_volume *v = &rec->volumes[i];

		memset(v->volume_id, (int)i + 1, sizeof(v->volume_id));
		v->current.present = true;
		v->current.epoch = 1;
		v->current.x = 200;
		v->current.threshold = 2;
		v->current.members = 3;
		memset(v->current.share, 0x77, sizeof(v->current.share));
		strcpy(v->anchor, "anchor");
	}
	rec->volumes[1].pending = rec->volumes[1].current;
	rec->volumes[1].pending.epoch = UINT32_MAX;
	rec->boot.known = true;
	rec->boot.key_count = RECORD_BOOT_KEYS_MAX;
	rec->boot.history_count = 2;
	memset(rec->boot.keys, 0x33, sizeof(rec->boot.keys));
	rec->enrolled_s = 1;
	rec->last_release_s = 2;
	rec->event_seen = true;
	rec->event_counter = UINT64_MAX;
	strcpy(rec->note, "why");
	return rec;
}

static void comes_back_as_it_was(void **state)
{
	struct record *rec = made(), *back = calloc(1, sizeof(*back));
	uint8_t text[RECORD_PLAIN_MAX], again[RECORD_PLAIN_MAX];
	size_t len, again_len;

	(void)state;
	memset(rec->boot.history[2], 0, sizeof(rec->boot.history[2]));
	assert_int_equal(record_encode(text, &len, rec), CV_OK);
	assert_int_equal(record_decode(back, text, len), CV_OK);
	assert_int_equal(record_encode(again, &again_len, back), CV_OK);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, text, len);
	assert_int_equal(back->volumes[1].pending.epoch, UINT32_MAX);
	assert_int_equal(back->boot.key_count, RECORD_BOOT_KEYS_MAX);
	assert_string_equal(back->policy, rec->policy);
	free(rec);
	free(back);
}

/* Records of fleets that never heard of a TPM: not a byte is another. */
static void only_class_tpm_has_a_tpm_in_its_record(void **state)
{
	struct record *rec = made(), *back = calloc(1, sizeof(*back));
	uint8_t before[RECORD_PLAIN_MAX], text[RECORD_PLAIN_MAX];
	size_t before_len, len;

	(void)state;
	assert_int_equal(record_encode(before, &before_len, rec), CV_OK);
	memset(rec->tpm.ek_name, 0x44, sizeof(rec->tpm.ek_name));
	memset(rec->tpm.ak, 0x55, 88);
	rec->tpm.ak_len = 88;
	assert_int_equal(record_encode(text, &len, rec), CV_OK);
	assert_int_equal(len, before_len);
	assert_memory_equal(text, before, len);
	rec->trust_class = TRUST_TPM;
	assert_int_equal(record_encode(text, &len, rec), CV_OK);
	assert_int_equal(len, before_len + 4 + TPM_NAME_BYTES + 4 + 88);
	assert_int_equal(record_decode(back, text, len), CV_OK);
	assert_memory_equal(&back->tpm, &rec->tpm, sizeof(rec->tpm));
	for (size_t cut = before_len; cut < len; cut++)
		assert_int_equal(record_decode(back, text, cut), CV_ERR_FORMAT);
	assert_int_equal(record_decode(back, text, len + 1), CV_ERR_FORMAT);
	rec->tpm.ak_len = TPM_PUBLIC_MAX + 1;
	assert_int_equal(record_encode(text, &len, rec), CV_ERR_ARGUMENT);
	free(rec);
	free(back);
}

/* A record without a group is written as it was before there were any. */
static void a_group_and_a_grant_come_back(void **state)
{
	static uint8_t text[RECORD_PLAIN_MAX], before[RECORD_PLAIN_MAX];
	struct record *rec = made(), *back = calloc(1, sizeof(*back));
	size_t len = 0, before_len = 0;

	(void)state;
	assert_int_equal(record_encode(before, &before_len, rec), CV_OK);
	for (int granted = 0; granted < 2; granted++) {
		strcpy(rec->group, "lamps");
		rec->quota_day = 20000;
		rec->quota_used = 3;
		rec->grant.present = granted != 0;
		rec->grant.epoch = 1;
		rec->grant.given_s = 77;
		memset(rec->grant.boot_key, 9, sizeof(rec->grant.boot_key));
		assert_int_equal(record_encode(text, &len, rec), CV_OK);
		assert_memory_equal(text, before, before_len);
		assert_int_equal(record_decode(back, text, len), CV_OK);
		assert_string_equal(back->group, "lamps");
		assert_int_equal(back->quota_day, 20000);
		assert_int_equal(back->quota_used, 3);
		assert_int_equal(back->grant.present, granted);
		assert_int_equal(back->grant.given_s, granted != 0 ? 77 : 0);
		for (size_t cut = before_len + 1; cut < len; cut++)
			assert_int_equal(record_decode(back, text, cut), CV_ERR_FORMAT);
		text[before_len + 4] ^= 1; /* another mark */
		assert_int_equal(record_decode(back, text, len), CV_ERR_FORMAT);
	}
	free(back);
	free(rec);
}

static void the_largest_record_fits(void **state)
{
	struct record *rec = made();
	uint8_t text[RECORD_PLAIN_MAX];
	size_t len;

	(void)state;
	memset(rec->policy, ' ', CV_POLICY_MAX);
	rec->policy_len = CV_POLICY_MAX;
	rec->volume_count = RECORD_VOLUMES_MAX;
	for (size_t i = 0; i < RECORD_VOLUMES_MAX; i++) {
		rec->volumes[i] = rec->volumes[1];
		memset(rec->volumes[i].anchor, 'a', MESSAGE_ANCHOR_MAX);
	}
	memset(rec->note, 'n', RECORD_NOTE_BUF - 1);
	memset(rec->device, 'd', CV_ID_MAX);
	rec->boot.history_count = RECORD_BOOT_HISTORY;
	rec->trust_class = TRUST_TPM;
	rec->tpm.ak_len = TPM_PUBLIC_MAX;
	assert_int_equal(record_encode(text, &len, rec), CV_OK);
	rec->volume_count = RECORD_VOLUMES_MAX + 1;
	assert_int_equal(record_encode(text, &len, rec), CV_ERR_ARGUMENT);
	free(rec);
}

static void refuses_every_truncation_and_a_byte_more(void **state)
{
	struct record *rec = made(), *back = calloc(1, sizeof(*back));
	uint8_t text[RECORD_PLAIN_MAX];
	size_t len;

	(void)state;
	assert_int_equal(record_encode(text, &len, rec), CV_OK);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut == 0 ? 1 : cut);

		memcpy(exact, text, cut);
		assert_int_equal(record_decode(back, exact, cut), CV_ERR_FORMAT);
		assert_int_equal(back->mac_key[0] | back->volumes[0].current.share[0], 0);
		free(exact);
	}
	text[len] = 0;
	assert_int_equal(record_decode(back, text, len + 1), CV_ERR_FORMAT);
	free(rec);
	free(back);
}

/* A changed bit is refused, or is a value that another record could have: never out of bounds. */
static void every_bit_decodes_within_bounds(void **state)
{
	struct record *rec = made(), *back = calloc(1, sizeof(*back));
	uint8_t text[RECORD_PLAIN_MAX];
	size_t len;

	(void)state;
	assert_int_equal(record_encode(text, &len, rec), CV_OK);
	for (size_t bit = 0; bit < len * 8; bit++) {
		text[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (record_decode(back, text, len) == CV_OK) {
			assert_true(back->volume_count <= RECORD_VOLUMES_MAX);
			assert_true(back->boot.key_count <= RECORD_BOOT_KEYS_MAX);
			assert_true(back->boot.history_count <= RECORD_BOOT_HISTORY);
			assert_true(back->state >= DEVICE_ACTIVE && back->state <= DEVICE_REVOKED);
		}
		text[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(rec);
	free(back);
}

static void a_sealed_record_opens_in_its_place_only(void **state)
{
	const struct seal_place place = { "g1", "device", "d1", 5 };
	const struct seal_place others[] = { { "g2", "device", "d1", 5 },
		{ "g1", "document", "d1", 5 }, { "g1", "device", "d2", 5 },
		{ "g1", "device", "d1", 4 }, { "g1", "device", "d1", 6 } };
	uint8_t key[STORE_KEY_BYTES] = {1}, plain[64] = {0}, sealed[64 + SEAL_OVERHEAD], out[64];
	struct seal_keys keys, other_keys;
	size_t len;

	(void)state;
	assert_int_equal(seal_keys_derive(&keys, key), CV_OK);
	key[0] = 2;
	assert_int_equal(seal_keys_derive(&other_keys, key), CV_OK);
	assert_int_equal(seal_record(sealed, &keys, &place, plain, sizeof(plain)), CV_OK);
	assert_int_equal(
		open_record(out, sizeof(out), &len, &keys, &place, sealed, sizeof(sealed)), CV_OK);
	assert_int_equal(len, sizeof(plain));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(open_record(out, sizeof(out), &len, &keys, &others[i], sealed,
					 sizeof(sealed)), CV_ERR_SEAL);
	assert_int_equal(open_record(out, sizeof(out), &len, &other_keys, &place, sealed,
				 sizeof(sealed)), CV_ERR_SEAL);
	assert_int_equal(open_record(out, sizeof(out) - 1, &len, &keys, &place, sealed,
				 sizeof(sealed)), CV_ERR_SEAL);
	assert_int_equal(open_header(out, sizeof(out), &len, &keys, "g1", sealed, sizeof(sealed)),
		CV_ERR_SEAL);
	for (size_t cut = 0; cut < sizeof(sealed); cut++)
		assert_int_equal(open_record(out, sizeof(out), &len, &keys, &place, sealed, cut),
			CV_ERR_SEAL);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(open_record(out, sizeof(out), &len, &keys, &place, sealed,
					 sizeof(sealed)), CV_ERR_SEAL);
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void the_sum_forgets_what_was_removed(void **state)
{
	const struct seal_place a = { "g1", "device", "a", 1 }, b = { "g1", "device", "b", 2 };
	uint8_t key[STORE_KEY_BYTES] = {1}, sum[SUM_BYTES] = {0}, only_b[SUM_BYTES] = {0};
	struct seal_keys keys;

	(void)state;
	assert_int_equal(seal_keys_derive(&keys, key), CV_OK);
	assert_int_equal(sum_add(only_b, &keys, &b), CV_OK);
	assert_int_equal(sum_add(sum, &keys, &a), CV_OK);
	assert_int_equal(sum_add(sum, &keys, &b), CV_OK);
	assert_memory_not_equal(sum, only_b, sizeof(sum));
	assert_int_equal(sum_remove(sum, &keys, &a), CV_OK);
	assert_memory_equal(sum, only_b, sizeof(sum));
}

static int set_up(void **state)
{
	(void)state;
	return crypto_init() == CV_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(only_class_tpm_has_a_tpm_in_its_record),
		cmocka_unit_test(a_group_and_a_grant_come_back),
		cmocka_unit_test(the_largest_record_fits),
		cmocka_unit_test(refuses_every_truncation_and_a_byte_more),
		cmocka_unit_test(every_bit_decodes_within_bounds),
		cmocka_unit_test(a_sealed_record_opens_in_its_place_only),
		cmocka_unit_test(the_sum_forgets_what_was_removed),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
