/*
 * Delivery from the outbox to every destination at once (libcurl's multi interface). Each
 * destination has its own requests under way, its own backoff and its own connection, so one that
 * stalls delays nobody else.
 *
 * Answers  2xx: delivered. 400, 413, 415, 422: this alert is refused, the destination is well.
 *          Everything else, and no answer: the destination is down; one alert at a time then tries
 *          it after a backoff (or Retry-After, if longer) until it answers again.
 * Log      a destination's name, an HTTP status or libcurl's text of a failure; once when it goes
 *          down, once when it is back, once for each dead letter.
 * Threads  one thread per struct.
 */
#ifndef CONCLAVE_NOTIFY_DELIVERY_H
#define CONCLAVE_NOTIFY_DELIVERY_H

#include <stdbool.h>

#include <curl/curl.h>

#include "notify/outbox.h"
#include "notify/sender.h"

#define DELIVERY_WEBHOOK_PARALLEL 4
#define DELIVERY_TELEGRAM_PARALLEL 1 /* one chat takes about one message a second */

struct delivery;

/*
 * Reads the destinations' files; `ob` and cfg->destinations stay the caller's and must outlive it.
 * curl_global_init was called. CV_ERR_CONFIG after a line in the log.
 */
CV_MUST_CHECK enum cv_err delivery_open(
	struct delivery **out, const struct sender_config *cfg, struct outbox *ob);
/* Ends what is under way without a trace: it stays in the outbox. NULL is allowed. */
void delivery_close(struct delivery *dl);

/*
 * Start what is due, move what is under way, record what ended. *wait_ms is the time until there
 * is something to do without the network. An error is the outbox's.
 */
CV_MUST_CHECK enum cv_err delivery_step(struct delivery *dl, uint64_t *wait_ms);
/* Waits for the network, for extra descriptors, or for wait_ms. */
CV_MUST_CHECK enum cv_err delivery_wait(
	struct delivery *dl, struct curl_waitfd *extra, unsigned extra_count, uint64_t wait_ms);
/* Requests under way. */
size_t delivery_active(const struct delivery *dl);
/* False while the destination is down. */
bool delivery_is_up(const struct delivery *dl, size_t destination);

#endif
