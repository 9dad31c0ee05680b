#include "protocol/share_set.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/crypto.h"
#include "protocol/id.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/lp.h"
#include "protocol/scratch.h"

#define PAYLOAD_MAX 4096 /* 16 members of at most 170 characters, and the head */
#define LP_BUF 128

enum cv_err share_commitment(uint8_t out[CV_HASH_BYTES],
	const uint8_t volume_id[CV_VOLUME_ID_BYTES], uint32_t epoch, uint8_t x,
	const uint8_t share[CV_SECRET_BYTES])
{
	uint8_t key[CV_HASH_BYTES];
	uint8_t buf[LP_BUF];
	struct crypto_part part = {buf, 0};
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, buf, sizeof(buf), "conclave-commit-v1");
	lp_bytes(&lp, volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, epoch);
	err = lp_end(&lp, &part.len);
	if (err == CV_OK)
		err = crypto_sha256(key, &part, 1);
	if (err != CV_OK)
		goto out;
	lp_begin(&lp, buf, sizeof(buf), "conclave-commit-share-v1");
	lp_bytes(&lp, volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, epoch);
	lp_u64(&lp, x);
	lp_bytes(&lp, share, CV_SECRET_BYTES);
	err = lp_end(&lp, &part.len);
	if (err == CV_OK)
		err = crypto_hmac_sha256(out, key, sizeof(key), &part, 1);
out:
	crypto_wipe(buf, sizeof(buf));
	return err;
}

enum cv_err share_set_check(
	const struct share_set *set, size_t index, const uint8_t share[CV_SECRET_BYTES])
{
	uint8_t commitment[CV_HASH_BYTES];
	enum cv_err err;

	if (index >= set->count || set->count > CV_MEMBERS_MAX)
		return CV_ERR_ARGUMENT;
	err = share_commitment(
		commitment, set->volume_id, set->epoch, set->members[index].x, share);
	if (err != CV_OK)
		return err;
	return crypto_equal(commitment, set->members[index].commitment, sizeof(commitment)) ?
		CV_OK :
		CV_ERR_SHARE_INVALID;
}

int share_set_find(const struct share_set *set, const char *gateway)
{
	for (size_t i = 0; i < set->count && i < CV_MEMBERS_MAX; i++) {
		if (text_equal(set->members[i].gateway, gateway))
			return (int)i;
	}
	return -1;
}

/* What the form alone cannot say: counts, and each gateway and x once. */
static enum cv_err check_members(const struct share_set *set)
{
	if (set->count < 1 || set->count > CV_MEMBERS_MAX || set->threshold < 1 ||
		set->threshold > set->count || set->epoch < 1)
		return CV_ERR_RANGE;
	for (size_t i = 0; i < set->count; i++) {
		const struct share_set_member *member = &set->members[i];

		if (member->x == 0)
			return CV_ERR_RANGE;
		for (size_t j = 0; j < i; j++) {
			if (set->members[j].x == member->x ||
				text_equal(set->members[j].gateway, member->gateway))
				return CV_ERR_TYPE;
		}
	}
	return CV_OK;
}

static int ids_valid(const struct share_set *set)
{
	if (!id_valid(set->fleet, strlen(set->fleet)) ||
		!id_valid(set->device, strlen(set->device)))
		return 0;
	for (size_t i = 0; i < set->count; i++) {
		if (!id_valid(set->members[i].gateway, strlen(set->members[i].gateway)))
			return 0;
	}
	return 1;
}

static enum cv_err put_payload(char *payload, size_t cap, size_t *len, const struct share_set *set)
{
	struct json_writer w;

	json_begin(&w, payload, cap);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", set->fleet);
	json_text(&w, "device", set->device);
	json_bytes(&w, "volume_id", set->volume_id, sizeof(set->volume_id));
	json_u64(&w, "epoch", set->epoch);
	json_u64(&w, "threshold", set->threshold);
	json_array_open(&w, "members");
	for (size_t i = 0; i < set->count; i++) {
		json_object_open(&w, NULL);
		json_text(&w, "gateway", set->members[i].gateway);
		json_u64(&w, "x", set->members[i].x);
		json_bytes(&w, "commitment", set->members[i].commitment, CV_HASH_BYTES);
		json_object_close(&w);
	}
	json_array_close(&w);
	json_object_close(&w);
	return json_end(&w, len);
}

