#include "protocol/message.h"

#include <string.h>

#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"

static const struct {
	enum device_state state;
	const char *name;
} states[] = {
	{DEVICE_ACTIVE, "active"},
	{DEVICE_QUARANTINED, "quarantined"},
	{DEVICE_REVOKED, "revoked"},
};

const char *device_state_name(enum device_state state)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (states[i].state == state)
			return states[i].name;
	}
	return "none";
}

enum cv_err status_request_encode(
	char *out, size_t cap, size_t *len, const struct status_request *m)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bytes(&w, "request_id", m->request_id, sizeof(m->request_id));
	json_bytes(&w, "volume_id", m->volume_id, sizeof(m->volume_id));
	json_object_close(&w);
	return json_end(&w, len);
}

enum cv_err status_request_decode(struct status_request *m, const char *body, size_t len)
{
	static const char *const names[] = {"request_id", "volume_id", NULL};
	struct status_request decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = json_only(tree, names);
	if (err == CV_OK)
		err = json_get_bytes(
			tree, "request_id", decoded.request_id, sizeof(decoded.request_id));
	if (err == CV_OK)
		err = json_get_bytes(
			tree, "volume_id", decoded.volume_id, sizeof(decoded.volume_id));
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}

enum cv_err status_answer_encode(char *out, size_t cap, size_t *len, const struct status_answer *m)
{
	struct json_writer w;

	if (m->state < DEVICE_ACTIVE || m->state > DEVICE_REVOKED)
		return CV_ERR_ARGUMENT;
	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_text(&w, "state", device_state_name(m->state));
	json_u64(&w, "policy_version", m->policy_version);
	json_u64(&w, "lease_seconds", m->lease_s);
	json_u64(&w, "store_revision", m->store_revision);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err get_state(const struct cJSON *tree, enum device_state *state)
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(tree, "state", &text, &len);

	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (text_equal(text, states[i].name)) {
			*state = states[i].state;
			return CV_OK;
		}
	}
	return CV_ERR_TYPE;
}

enum cv_err status_answer_decode(struct status_answer *m, const char *body, size_t len)
{
	struct status_answer decoded;
	struct cJSON *tree = NULL;
	uint64_t lease = 0;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = get_state(tree, &decoded.state);
	if (err == CV_OK)
		err = json_get_u64(
			tree, "policy_version", 0, CV_JSON_INTEGER_MAX, &decoded.policy_version);
	if (err == CV_OK)
		err = json_get_u64(tree, "lease_seconds", 0, UINT32_MAX, &lease);
	if (err == CV_OK)
		err = json_get_u64(
			tree, "store_revision", 0, CV_JSON_INTEGER_MAX, &decoded.store_revision);
	decoded.lease_s = (uint32_t)lease;
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}
