/* A group's policy as a document: decoded, signed, and signed a second time. */
#include <string.h>

#include "protocol/crypto.h"
#include "protocol/group_read.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/scratch.h"

#define COUNTERSIGN_PAYLOAD_MAX 256

void group_free(struct group_policy *p)
{
	scratch_free(p->reference, p->reference_count * sizeof(*p->reference));
	memset(p, 0, sizeof(*p));
}

/* The rules are a device's policy as it stands, so that its parser and its lint are the same. */
static enum cv_err read_rules(const struct group_reader *r, struct group_policy *p)
{
	const struct cJSON *rules;
	enum cv_err err = json_get_object(r->tree, "rules", &rules);

	if (err != CV_OK)
		return group_complain(r, CV_ERR_TYPE, "rules", "missing or not an object");
	err = policy_decode_tree(&p->rules, rules, r->problem, r->cap);
	return err == CV_OK ? policy_lint(&p->rules, r->problem, r->cap) : err;
}

/* A class of devices must be able to keep the rules. */
static enum cv_err lint_classes(const struct group_reader *r, const struct group_policy *p)
{
	enum cv_err err = CV_OK;

	for (int c = TRUST_SOFTWARE; err == CV_OK && c <= TRUST_TPM; c++) {
		if ((p->trust_classes & 1u << c) != 0)
			err = policy_lint_class(
				&p->rules, (enum trust_class)c, r->problem, r->cap);
	}
	return err;
}

static enum cv_err read_document(const struct group_reader *r, struct group_policy *p)
{
	static const char *const names[] = {"v", "fleet", "group", "comment", "rules", "references",
		"trust_classes", "min_client", "windows", "maintenance", "releases_per_day",
		"approval", "clock", "quarantine_on", NULL};
	char comment[256];
	uint64_t v;

	if (json_only(r->tree, names) != CV_OK)
		return group_complain(r, CV_ERR_TYPE, "policy",
			"unknown member: a group's policy has v, fleet, group, comment, rules, "
			"references, trust_classes, min_client, windows, maintenance, "
			"releases_per_day, approval, clock, quarantine_on");
	if (json_get_u64(r->tree, "v", 1, 1, &v) != CV_OK)
		return group_complain(r, CV_ERR_TYPE, "v", "must be 1");
	if (json_get_id(r->tree, "fleet", p->fleet) != CV_OK)
		return group_complain(r, CV_ERR_TYPE, "fleet", "missing or not an id");
	if (json_get_id(r->tree, "group", p->group) != CV_OK)
		return group_complain(r, CV_ERR_TYPE, "group", "missing or not an id");
	if (json_has(r->tree, "comment") &&
		json_get_text(r->tree, "comment", comment, sizeof(comment)) != CV_OK)
		return group_complain(
			r, CV_ERR_TYPE, "comment", "must be a text of at most 255 bytes");
	return read_rules(r, p);
}

enum cv_err group_decode(
	struct group_policy *p, const char *json, size_t len, char *problem, size_t problem_cap)
{
	struct group_reader r = {NULL, problem, problem_cap};
	struct cJSON *tree = NULL;
	enum cv_err err;

	memset(p, 0, sizeof(*p));
	err = json_parse(&tree, json, len, CV_GROUP_POLICY_MAX);
	if (err != CV_OK)
		return group_complain(&r, err, "policy", cv_err_text(err));
	r.tree = tree;
	err = read_document(&r, p);
	if (err == CV_OK)
		err = group_read_sections(&r, p);
	if (err == CV_OK)
		err = lint_classes(&r, p);
	if (err != CV_OK)
		group_free(p);
	json_free(tree);
	return err;
}

enum cv_err group_open(struct group_policy *p, const char *text, size_t len,
	const struct op_trust *trust, struct opcert *signer, char *payload, size_t cap,
	char *problem, size_t problem_cap)
{
	const struct group_reader r = {NULL, problem, problem_cap};
	size_t payload_len = 0;
	enum cv_err err;

	memset(p, 0, sizeof(*p));
	err = op_document_verify(trust, OP_ROLE_POLICY, text, len, GROUP_TYP, signer, payload, cap,
		&payload_len);
	if (err != CV_OK)
		return group_complain(&r, err, "signature", cv_err_text(err));
	err = group_decode(p, payload, payload_len, problem, problem_cap);
	if (err == CV_OK && !text_equal(p->fleet, trust->fleet)) {
		group_free(p);
		err = group_complain(
			&r, CV_ERR_MISMATCH, "fleet", "the policy is for another fleet");
	}
	return err;
}

static enum cv_err text_hash(uint8_t hash[CV_HASH_BYTES], const char *text, size_t len)
{
	return crypto_sha256(hash, &(struct crypto_part){text, len}, 1);
}

enum cv_err group_countersign(char *out, size_t cap, size_t *len, const char *fleet,
	const char *text, size_t text_len, const char *crt, const struct jws_signer *signer)
{
	char payload[COUNTERSIGN_PAYLOAD_MAX];
	uint8_t hash[CV_HASH_BYTES];
	struct json_writer w;
	size_t n;
	enum cv_err err = text_hash(hash, text, text_len);

	json_begin(&w, payload, sizeof(payload));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", fleet);
	json_text(&w, "typ", GROUP_TYP);
	json_bytes(&w, "sha256", hash, sizeof(hash));
	json_object_close(&w);
	if (err == CV_OK)
		err = json_end(&w, &n);
	if (err != CV_OK)
		return err;
	return jws_sign(out, cap, len, GROUP_COUNTERSIGN_TYP, crt, payload, n, signer);
}

static enum cv_err check_countersign(const struct cJSON *tree, const char *fleet,
	const uint8_t expected[CV_HASH_BYTES])
{
	static const char *const names[] = {"v", "fleet", "typ", "sha256", NULL};
	char found[CV_ID_BUF], typ[64];
	uint8_t hash[CV_HASH_BYTES];
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "fleet", found);
	if (err == CV_OK)
		err = json_get_text(tree, "typ", typ, sizeof(typ));
	if (err == CV_OK)
		err = json_get_bytes(tree, "sha256", hash, sizeof(hash));
	if (err == CV_OK && (!text_equal(found, fleet) || !text_equal(typ, GROUP_TYP) ||
				    !crypto_equal(hash, expected, sizeof(hash))))
		err = CV_ERR_MISMATCH;
	return err;
}

enum cv_err group_countersign_verify(const struct op_trust *trust, const char *countersign,
	size_t len, const char *text, size_t text_len, const struct opcert *first,
	struct opcert *second)
{
	char payload[COUNTERSIGN_PAYLOAD_MAX];
	uint8_t expected[CV_HASH_BYTES];
	struct cJSON *tree = NULL;
	struct opcert signer;
	size_t n = 0;
	enum cv_err err = len <= GROUP_COUNTERSIGN_MAX ? CV_OK : CV_ERR_TOO_LONG;

	if (err == CV_OK)
		err = op_document_verify(trust, OP_ROLE_POLICY, countersign, len,
			GROUP_COUNTERSIGN_TYP, &signer, payload, sizeof(payload), &n);
	if (err == CV_OK)
		err = json_parse(&tree, payload, n, sizeof(payload));
	if (err == CV_OK)
		err = text_hash(expected, text, text_len);
	if (err == CV_OK)
		err = check_countersign(tree, trust->fleet, expected);
	if (err == CV_OK && (text_equal(signer.operator_id, first->operator_id) ||
				    crypto_equal(signer.key, first->key, sizeof(signer.key))))
		err = CV_ERR_DENIED;
	if (err == CV_OK)
		*second = signer;
	json_free(tree);
	return err;
}
