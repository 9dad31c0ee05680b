#include "protocol/message.h"

#include <string.h>

#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"

enum cv_err refusal_encode(
	char *out, size_t cap, size_t *len, const struct refusal *m, size_t pad_to)
{
	struct json_writer w;

	json_begin(&w, out, cap);
	json_object_open(&w, NULL);
	json_text(&w, "type", "about:blank");
	json_text(&w, "title", "Refused");
	json_u64(&w, "status", m->status);
	json_text(&w, "retry", retry_hint_text(m->retry));
	if (m->retry == RETRY_LATER && m->retry_after_s != 0)
		json_u64(&w, "retry_after", m->retry_after_s);
	if (m->has_reason)
		json_text(&w, "reason", reason_code(m->reason));
	if (pad_to != 0)
		json_pad(&w, "pad", pad_to);
	json_object_close(&w);
	return json_end(&w, len);
}

static enum cv_err get_retry(const struct cJSON *tree, enum retry_hint *retry)
{
	static const enum retry_hint hints[] = {RETRY_NO, RETRY_NEW_NONCE, RETRY_LATER};
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(tree, "retry", &text, &len);

	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (text_equal(text, retry_hint_text(hints[i]))) {
			*retry = hints[i];
			return CV_OK;
		}
	}
	return CV_ERR_TYPE;
}

/* A year is a valid answer and means the client's own maximum. */
static enum cv_err get_retry_after(const struct cJSON *tree, struct refusal *m)
{
	uint64_t seconds = 0;
	enum cv_err err = CV_OK;

	if (json_has(tree, "retry_after"))
		err = json_get_u64(tree, "retry_after", 0, CV_JSON_INTEGER_MAX, &seconds);
	if (m->retry != RETRY_LATER)
		seconds = 0;
	m->retry_after_s =
		(uint32_t)(seconds < CV_RETRY_AFTER_MAX_S ? seconds : CV_RETRY_AFTER_MAX_S);
	return err;
}

/* A code of a later version is no reason to lose the refusal; "release" is never a reason. */
static enum cv_err get_reason(const struct cJSON *tree, struct refusal *m)
{
	const char *text;
	size_t len;
	enum cv_err err;

	m->has_reason = 0;
	m->reason = REASON_INTERNAL;
	if (!json_has(tree, "reason"))
		return CV_OK;
	err = json_get_text_ref(tree, "reason", &text, &len);
	if (err != CV_OK)
		return err;
	m->reason = reason_parse(text);
	if (m->reason == REASON_RELEASE)
		m->reason = REASON_INTERNAL;
	m->has_reason = m->reason != REASON_INTERNAL;
	return CV_OK;
}

enum cv_err refusal_decode(
	struct refusal *m, unsigned int status, const char *body, size_t len)
{
	struct refusal decoded;
	struct cJSON *tree = NULL;
	uint64_t inside = 0;
	enum cv_err err = json_parse(&tree, body, len, CV_BODY_MAX);

	memset(&decoded, 0, sizeof(decoded));
	if (err == CV_OK)
		err = json_get_u64(tree, "status", 100, 599, &inside);
	if (err == CV_OK && inside != status)
		err = CV_ERR_MISMATCH;
	if (err == CV_OK)
		err = get_retry(tree, &decoded.retry);
	if (err == CV_OK)
		err = get_retry_after(tree, &decoded);
	if (err == CV_OK)
		err = get_reason(tree, &decoded);
	decoded.status = status;
	if (err == CV_OK)
		*m = decoded;
	json_free(tree);
	return err;
}
