#include "protocol/enrol.h"

#include <string.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/hpke.h"
#include "protocol/id.h"
#include "protocol/json_get.h"
#include "protocol/json_scan.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/lp.h"
#include "protocol/scratch.h"

#define PLAIN_MAX (CV_POLICY_MAX + 1024) /* the policy and fourteen short members */
#define SEALED_MAX (PLAIN_MAX + HPKE_OVERHEAD)
#define PAYLOAD_MAX (BASE64URL_LEN(SEALED_MAX) + 512)
#define INFO_BUF 256

static const struct {
	enum trust_class value;
	const char *name;
} classes[] = {
	{TRUST_SOFTWARE, "software"},
	{TRUST_MICROCONTROLLER, "microcontroller"},
	{TRUST_TPM, "tpm"},
};

const char *trust_class_name(enum trust_class c)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (classes[i].value == c)
			return classes[i].name;
	}
	return "none";
}

enum trust_class trust_class_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (text_equal(classes[i].name, name))
			return classes[i].value;
	}
	return (enum trust_class)0;
}

static enum cv_err seal_info(uint8_t buf[INFO_BUF], size_t *len, const struct enrolment *e)
{
	struct lp lp;

	lp_begin(&lp, buf, INFO_BUF, "conclave-enrol-v1");
	lp_text(&lp, e->fleet);
	lp_text(&lp, e->gateway);
	lp_text(&lp, e->device);
	return lp_end(&lp, len);
}

/* What the form alone cannot say. */
static int counts_valid(const struct enrolment *e)
{
	return e->epoch >= 1 && e->x >= 1 && e->members >= 1 && e->members <= CV_MEMBERS_MAX &&
	       e->threshold >= 1 && e->threshold <= e->members;
}

/* A device of class tpm has a key that may quote; no other has one. */
static int tpm_valid(const struct enrolment *e)
{
	struct tpm_ak ak;

	if (e->trust_class != TRUST_TPM)
		return e->tpm.ak_len == 0;
	return e->tpm.ak_len <= TPM_PUBLIC_MAX &&
	       tpm_ak_decode(&ak, e->tpm.ak, e->tpm.ak_len) == CV_OK;
}

static int enrolment_valid(const struct enrolment *e)
{
	return (e->group[0] == '\0' || id_valid(e->group, strlen(e->group))) &&
	       id_valid(e->fleet, strlen(e->fleet)) && id_valid(e->gateway, strlen(e->gateway)) &&
	       id_valid(e->device, strlen(e->device)) && counts_valid(e) &&
	       e->trust_class >= TRUST_SOFTWARE && e->trust_class <= TRUST_TPM && tpm_valid(e) &&
	       e->policy_len <= CV_POLICY_MAX &&
	       json_scan(e->policy, e->policy_len, CV_POLICY_MAX) == CV_OK;
}

static enum cv_err put_plain(char *out, size_t cap, size_t *len, const struct enrolment *e)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_bytes(&w, "volume_id", e->volume_id, sizeof(e->volume_id));
	json_u64(&w, "epoch", e->epoch);
	json_u64(&w, "x", e->x);
	json_bytes(&w, "share", e->share, sizeof(e->share));
	json_bytes(&w, "mac_key", e->mac_key, sizeof(e->mac_key));
	json_bytes(&w, "attestation_key", e->attestation_key, sizeof(e->attestation_key));
	json_bytes(&w, "share_set_hash", e->share_set_hash, sizeof(e->share_set_hash));
	json_u64(&w, "threshold", e->threshold);
	json_u64(&w, "members", e->members);
	json_text(&w, "trust_class", trust_class_name(e->trust_class));
	if (e->trust_class == TRUST_TPM) {
		json_object_open(&w, "tpm");
		json_bytes(&w, "ek_name", e->tpm.ek_name, sizeof(e->tpm.ek_name));
		json_bytes(&w, "ak", e->tpm.ak, e->tpm.ak_len);
		json_object_close(&w);
	}
	if (e->group[0] != '\0')
		json_text(&w, "group", e->group);
	json_raw(&w, "policy", e->policy, e->policy_len);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err put_payload(char *out, size_t cap, size_t *len, const struct enrolment *e,
	const uint8_t *sealed, size_t sealed_len)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", e->fleet);
	json_text(&w, "gateway", e->gateway);
	json_text(&w, "device", e->device);
	json_bytes(&w, "enc", sealed, HPKE_ENC_BYTES);
	json_bytes(&w, "ct", sealed + HPKE_ENC_BYTES, sealed_len - HPKE_ENC_BYTES);
	json_object_close(&w);
	return json_end(&w, len);
}

