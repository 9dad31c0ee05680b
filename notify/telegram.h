/*
 * Telegram's Bot API: POST BASE/botTOKEN/sendMessage with a JSON body. Informational alerts come
 * without a sound.
 */
#ifndef CONCLAVE_NOTIFY_TELEGRAM_H
#define CONCLAVE_NOTIFY_TELEGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "notify/destination.h"

#define TELEGRAM_URL_MAX (DESTINATION_URL_MAX + DESTINATION_TOKEN_MAX + 32)
#define TELEGRAM_BODY_MAX 2048

/* `out` then holds the token: wipe it. */
void telegram_url(char out[TELEGRAM_URL_MAX + 1], const struct destination_secret *secret);

CV_MUST_CHECK enum cv_err telegram_body(char out[TELEGRAM_BODY_MAX + 1], size_t *len,
	const struct destination_secret *secret, const struct event_alert *alert);

/* Seconds of parameters.retry_after in an answer (429); 0 if it is not there. */
uint32_t telegram_retry_after_s(const char *answer, size_t len);

#endif
