#include "notify/destination.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "host/file.h"
#include "host/secret.h"
#include "notify/webhook.h"
#include "protocol/crypto.h"

#define TELEGRAM_BASE "https://api.telegram.org"

__attribute__((format(printf, 2, 3))) static enum cv_err refuse(
	char why[DESTINATION_WHY_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, DESTINATION_WHY_MAX, format, args);
	va_end(args);
	return CV_ERR_CONFIG;
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		strcmp(host, "::1") == 0)
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

static bool part_is_absent(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool absent = curl_url_get(url, part, &text, 0) != CURLUE_OK;

	curl_free(text);
	return absent;
}

static const char *url_fault(CURLU *url, const char *text, bool allow_http)
{
	char *scheme = NULL, *host = NULL;
	const char *fault = NULL;

	if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) ||
		curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
		curl_url_get(url, CURLUPART_HOST, &host, 0))
		fault = "is not a URL";
	else if (!part_is_absent(url, CURLUPART_USER) || !part_is_absent(url, CURLUPART_PASSWORD) ||
		 !part_is_absent(url, CURLUPART_FRAGMENT))
		fault = "must have no user name, password or fragment";
	else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
		fault = "must be https";
	else if (strcmp(scheme, "http") == 0 && !allow_http && !is_loopback(host))
		fault = "is plain http to another machine: use https";
	curl_free(scheme);
	curl_free(host);
	return fault;
}

/* NULL, or what is wrong with it in words that do not quote it. */
static const char *check_url(const char *text, bool allow_http)
{
	CURLU *url = curl_url();
	const char *fault = url ? url_fault(url, text, allow_http) : "cannot be checked: no memory";

	curl_url_cleanup(url);
	return fault;
}

struct field {
	const char *name;
	char *out;
	size_t cap;
	bool required;
	bool seen;
};

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r", text[len - 1]))
		text[--len] = 0;
	return text;
}

static enum cv_err read_line(struct field *fields, size_t count, char *line, unsigned number,
	char why[DESTINATION_WHY_MAX])
{
	char *equals, *name, *value;

	line = trim(line);
	if (!line[0] || line[0] == '#')
		return CV_OK;
	equals = strchr(line, '=');
	if (!equals)
		return refuse(why, "line %u is not KEY = VALUE", number);
	*equals = 0;
	name = trim(line);
	value = trim(equals + 1);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (fields[i].seen)
			return refuse(why, "line %u repeats %s", number, fields[i].name);
		if (!value[0] || strlen(value) >= fields[i].cap)
			return refuse(why, "line %u: %s is empty or too long", number,
				fields[i].name);
		strcpy(fields[i].out, value);
		fields[i].seen = true;
		return CV_OK;
	}
	return refuse(why, "line %u has a key that is not known here", number);
}

static enum cv_err read_fields(
	struct field *fields, size_t count, char *text, char why[DESTINATION_WHY_MAX])
{
	enum cv_err err = CV_OK;
	unsigned number = 0;
	char *rest = text;

	while (rest && !err) {
		char *line = strsep(&rest, "\n");

		err = read_line(fields, count, line, ++number, why);
	}
	for (size_t i = 0; i < count && !err; i++) {
		if (fields[i].required && !fields[i].seen)
			err = refuse(why, "%s is missing", fields[i].name);
	}
	return err;
}

static bool all_of(const char *text, const char *alphabet)
{
	return text[strspn(text, alphabet)] == 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static enum cv_err read_webhook(
	struct destination_secret *out, char *text, char *scratch, char why[DESTINATION_WHY_MAX])
{
	struct field fields[] = {
		{"url", out->url, sizeof(out->url), true, false},
		{"secret", scratch, DESTINATION_FILE_MAX, true, false},
	};
	enum cv_err err = read_fields(fields, 2, text, why);

	if (!err && webhook_key_decode(out->key, &out->key_len, scratch))
		err = refuse(why, "secret is not whsec_ and base64 of 24 to 64 bytes");
	return err;
}

static enum cv_err read_telegram(
	struct destination_secret *out, char *text, char why[DESTINATION_WHY_MAX])
{
	struct field fields[] = {
		{"base", out->url, sizeof(out->url), false, false},
		{"token", out->token, sizeof(out->token), true, false},
		{"chat", out->chat, sizeof(out->chat), true, false},
	};
	enum cv_err err = read_fields(fields, 3, text, why);

	if (err)
		return err;
	if (!all_of(out->token, LETTERS DIGITS ":_-"))
		return refuse(why, "token has characters that no bot token has");
	if (!all_of(out->chat, LETTERS DIGITS "@_-"))
		return refuse(why, "chat is a number or @name");
	if (!fields[0].seen)
		strcpy(out->url, TELEGRAM_BASE);
	return CV_OK;
}

enum cv_err destination_load(struct destination_secret *out,
	const struct destination *destination, bool allow_http, char why[DESTINATION_WHY_MAX])
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint8_t *text = NULL;
	char *scratch = NULL;
	const char *fault;
	size_t len = 0;

	memset(out, 0, sizeof(*out));
	err = file_read_secret(&text, &len, destination->file, DESTINATION_FILE_MAX);
	if (err) {
		err = refuse(why, "%s: %s%s", destination->file, cv_err_text(err),
			err == CV_ERR_PERMISSION ? ": want mode 0600, owned by this user" : "");
		goto out;
	}
	if (memchr(text, 0, len)) {
		err = refuse(why, "%s: holds a NUL", destination->file);
		goto out;
	}
	scratch = secret_alloc(DESTINATION_FILE_MAX);
	if (!scratch) {
		err = CV_ERR_MEMORY;
		snprintf(why, DESTINATION_WHY_MAX, "%s", secret_last_error());
		goto out;
	}
	if (destination->kind == DESTINATION_WEBHOOK)
		err = read_webhook(out, (char *)text, scratch, why);
	else
		err = read_telegram(out, (char *)text, why);
	if (err)
		goto out;
	fault = check_url(out->url, allow_http);
	if (fault)
		err = refuse(why, "the address %s", fault);
out:
	secret_free(scratch);
	secret_free(text);
	if (err)
		crypto_wipe(out, sizeof(*out));
	return err;
}