enum cv_err enrolment_seal(char *out, size_t cap, size_t *len, const struct enrolment *e,
	const uint8_t enrolment_key[CV_X25519_BYTES], const char *crt,
	const struct jws_signer *signer)
{
	uint8_t info[INFO_BUF];
	struct hpke_context_info ci = {info, 0, NULL, 0};
	char *plain = scratch_alloc(PLAIN_MAX);
	uint8_t *sealed = scratch_alloc(SEALED_MAX);
	char *payload = scratch_alloc(PAYLOAD_MAX);
	size_t plain_len;
	size_t payload_len;
	enum cv_err err = CV_ERR_MEMORY;

	if (plain == NULL || sealed == NULL || payload == NULL)
		goto out;
	err = crt != NULL && enrolment_valid(e) ? CV_OK : CV_ERR_ARGUMENT;
	if (err == CV_OK)
		err = put_plain(plain, PLAIN_MAX, &plain_len, e);
	if (err == CV_OK)
		err = seal_info(info, &ci.info_len, e);
	if (err == CV_OK)
		err = hpke_seal(sealed, enrolment_key, &ci, (const uint8_t *)plain, plain_len);
	if (err == CV_OK)
		err = put_payload(
			payload, PAYLOAD_MAX, &payload_len, e, sealed, plain_len + HPKE_OVERHEAD);
	if (err == CV_OK)
		err = jws_sign(out, cap < ENROL_MAX + 1 ? cap : ENROL_MAX + 1, len, ENROL_TYP, crt,
			payload, payload_len, signer);
out:
	scratch_free(plain, PLAIN_MAX);
	scratch_free(sealed, SEALED_MAX);
	scratch_free(payload, PAYLOAD_MAX);
	return err;
}

static enum cv_err get_u8(
	const struct cJSON *tree, const char *name, uint64_t max, uint8_t *out)
{
	uint64_t value;
	enum cv_err err = json_get_u64(tree, name, 1, max, &value);

	if (err == CV_OK)
		*out = (uint8_t)value;
	return err;
}

static enum cv_err get_class(const struct cJSON *tree, enum trust_class *out)
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(tree, "trust_class", &text, &len);

	if (err != CV_OK)
		return err;
	*out = trust_class_parse(text);
	return *out != 0 ? CV_OK : CV_ERR_TYPE;
}

static enum cv_err get_secrets(const struct cJSON *tree, struct enrolment *e)
{
	enum cv_err err = json_get_bytes(tree, "volume_id", e->volume_id, sizeof(e->volume_id));

	if (err == CV_OK)
		err = json_get_bytes(tree, "share", e->share, sizeof(e->share));
	if (err == CV_OK)
		err = json_get_bytes(tree, "mac_key", e->mac_key, sizeof(e->mac_key));
	if (err == CV_OK)
		err = json_get_bytes(
			tree, "attestation_key", e->attestation_key, sizeof(e->attestation_key));
	if (err == CV_OK)
		err = json_get_bytes(
			tree, "share_set_hash", e->share_set_hash, sizeof(e->share_set_hash));
	return err;
}

static enum cv_err get_tpm(const struct cJSON *tree, struct enrolment *e)
{
	static const char *const names[] = {"ek_name", "ak", NULL};
	const struct cJSON *tpm;
	enum cv_err err;

	if (!json_has(tree, "tpm"))
		return e->trust_class == TRUST_TPM ? CV_ERR_TYPE : CV_OK;
	if (e->trust_class != TRUST_TPM)
		return CV_ERR_TYPE;
	err = json_get_object(tree, "tpm", &tpm);
	if (err == CV_OK)
		err = json_only(tpm, names);
	if (err == CV_OK)
		err = json_get_bytes(tpm, "ek_name", e->tpm.ek_name, sizeof(e->tpm.ek_name));
	if (err == CV_OK)
		err = json_get_bytes_max(
			tpm, "ak", e->tpm.ak, sizeof(e->tpm.ak), &e->tpm.ak_len);
	if (err == CV_OK && !tpm_valid(e))
		err = CV_ERR_TYPE;
	return err;
}

static enum cv_err get_plain(const struct cJSON *tree, struct enrolment *e)
{
	static const char *const names[] = {"v", "volume_id", "epoch", "x", "share", "mac_key",
		"attestation_key", "share_set_hash", "threshold", "members", "trust_class",
		"tpm", "group", "policy", NULL};
	const struct cJSON *policy;
	uint64_t epoch = 0;
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_u64(tree, "epoch", 1, UINT32_MAX, &epoch);
	e->epoch = (uint32_t)epoch;
	if (err == CV_OK)
		err = get_u8(tree, "x", UINT8_MAX, &e->x);
	if (err == CV_OK)
		err = get_u8(tree, "threshold", CV_MEMBERS_MAX, &e->threshold);
	if (err == CV_OK)
		err = get_u8(tree, "members", CV_MEMBERS_MAX, &e->members);
	if (err == CV_OK)
		err = get_class(tree, &e->trust_class);
	if (err == CV_OK)
		err = get_tpm(tree, e);
	if (err == CV_OK)
		err = get_secrets(tree, e);
	if (err == CV_OK && json_has(tree, "group"))
		err = json_get_id(tree, "group", e->group);
	if (err == CV_OK)
		err = json_get_object(tree, "policy", &policy);
	if (err == CV_OK && !counts_valid(e))
		err = CV_ERR_RANGE;
	return err;
}

