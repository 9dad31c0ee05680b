#include "notify/event.h"

#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"

#define STAMP_FORMAT "%Y-%m-%dT%H:%M:%SZ"
#define STAMP_BUF 24

static void put_details(struct json_writer *w, const struct event_alert *alert)
{
	json_object_open(w, "details");
	for (size_t i = 0; i < alert->detail_count; i++) {
		const struct event_detail *d = &alert->details[i];

		if (d->token[0])
			json_text(w, event_key_name(d->key), d->token);
		else
			json_u64(w, event_key_name(d->key), d->number);
	}
	json_object_close(w);
}

enum cv_err event_encode(
	char out[EVENT_JSON_MAX + 1], size_t *len, const struct event_alert *alert)
{
	struct json_writer w;
	time_t when = (time_t)alert->time_s;
	char id[EVENT_ID_TEXT], stamp[STAMP_BUF];
	struct tm tm;

	if (alert->time_s > EVENT_TIME_MAX || alert->detail_count > EVENT_DETAILS_MAX ||
		!gmtime_r(&when, &tm) || strftime(stamp, sizeof(stamp), STAMP_FORMAT, &tm) == 0)
		return CV_ERR_ARGUMENT;
	event_id_text(id, alert->id);
	json_begin(&w, out, EVENT_JSON_MAX + 1);
	json_object_open(&w, NULL);
	json_text(&w, "type", event_type_name(alert->type));
	json_text(&w, "timestamp", stamp);
	json_object_open(&w, "data");
	json_u64(&w, "v", 1);
	json_text(&w, "id", id);
	json_text(&w, "severity", event_severity_name(alert->severity));
	json_text(&w, "gateway", alert->gateway);
	if (alert->device[0])
		json_text(&w, "device", alert->device);
	if (alert->reason[0])
		json_text(&w, "reason", alert->reason);
	put_details(&w, alert);
	json_object_close(&w);
	json_object_close(&w);
	return json_end(&w, len);
}

static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(item) ? item->valuestring : NULL;
}

static int read_id(uint8_t out[EVENT_ID_BYTES], const char *text)
{
	return strlen(text) == EVENT_ID_TEXT - 1 && memcmp(text, "evt_", 4) == 0 &&
	       hex_decode(out, EVENT_ID_BYTES, text + 4, 2 * EVENT_ID_BYTES) == CV_OK;
}

static int read_time(uint64_t *out, const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, STAMP_FORMAT, &tm);
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
	const char *type = text_of(root, "type"), *stamp = text_of(root, "timestamp");
	const char *id = text_of(data, "id"), *severity = text_of(data, "severity");
	const char *gateway = text_of(data, "gateway"), *device = text_of(data, "device");
	const char *reason = text_of(data, "reason");
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

	err = json_parse(&root, json, len, EVENT_JSON_MAX);
	if (err)
		return err;
	err = read_alert(&read, root);
	if (err)
		goto out;
	/* One alert has one encoding: whatever else parses (spaces, another order) ends here. */
	err = event_encode(again, &again_len, &read);
	if (!err && (again_len != len || memcmp(again, json, len) != 0))
		err = CV_ERR_FORMAT;
	if (!err)
		*alert = read;
out:
	json_free(root);
	return err;
}
