#include "protocol/opcert.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/crypto.h"
#include "protocol/id.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/scratch.h"

#define OPCERT_PAYLOAD_MAX 512 /* three members of 63 to 87 characters, five roles, two times */

static const struct {
	enum op_role role;
	const char *name;
} roles[] = {
	{OP_ROLE_ENROL, "enrol"},
	{OP_ROLE_REVOKE, "revoke"},
	{OP_ROLE_POLICY, "policy"},
	{OP_ROLE_AUDIT, "audit"},
	{OP_ROLE_DEAL, "deal"},
};
#define ROLE_COUNT (sizeof(roles) / sizeof(roles[0]))

const char *op_role_name(enum op_role role)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (roles[i].role == role)
			return roles[i].name;
	}
	return "none";
}

uint32_t op_role_parse(const char *name)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (text_equal(roles[i].name, name))
			return (uint32_t)roles[i].role;
	}
	return 0;
}

static int opcert_valid(const struct opcert *cert)
{
	return id_valid(cert->fleet, strlen(cert->fleet)) &&
	       id_valid(cert->operator_id, strlen(cert->operator_id)) && cert->roles != 0 &&
	       (cert->roles & ~OP_ROLES_ALL) == 0 && cert->exp_s > cert->iat_s;
}

enum cv_err opcert_encode(char *out, size_t cap, size_t *len, const struct opcert *cert,
	const struct jws_signer *root)
{
	char payload[OPCERT_PAYLOAD_MAX];
	struct json_writer w;
	size_t payload_len;
	enum cv_err err;

	if (!opcert_valid(cert))
		return CV_ERR_ARGUMENT;
	json_begin(&w, payload, sizeof(payload));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", cert->fleet);
	json_text(&w, "operator", cert->operator_id);
	json_bytes(&w, "key", cert->key, sizeof(cert->key));
	json_array_open(&w, "roles");
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if ((cert->roles & (uint32_t)roles[i].role) != 0)
			json_text(&w, NULL, roles[i].name);
	}
	json_array_close(&w);
	json_u64(&w, "iat", cert->iat_s);
	json_u64(&w, "exp", cert->exp_s);
	json_object_close(&w);
	err = json_end(&w, &payload_len);
	if (err != CV_OK)
		return err;
	if (cap > CV_OPCERT_MAX + 1)
		cap = CV_OPCERT_MAX + 1;
	return jws_sign(out, cap, len, OPCERT_TYP, NULL, payload, payload_len, root);
}

static enum cv_err get_roles(const struct cJSON *tree, uint32_t *out)
{
	const struct cJSON *array;
	const cJSON *item;
	uint32_t found = 0;
	size_t count;
	enum cv_err err = json_get_array(tree, "roles", &array, &count);

	if (err != CV_OK)
		return err;
	cJSON_ArrayForEach(item, array)
	{
		uint32_t role = cJSON_IsString(item) ? op_role_parse(item->valuestring) : 0;

		if (role == 0 || (found & role) != 0)
			return CV_ERR_TYPE;
		found |= role;
	}
	if (found == 0)
		return CV_ERR_TYPE;
	*out = found;
	return CV_OK;
}

static enum cv_err opcert_from(struct opcert *cert, const struct cJSON *tree)
{
	static const char *const names[] = {
		"v", "fleet", "operator", "key", "roles", "iat", "exp", NULL};
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "fleet", cert->fleet);
	if (err == CV_OK)
		err = json_get_id(tree, "operator", cert->operator_id);
	if (err == CV_OK)
		err = json_get_bytes(tree, "key", cert->key, sizeof(cert->key));
	if (err == CV_OK)
		err = get_roles(tree, &cert->roles);
	if (err == CV_OK)
		err = json_get_u64(tree, "iat", 0, CV_JSON_INTEGER_MAX, &cert->iat_s);
	if (err == CV_OK)
		err = json_get_u64(tree, "exp", 0, CV_JSON_INTEGER_MAX, &cert->exp_s);
	if (err == CV_OK && cert->exp_s <= cert->iat_s)
		err = CV_ERR_RANGE;
	return err;
}

enum cv_err opcert_decode(struct opcert *cert, const char *text, size_t len, const char *fleet,
	const uint8_t root_key[CV_ES256_PUBLIC_BYTES])
{
	struct cJSON *tree = NULL;
	struct opcert decoded;
	enum cv_err err;

	memset(&decoded, 0, sizeof(decoded));
	err = jws_verify_json(&tree, text, len, CV_OPCERT_MAX, OPCERT_TYP, root_key);
	if (err == CV_OK)
		err = opcert_from(&decoded, tree);
	if (err == CV_OK && !text_equal(decoded.fleet, fleet))
		err = CV_ERR_MISMATCH;
	if (err == CV_OK)
		*cert = decoded;
	json_free(tree);
	return err;
}

enum cv_err opcert_allows(const struct opcert *cert, uint32_t role, uint64_t now_s)
{
	if ((cert->roles & role) != role)
		return CV_ERR_ROLE;
	if (now_s != 0 && now_s >= cert->exp_s)
		return CV_ERR_EXPIRED;
	return CV_OK;
}

enum cv_err op_document_verify(const struct op_trust *trust, uint32_t role, const char *text,
	size_t len, const char *typ, struct opcert *cert, char *payload, size_t cap,
	size_t *payload_len)
{
	char *crt = scratch_alloc(CV_OPCERT_MAX + 1);
	struct opcert signer;
	size_t crt_len;
	enum cv_err err;

	if (crt == NULL)
		return CV_ERR_MEMORY;
	err = jws_peek_crt(text, len, typ, crt, CV_OPCERT_MAX + 1, &crt_len);
	if (err == CV_OK)
		err = opcert_decode(&signer, crt, crt_len, trust->fleet, trust->root_key);
	if (err == CV_OK)
		err = opcert_allows(&signer, role, trust->now_s);
	if (err == CV_OK && trust->revoked != NULL &&
		revocations_names(trust->revoked, signer.operator_id))
		err = CV_ERR_DENIED;
	if (err == CV_OK)
		err = jws_verify_crt(text, len, typ, signer.key, payload, cap, payload_len);
	if (err == CV_OK)
		*cert = signer;
	scratch_free(crt, CV_OPCERT_MAX + 1);
	return err;
}