/* The policy is kept as the text that was sealed, not printed anew. */
static enum cv_err copy_policy(struct enrolment *e, const char *plain, size_t len)
{
	const char *text;
	size_t text_len;
	enum cv_err err = json_member_raw(plain, len, "policy", &text, &text_len);

	if (err != CV_OK)
		return err;
	if (text_len > CV_POLICY_MAX)
		return CV_ERR_TOO_LONG;
	memcpy(e->policy, text, text_len);
	e->policy[text_len] = '\0';
	e->policy_len = text_len;
	return CV_OK;
}

static enum cv_err decode_plain(struct enrolment *e, const char *plain, size_t len)
{
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, plain, len, PLAIN_MAX);

	if (err == CV_OK)
		err = get_plain(tree, e);
	if (err == CV_OK)
		err = copy_policy(e, plain, len);
	json_free(tree);
	return err;
}

static enum cv_err get_ids(const struct cJSON *tree, struct enrolment *e)
{
	static const char *const names[] = {"v", "fleet", "gateway", "device", "enc", "ct", NULL};
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "fleet", e->fleet);
	if (err == CV_OK)
		err = json_get_id(tree, "gateway", e->gateway);
	if (err == CV_OK)
		err = json_get_id(tree, "device", e->device);
	return err;
}

/* enc || ct into `sealed` of SEALED_MAX bytes. */
static enum cv_err get_sealed(const struct cJSON *tree, uint8_t *sealed, size_t *len)
{
	size_t ct_len;
	enum cv_err err = json_get_bytes(tree, "enc", sealed, HPKE_ENC_BYTES);

	if (err == CV_OK)
		err = json_get_bytes_max(tree, "ct", sealed + HPKE_ENC_BYTES,
			SEALED_MAX - HPKE_ENC_BYTES, &ct_len);
	if (err == CV_OK && ct_len < HPKE_TAG_BYTES)
		err = CV_ERR_TYPE;
	if (err == CV_OK)
		*len = HPKE_ENC_BYTES + ct_len;
	return err;
}

/* Opens the payload; `plain` and `sealed` are PLAIN_MAX and SEALED_MAX bytes. */
static enum cv_err open_payload(struct enrolment *e, const struct cJSON *tree,
	const struct op_trust *trust, const char *gateway, const uint8_t *enrolment_private,
	char *plain, uint8_t *sealed)
{
	uint8_t info[INFO_BUF];
	struct hpke_context_info ci = {info, 0, NULL, 0};
	size_t sealed_len;
	enum cv_err err = get_ids(tree, e);

	if (err == CV_OK &&
		(!text_equal(e->fleet, trust->fleet) || !text_equal(e->gateway, gateway)))
		err = CV_ERR_MISMATCH;
	if (err == CV_OK)
		err = get_sealed(tree, sealed, &sealed_len);
	if (err == CV_OK)
		err = seal_info(info, &ci.info_len, e);
	if (err == CV_OK)
		err = hpke_open((uint8_t *)plain, enrolment_private, &ci, sealed, sealed_len);
	if (err == CV_OK)
		err = decode_plain(e, plain, sealed_len - HPKE_OVERHEAD);
	return err;
}

enum cv_err enrolment_open(struct enrolment *e, const char *text, size_t len,
	const struct op_trust *trust, const char *gateway,
	const uint8_t enrolment_private[CV_X25519_BYTES], struct opcert *cert)
{
	char *payload = scratch_alloc(PAYLOAD_MAX);
	uint8_t *sealed = scratch_alloc(SEALED_MAX);
	char *plain = scratch_alloc(PLAIN_MAX);
	struct cJSON *tree = NULL;
	struct opcert signer;
	size_t payload_len;
	enum cv_err err = CV_ERR_MEMORY;

	memset(e, 0, sizeof(*e));
	if (payload == NULL || sealed == NULL || plain == NULL)
		goto out;
	err = len <= ENROL_MAX ? CV_OK : CV_ERR_TOO_LONG;
	if (err == CV_OK)
		err = op_document_verify(trust, OP_ROLE_ENROL, text, len, ENROL_TYP, &signer,
			payload, PAYLOAD_MAX, &payload_len);
	if (err == CV_OK)
		err = json_parse(&tree, payload, payload_len, PAYLOAD_MAX);
	if (err == CV_OK)
		err = open_payload(e, tree, trust, gateway, enrolment_private, plain, sealed);
	if (err == CV_OK)
		*cert = signer;
out:
	if (err != CV_OK)
		crypto_wipe(e, sizeof(*e));
	json_free(tree);
	scratch_free(payload, PAYLOAD_MAX);
	scratch_free(sealed, SEALED_MAX);
	scratch_free(plain, PLAIN_MAX);
	return err;
}
