#include "notify/event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

/* Text that grows in the caller's buffer; overflow sticks. */
struct text {
	char *buf;
	size_t cap;
	size_t len;
	int overflow;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->overflow)
		return;
	va_start(args, format);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		t->overflow = 1;
	else
		t->len += (size_t)n;
}

static void put_details(struct text *t, const struct event_alert *alert)
{
	put(t, ",\"details\":{");
	for (size_t i = 0; i < alert->detail_count; i++) {
		const struct event_detail *d = &alert->details[i];
		const char *comma = i ? "," : "";

		if (d->token[0])
			put(t, "%s\"%s\":\"%s\"", comma, event_key_name(d->key), d->token);
		else
			put(t, "%s\"%s\":%" PRIu64, comma, event_key_name(d->key), d->number);
	}
	put(t, "}");
}

/* Every value comes from an alphabet that JSON need not escape (event.c). */
enum cv_err event_encode(
	char out[EVENT_JSON_MAX + 1], size_t *len, const struct event_alert *alert)
{
	struct text t = {.buf = out, .cap = EVENT_JSON_MAX + 1};
	time_t when = (time_t)alert->time_s;
	char id[EVENT_ID_TEXT], stamp[32];
	struct tm tm;

	if (alert->time_s > EVENT_TIME_MAX || !gmtime_r(&when, &tm) ||
		alert->detail_count > EVENT_DETAILS_MAX ||
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return CV_ERR_ARGUMENT;
	event_id_text(id, alert->id);
	put(&t, "{\"type\":\"%s\",\"timestamp\":\"%s\",\"data\":{\"v\":1,\"id\":\"%s\"",
		event_type_name(alert->type), stamp, id);
	put(&t, ",\"severity\":\"%s\",\"gateway\":\"%s\"", event_severity_name(alert->severity),
		alert->gateway);
	if (alert->device[0])
		put(&t, ",\"device\":\"%s\"", alert->device);
	if (alert->reason[0])
		put(&t, ",\"reason\":\"%s\"", alert->reason);
	put_details(&t, alert);
	put(&t, "}}");
	if (t.overflow)
		return CV_ERR_TOO_LONG;
	*len = t.len;
	return CV_OK;
}

static const char *string_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(item) ? item->valuestring : NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_id(uint8_t out[EVENT_ID_BYTES], const char *text)
{
	if (strlen(text) != EVENT_ID_TEXT - 1 || memcmp(text, "evt_", 4) != 0)
		return 0;
	for (size_t i = 0; i < EVENT_ID_BYTES; i++) {
		int high = hex_digit(text[4 + 2 * i]), low = hex_digit(text[5 + 2 * i]);

		if (high < 0 || low < 0)
			return 0;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 1;
}

static int read_time(uint64_t *out, const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	time_t when = end && *end == 0 ? timegm(&tm) : -1;

	*out = (uint64_t)when;
	return when >= 0;
}

static enum cv_err read_details(struct event_alert *alert, const cJSON *details)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, details)
	{
		enum cv_err err = CV_ERR_TYPE;
		int key = 0;

		while (key < EVENT_KEY_COUNT_ &&
			strcmp(event_key_name((enum event_key)key), item->string) != 0)
			key++;
		if (cJSON_IsString(item))
			err = event_add_token(alert, (enum event_key)key, item->valuestring);
		else if (cJSON_IsNumber(item) && item->valuedouble >= 0 &&
			 item->valuedouble <= (double)CV_JSON_INTEGER_MAX)
			err = event_add_number(
				alert, (enum event_key)key, (uint64_t)item->valuedouble);
		if (err)
			return CV_ERR_TYPE;
	}
	return CV_OK;
}

static enum cv_err read_alert(struct event_alert *alert, const cJSON *root)
{
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
	const cJSON *details = cJSON_GetObjectItemCaseSensitive(data, "details");
	const char *type = string_of(root, "type"), *stamp = string_of(root, "timestamp");
	const char *id = string_of(data, "id"), *severity = string_of(data, "severity");
	const char *gateway = string_of(data, "gateway"), *device = string_of(data, "device");
	const char *reason = string_of(data, "reason");
	uint64_t time_s = 0;

	if (!type || !stamp || !id || !severity || !gateway || !cJSON_IsObject(details) ||
		!read_time(&time_s, stamp))
		return CV_ERR_TYPE;
	if (event_init(alert, event_type_by_name(type), gateway, device, time_s) ||
		!read_id(alert->id, id) || (reason && event_set_reason(alert, reason)))
		return CV_ERR_TYPE;
	alert->severity = (enum event_severity)event_severity_by_name(severity);
	return read_details(alert, details);
}

enum cv_err event_decode(struct event_alert *alert, const char *json, size_t len)
{
	struct event_alert read;
	char again[EVENT_JSON_MAX + 1];
	enum cv_err err = CV_ERR_INTERNAL;
	cJSON *root = NULL;
	size_t again_len = 0;

	if (len > EVENT_JSON_MAX)
		return CV_ERR_TOO_LONG;
	root = cJSON_ParseWithLengthOpts(json, len, NULL, 0);
	if (!root)
		return CV_ERR_FORMAT;
	err = read_alert(&read, root);
	if (err)
		goto out;
	/* One alert has one encoding: what cJSON tolerates (spaces, 1e0, duplicates) ends here. */
	err = event_encode(again, &again_len, &read);
	if (!err && (again_len != len || memcmp(again, json, len) != 0))
		err = CV_ERR_FORMAT;
	if (!err)
		*alert = read;
out:
	cJSON_Delete(root);
	return err;
}
