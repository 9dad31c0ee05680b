#include "protocol/message.h"

#include <string.h>

#include "protocol/json_get.h"
#include "protocol/json_write.h"

enum cv_err authorize_request_encode(
	char *out, size_t cap, size_t *len, const struct authorize_request *m)
{
	struct json_writer w;
	enum cv_err err = CV_OK;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bytes(&w, "request_id", m->request_id, sizeof(m->request_id));
	json_bytes(&w, "volume_id", m->volume_id, sizeof(m->volume_id));
	json_u64(&w, "epoch", m->epoch);
	json_bytes(&w, "nonce", m->nonce, sizeof(m->nonce));
	json_text_n(&w, "evidence", m->evidence, m->evidence_len);
	if (m->quote != NULL)
		err = tpm_quote_put(&w, m->quote);
	json_object_close(&w);
	return err == CV_OK ? json_end(&w, len) : err;
}

static enum cv_err authorize_request_from(
	struct authorize_request *m, const struct cJSON *tree, char *evidence,
	struct tpm_quote *quote)
{
	static const char *const names[] = {
		"request_id", "volume_id", "epoch", "nonce", "evidence", "quote", NULL};
	const char *text;
	uint64_t epoch = 0;
	enum cv_err err = json_only(tree, names);

	if (err == CV_OK)
		err = json_get_bytes(tree, "request_id", m->request_id, sizeof(m->request_id));
	if (err == CV_OK)
		err = json_get_bytes(tree, "volume_id", m->volume_id, sizeof(m->volume_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "epoch", 1, UINT32_MAX, &epoch);
	if (err == CV_OK)
		err = json_get_bytes(tree, "nonce", m->nonce, sizeof(m->nonce));
	if (err == CV_OK && json_has(tree, "quote")) {
		err = tpm_quote_get(tree, quote);
		m->quote = quote;
	}
	if (err == CV_OK)
		err = json_get_text_ref(tree, "evidence", &text, &m->evidence_len);
	if (err == CV_OK)
		err = json_get_text(tree, "evidence", evidence, CV_EVIDENCE_MAX + 1);
	m->epoch = (uint32_t)epoch;
	m->evidence = evidence;
	return err;
}

enum cv_err authorize_request_decode(struct authorize_request *m, const char *body, size_t len,
	char evidence[CV_EVIDENCE_MAX + 1], struct tpm_quote *quote)
{
	struct authorize_request decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = authorize_request_from(&decoded, tree, evidence, quote);
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}

enum cv_err authorize_answer_encode(
	char *out, size_t cap, size_t *len, const struct authorize_answer *m)
{
	struct json_writer w;

	if (!message_anchor_valid(m->anchor))
		return CV_ERR_ARGUMENT;
	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bytes(&w, "sealed_share", m->sealed_share, sizeof(m->sealed_share));
	json_bytes(&w, "session", m->session, sizeof(m->session));
	json_u64(&w, "lease_seconds", m->lease_s);
	json_u64(&w, "policy_version", m->policy_version);
	json_u64(&w, "store_revision", m->store_revision);
	if (m->anchor[0] != '\0')
		json_text(&w, "anchor", m->anchor);
	json_pad(&w, "pad", CV_AUTHORIZE_REPLY_BYTES);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err authorize_answer_from(struct authorize_answer *m, const struct cJSON *tree)
{
	uint64_t lease = 0;
	enum cv_err err;

	m->anchor[0] = '\0';
	err = json_get_bytes(tree, "sealed_share", m->sealed_share, sizeof(m->sealed_share));
	if (err == CV_OK)
		err = json_get_bytes(tree, "session", m->session, sizeof(m->session));
	if (err == CV_OK)
		err = json_get_u64(tree, "lease_seconds", 0, UINT32_MAX, &lease);
	if (err == CV_OK)
		err = json_get_u64(
			tree, "policy_version", 0, CV_JSON_INTEGER_MAX, &m->policy_version);
	if (err == CV_OK)
		err = json_get_u64(
			tree, "store_revision", 0, CV_JSON_INTEGER_MAX, &m->store_revision);
	if (err == CV_OK && json_has(tree, "anchor")) {
		err = json_get_text(tree, "anchor", m->anchor, sizeof(m->anchor));
		if (err == CV_OK && !message_anchor_valid(m->anchor))
			err = CV_ERR_FORMAT;
	}
	m->lease_s = (uint32_t)lease;
	return err;
}

enum cv_err authorize_answer_decode(struct authorize_answer *m, const char *body, size_t len)
{
	struct authorize_answer decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = authorize_answer_from(&decoded, tree);
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}

enum cv_err check_answer_encode(char *out, size_t cap, size_t *len, const struct check_answer *m)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bool(&w, "would_release", m->would_release);
	json_u64(&w, "lease_seconds", m->lease_s);
	json_u64(&w, "policy_version", m->policy_version);
	json_u64(&w, "store_revision", m->store_revision);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err check_answer_from(struct check_answer *m, const struct cJSON *tree)
{
	uint64_t lease = 0;
	int would = 0;
	enum cv_err err = json_get_bool(tree, "would_release", &would);

	if (err == CV_OK)
		err = json_get_u64(tree, "lease_seconds", 0, UINT32_MAX, &lease);
	if (err == CV_OK)
		err = json_get_u64(
			tree, "policy_version", 0, CV_JSON_INTEGER_MAX, &m->policy_version);
	if (err == CV_OK)
		err = json_get_u64(
			tree, "store_revision", 0, CV_JSON_INTEGER_MAX, &m->store_revision);
	m->would_release = (uint8_t)would;
	m->lease_s = (uint32_t)lease;
	return err;
}

enum cv_err check_answer_decode(struct check_answer *m, const char *body, size_t len)
{
	struct check_answer decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = check_answer_from(&decoded, tree);
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}
