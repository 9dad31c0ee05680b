#include "protocol/fleet_rules.h"

#include <string.h>

#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"

#define PAYLOAD_MAX 512

enum cv_err fleet_rules_encode(char *out, size_t cap, size_t *len,
	const struct fleet_rules *rules, const struct jws_signer *root)
{
	char payload[PAYLOAD_MAX];
	struct json_writer w;
	size_t n = 0;
	enum cv_err err;

	json_begin(&w, payload, sizeof(payload));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "fleet", rules->fleet);
	json_u64(&w, "version", rules->version);
	json_u64(&w, "iat", rules->iat_s);
	json_bool(&w, "two_for_policy", rules->two_for_policy);
	json_object_close(&w);
	err = json_end(&w, &n);
	if (err != CV_OK)
		return err;
	return jws_sign(out, cap, len, FLEET_RULES_TYP, NULL, payload, n, root);
}

static enum cv_err rules_from(struct fleet_rules *rules, const struct cJSON *tree)
{
	static const char *const names[] = {
		"v", "fleet", "version", "iat", "two_for_policy", NULL};
	int two = 0;
	enum cv_err err = json_only_v1(tree, names);

	if (err == CV_OK)
		err = json_get_id(tree, "fleet", rules->fleet);
	if (err == CV_OK)
		err = json_get_u64(tree, "version", 1, CV_JSON_INTEGER_MAX, &rules->version);
	if (err == CV_OK)
		err = json_get_u64(tree, "iat", 0, CV_JSON_INTEGER_MAX, &rules->iat_s);
	if (err == CV_OK)
		err = json_get_bool(tree, "two_for_policy", &two);
	rules->two_for_policy = (uint8_t)two;
	return err;
}

enum cv_err fleet_rules_decode(struct fleet_rules *rules, const char *text, size_t len,
	const char *fleet, const uint8_t root_key[CV_ES256_PUBLIC_BYTES])
{
	struct cJSON *tree = NULL;
	struct fleet_rules decoded;
	enum cv_err err;

	memset(&decoded, 0, sizeof(decoded));
	err = jws_verify_json(&tree, text, len, FLEET_RULES_MAX, FLEET_RULES_TYP, root_key);
	if (err == CV_OK)
		err = rules_from(&decoded, tree);
	if (err == CV_OK && !text_equal(decoded.fleet, fleet))
		err = CV_ERR_MISMATCH;
	if (err == CV_OK)
		*rules = decoded;
	json_free(tree);
	return err;
}
