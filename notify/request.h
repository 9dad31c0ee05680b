/*
 * One HTTP request that carries one alert to one destination. It owns its curl handle for life and
 * is used again for the next alert; the answer is bounded.
 */
#ifndef CONCLAVE_NOTIFY_REQUEST_H
#define CONCLAVE_NOTIFY_REQUEST_H

#include <stdbool.h>

#include <curl/curl.h>

#include "notify/outbox.h"
#include "notify/sender.h"
#include "notify/telegram.h"

#define REQUEST_ANSWER_KEPT 1024   /* bytes looked at */
#define REQUEST_ANSWER_MAX 65536   /* more than this and the request has failed */

struct request {
	CURL *easy;
	struct curl_slist *headers;
	bool busy;
	struct outbox_entry entry;
	char body[TELEGRAM_BODY_MAX + 1];
	char answer[REQUEST_ANSWER_KEPT];
	size_t answer_len;
	size_t answer_seen;
};

enum request_result {
	REQUEST_DELIVERED,
	REQUEST_REFUSED, /* this alert; the destination is well */
	REQUEST_FAILED	 /* the destination */
};

/*
 * What never changes between alerts: TLS, timeouts, protocols, address. `roots` is the text of
 * cfg->ca_file, which must outlive the request; NULL: the system's roots.
 */
CV_MUST_CHECK enum cv_err request_open(struct request *rq, const struct sender_config *cfg,
	const struct curl_blob *roots, enum destination_kind kind,
	const struct destination_secret *secret);
void request_close(struct request *rq);

/* Headers and body for rq->entry; rq->easy is then ready for curl_multi_add_handle. */
CV_MUST_CHECK enum cv_err request_prepare(struct request *rq, enum destination_kind kind,
	const struct destination_secret *secret, uint64_t now_s);

/* *retry_after_ms is 0 when the destination did not ask for a time. */
enum request_result request_judge(struct request *rq, enum destination_kind kind, CURLcode code,
	long *status, uint64_t *retry_after_ms);

_Static_assert(TELEGRAM_BODY_MAX >= EVENT_JSON_MAX, "the body holds either form");

#endif