enum cv_err share_set_encode(char *out, size_t cap, size_t *len, struct share_set *set,
	const char *crt, const struct jws_signer *signer)
{
	size_t payload_len;
	size_t text_len;
	char *payload;
	enum cv_err err;

	if (crt == NULL || check_members(set) != CV_OK || !ids_valid(set))
		return CV_ERR_ARGUMENT;
	if (cap > CV_SHARE_SET_MAX + 1)
		cap = CV_SHARE_SET_MAX + 1;
	payload = scratch_alloc(PAYLOAD_MAX);
	if (payload == NULL)
		return CV_ERR_MEMORY;
	err = put_payload(payload, PAYLOAD_MAX, &payload_len, set);
	if (err == CV_OK)
		err = jws_sign(
			out, cap, &text_len, SHARE_SET_TYP, crt, payload, payload_len, signer);
	if (err == CV_OK)
		err = crypto_sha256(set->hash, &(struct crypto_part){out, text_len}, 1);
	if (err == CV_OK)
		*len = text_len;
	scratch_free(payload, PAYLOAD_MAX);
	return err;
}

static enum cv_err member_from(struct share_set_member *member, const struct cJSON *tree)
{
	static const char *const names[] = {"gateway", "x", "commitment", NULL};
	uint64_t x = 0;
	enum cv_err err = json_only(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "gateway", member->gateway);
	if (err == CV_OK)
		err = json_get_u64(tree, "x", 1, UINT8_MAX, &x);
	if (err == CV_OK)
		err = json_get_bytes(tree, "commitment", member->commitment, CV_HASH_BYTES);
	member->x = (uint8_t)x;
	return err;
}

static enum cv_err members_from(struct share_set *set, const struct cJSON *tree)
{
	const struct cJSON *array;
	const cJSON *item;
	size_t count;
	enum cv_err err = json_get_array(tree, "members", &array, &count);

	if (err != CV_OK)
		return err;
	if (count < 1 || count > CV_MEMBERS_MAX)
		return CV_ERR_RANGE;
	cJSON_ArrayForEach(item, array)
	{
		err = member_from(&set->members[set->count++], item);
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err share_set_from(struct share_set *set, const struct cJSON *tree)
{
	static const char *const names[] = {
		"v", "fleet", "device", "volume_id", "epoch", "threshold", "members", NULL};
	uint64_t epoch = 0;
	uint64_t threshold = 0;
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "fleet", set->fleet);
	if (err == CV_OK)
		err = json_get_id(tree, "device", set->device);
	if (err == CV_OK)
		err = json_get_bytes(tree, "volume_id", set->volume_id, sizeof(set->volume_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "epoch", 1, UINT32_MAX, &epoch);
	if (err == CV_OK)
		err = json_get_u64(tree, "threshold", 1, CV_MEMBERS_MAX, &threshold);
	set->epoch = (uint32_t)epoch;
	set->threshold = (uint8_t)threshold;
	if (err == CV_OK)
		err = members_from(set, tree);
	if (err == CV_OK)
		err = check_members(set);
	return err;
}

enum cv_err share_set_decode(
	struct share_set *set, const char *text, size_t len, const struct op_trust *trust)
{
	struct cJSON *tree = NULL;
	struct opcert signer;
	size_t payload_len;
	char *payload;
	enum cv_err err;

	memset(set, 0, sizeof(*set));
	if (len > CV_SHARE_SET_MAX)
		return CV_ERR_TOO_LONG;
	payload = scratch_alloc(len + 1);
	if (payload == NULL)
		return CV_ERR_MEMORY;
	err = op_document_verify(trust, OP_ROLE_DEAL, text, len, SHARE_SET_TYP, &signer, payload,
		len + 1, &payload_len);
	if (err == CV_OK)
		err = json_parse(&tree, payload, payload_len, CV_SHARE_SET_MAX);
	if (err == CV_OK)
		err = share_set_from(set, tree);
	if (err == CV_OK && !text_equal(set->fleet, trust->fleet))
		err = CV_ERR_MISMATCH;
	if (err == CV_OK)
		err = crypto_sha256(set->hash, &(struct crypto_part){text, len}, 1);
	if (err != CV_OK)
		memset(set, 0, sizeof(*set));
	json_free(tree);
	scratch_free(payload, len + 1);
	return err;
}
