/*
 * Where alerts go. The configuration names each destination; its address and its secret are in a
 * file of mode 0600 (or 0400) that the configuration points to, and they are never logged: a
 * destination is known by its name everywhere else.
 *
 * Webhook file          url = https://...            secret = whsec_BASE64
 * Telegram file         token = 123:ABC              chat = -100123 (or @name)
 *                       base = https://api.telegram.org (optional)
 * Lines that start with # and empty lines are skipped; an unknown, repeated or missing key is an
 * error.
 */
#ifndef CONCLAVE_NOTIFY_DESTINATION_H
#define CONCLAVE_NOTIFY_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/event.h"

#define DESTINATIONS_MAX 16
#define DESTINATION_FILE_MAX 4096 /* bytes of the file, and of its path */
#define DESTINATION_URL_MAX 2048
#define DESTINATION_TOKEN_MAX 128
#define DESTINATION_CHAT_MAX 64
#define DESTINATION_KEY_MIN 24 /* bytes of a webhook key, Standard Webhooks 1.0.0 */
#define DESTINATION_KEY_MAX 64
#define DESTINATION_WHY_MAX 256

enum destination_kind {
	DESTINATION_WEBHOOK = 1,
	DESTINATION_TELEGRAM = 2
};

struct destination {
	char name[CV_ID_BUF];
	enum destination_kind kind;
	enum event_severity least; /* what is below it does not go there */
	char file[DESTINATION_FILE_MAX]; /* path */
};

/* What the file holds; lives in memory of secret_alloc (host/secret.h). */
struct destination_secret {
	char url[DESTINATION_URL_MAX + 1]; /* webhook: url; telegram: base */
	uint8_t key[DESTINATION_KEY_MAX];
	size_t key_len;
	char token[DESTINATION_TOKEN_MAX + 1];
	char chat[DESTINATION_CHAT_MAX + 1];
};

/*
 * Read and check the file: a regular file, of this user or root, nobody else's to read, a URL that
 * is https (or http to 127.0.0.0/8, ::1 or localhost; or any http with allow_http) and has no user
 * name in it. CV_ERR_CONFIG with `why`, which never quotes the file.
 */
CV_MUST_CHECK enum cv_err destination_load(struct destination_secret *out,
	const struct destination *destination, bool allow_http, char why[DESTINATION_WHY_MAX]);

#endif
