#include "protocol/message.h"

#include <string.h>

#include "protocol/json_get.h"
#include "protocol/json_write.h"

#define EXPIRES_MAX_S 3600

enum cv_err nonce_request_encode(
	char *out, size_t cap, size_t *len, const struct nonce_request *m)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bytes(&w, "request_id", m->request_id, sizeof(m->request_id));
	json_bytes(&w, "volume_id", m->volume_id, sizeof(m->volume_id));
	json_u64(&w, "epoch", m->epoch);
	json_bytes(&w, "boot_id", m->boot_id, sizeof(m->boot_id));
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err nonce_request_from(struct nonce_request *m, const struct cJSON *tree)
{
	static const char *const names[] = {"request_id", "volume_id", "epoch", "boot_id", NULL};
	uint64_t epoch = 0;
	enum cv_err err = json_only(tree, names);

	if (err == CV_OK)
		err = json_get_bytes(tree, "request_id", m->request_id, sizeof(m->request_id));
	if (err == CV_OK)
		err = json_get_bytes(tree, "volume_id", m->volume_id, sizeof(m->volume_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "epoch", 1, UINT32_MAX, &epoch);
	if (err == CV_OK)
		err = json_get_bytes(tree, "boot_id", m->boot_id, sizeof(m->boot_id));
	m->epoch = (uint32_t)epoch;
	return err;
}

enum cv_err nonce_request_decode(struct nonce_request *m, const char *body, size_t len)
{
	struct nonce_request decoded;
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = nonce_request_from(&decoded, tree);
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}

enum cv_err nonce_answer_encode(char *out, size_t cap, size_t *len, const struct nonce_answer *m)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_bytes(&w, "nonce", m->nonce, sizeof(m->nonce));
	json_u64(&w, "expires_in", m->expires_in_s);
	json_object_close(&w);
	return json_end(&w, len);
}

enum cv_err nonce_answer_decode(struct nonce_answer *m, const char *body, size_t len)
{
	struct nonce_answer decoded;
	struct cJSON *tree = NULL;
	uint64_t expires = 0;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = json_get_bytes(tree, "nonce", decoded.nonce, sizeof(decoded.nonce));
	if (err == CV_OK)
		err = json_get_u64(tree, "expires_in", 0, EXPIRES_MAX_S, &expires);
	decoded.expires_in_s = (uint32_t)expires;
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}
