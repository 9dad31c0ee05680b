#include "notify/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "notify/webhook.h"
#include "protocol/crypto.h"

#define CONNECT_TIMEOUT_MS 5000L

static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
	struct request *rq = context;
	size_t len = size * count, room = sizeof(rq->answer) - rq->answer_len;

	rq->answer_seen += len;
	if (rq->answer_seen > REQUEST_ANSWER_MAX)
		return 0;
	memcpy(rq->answer + rq->answer_len, data, len < room ? len : room);
	rq->answer_len += len < room ? len : room;
	return len;
}

/* curl_easy_setopt returns an int-like code; one sum tells whether all of them were 0. */
static unsigned set_fixed(
	CURL *easy, const struct sender_config *cfg, const struct curl_blob *roots)
{
	unsigned bad = 0;

	bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* The environment must not be able to send alerts elsewhere. */
	bad |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	bad |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (roots) {
		bad |= curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, roots);
		bad |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	bad |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
		(long)(cfg->timeout_ms ? cfg->timeout_ms : SENDER_TIMEOUT_MS_DEFAULT));
	bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "conclave/" CONCLAVE_VERSION);
	return bad;
}

enum cv_err request_open(struct request *rq, const struct sender_config *cfg,
	const struct curl_blob *roots, enum destination_kind kind,
	const struct destination_secret *secret)
{
	char url[TELEGRAM_URL_MAX + 1];
	unsigned bad;

	memset(rq, 0, sizeof(*rq));
	rq->easy = curl_easy_init();
	if (!rq->easy)
		return CV_ERR_MEMORY;
	bad = set_fixed(rq->easy, cfg, roots);
	bad |= curl_easy_setopt(rq->easy, CURLOPT_WRITEFUNCTION, take_answer);
	bad |= curl_easy_setopt(rq->easy, CURLOPT_WRITEDATA, rq);
	bad |= curl_easy_setopt(rq->easy, CURLOPT_PRIVATE, rq);
	if (kind == DESTINATION_TELEGRAM) {
		telegram_url(url, secret);
		bad |= curl_easy_setopt(rq->easy, CURLOPT_URL, url);
		crypto_wipe(url, sizeof(url));
	} else {
		bad |= curl_easy_setopt(rq->easy, CURLOPT_URL, secret->url);
	}
	return bad ? CV_ERR_INTERNAL : CV_OK;
}

void request_close(struct request *rq)
{
	curl_easy_cleanup(rq->easy);
	curl_slist_free_all(rq->headers);
	rq->easy = NULL;
	rq->headers = NULL;
}

static enum cv_err add_header(struct request *rq, const char *line)
{
	struct curl_slist *longer = curl_slist_append(rq->headers, line);

	if (!longer)
		return CV_ERR_MEMORY;
	rq->headers = longer;
	return CV_OK;
}

static enum cv_err prepare_webhook(struct request *rq, const struct event_alert *alert,
	const struct destination_secret *secret, uint64_t now_s)
{
	char signature[WEBHOOK_SIGNATURE_TEXT], id[EVENT_ID_TEXT], line[160];
	enum cv_err err = CV_ERR_INTERNAL;

	event_id_text(id, alert->id);
	err = webhook_sign(signature, secret->key, secret->key_len, id, now_s, rq->entry.json,
		rq->entry.json_len);
	if (err)
		return err;
	snprintf(line, sizeof(line), "webhook-id: %s", id);
	err = add_header(rq, line);
	if (!err) {
		snprintf(line, sizeof(line), "webhook-timestamp: %" PRIu64, now_s);
		err = add_header(rq, line);
	}
	if (!err) {
		snprintf(line, sizeof(line), "webhook-signature: %s", signature);
		err = add_header(rq, line);
	}
	memcpy(rq->body, rq->entry.json, rq->entry.json_len + 1);
	return err;
}

enum cv_err request_prepare(struct request *rq, enum destination_kind kind,
	const struct destination_secret *secret, uint64_t now_s)
{
	struct event_alert alert;
	size_t len = rq->entry.json_len;
	enum cv_err err = event_decode(&alert, rq->entry.json, len);

	if (err)
		return err;
	curl_slist_free_all(rq->headers);
	rq->headers = NULL;
	rq->answer_len = rq->answer_seen = 0;
	err = add_header(rq, "Content-Type: application/json");
	if (!err)
		err = add_header(rq, "Expect:");
	if (!err && kind == DESTINATION_TELEGRAM)
		err = telegram_body(rq->body, &len, secret, &alert);
	else if (!err)
		err = prepare_webhook(rq, &alert, secret, now_s);
	if (err)
		return err;
	if (curl_easy_setopt(rq->easy, CURLOPT_HTTPHEADER, rq->headers) ||
		curl_easy_setopt(rq->easy, CURLOPT_POSTFIELDS, rq->body) ||
		curl_easy_setopt(rq->easy, CURLOPT_POSTFIELDSIZE, (long)len))
		return CV_ERR_INTERNAL;
	return CV_OK;
}

enum request_result request_judge(struct request *rq, enum destination_kind kind, CURLcode code,
	long *status, uint64_t *retry_after_ms)
{
	curl_off_t after_s = 0;

	*status = 0;
	*retry_after_ms = 0;
	if (code != CURLE_OK || curl_easy_getinfo(rq->easy, CURLINFO_RESPONSE_CODE, status))
		return REQUEST_FAILED;
	if (*status >= 200 && *status < 300)
		return REQUEST_DELIVERED;
	if (curl_easy_getinfo(rq->easy, CURLINFO_RETRY_AFTER, &after_s) || after_s < 0)
		after_s = 0;
	if (after_s == 0 && kind == DESTINATION_TELEGRAM)
		after_s = telegram_retry_after_s(rq->answer, rq->answer_len);
	if (after_s > UINT32_MAX / 1000)
		after_s = UINT32_MAX / 1000;
	*retry_after_ms = (uint64_t)after_s * 1000;
	if (*status == 400 || *status == 413 || *status == 415 || *status == 422)
		return REQUEST_REFUSED;
	return REQUEST_FAILED;
}
