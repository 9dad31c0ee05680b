#include "notify/telegram.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "notify/format.h"
#include "protocol/json_write.h"

#define RETRY_AFTER_MAX_S 86400

void telegram_url(char out[TELEGRAM_URL_MAX + 1], const struct destination_secret *secret)
{
	size_t len = strlen(secret->url);

	while (len > 0 && secret->url[len - 1] == '/')
		len--;
	snprintf(out, TELEGRAM_URL_MAX + 1, "%.*s/bot%s/sendMessage", (int)len, secret->url,
		secret->token);
}

enum cv_err telegram_body(char out[TELEGRAM_BODY_MAX + 1], size_t *len,
	const struct destination_secret *secret, const struct event_alert *alert)
{
	char line[FORMAT_LINE_MAX];
	struct json_writer w;

	format_line(line, alert);
	json_begin(&w, out, TELEGRAM_BODY_MAX + 1);
	json_object_open(&w, NULL);
	json_text(&w, "chat_id", secret->chat);
	json_text(&w, "text", line);
	json_bool(&w, "disable_notification", alert->severity == EVENT_INFO);
	json_object_close(&w);
	return json_end(&w, len);
}

uint32_t telegram_retry_after_s(const char *answer, size_t len)
{
	cJSON *root = cJSON_ParseWithLength(answer, len);
	const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(root, "parameters");
	const cJSON *after = cJSON_GetObjectItemCaseSensitive(parameters, "retry_after");
	uint32_t seconds = 0;

	if (cJSON_IsNumber(after) && after->valuedouble >= 0)
		seconds = after->valuedouble > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S
								 : (uint32_t)after->valuedouble;
	cJSON_Delete(root);
	return seconds;
}
