#include "provisioning/audit_fetch.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "host/log.h"
#include "protocol/json_get.h"

static enum cv_err take_page(
	struct audit_log *log, const struct cJSON *body, uint64_t next, size_t *count)
{
	const cJSON *records = NULL, *item;
	uint64_t first = 0;
	enum cv_err err = json_get_array(body, "records", &records, count);

	if (err == CV_OK && *count > 0)
		err = json_get_u64(body, "first", 1, CV_JSON_INTEGER_MAX, &first);
	if (err == CV_OK && *count > 0 && first != next)
		err = CV_ERR_RANGE;
	cJSON_ArrayForEach(item, records)
	{
		const char *text = cJSON_GetStringValue(item);

		if (err == CV_OK)
			err = text != NULL ? audit_log_add(log, text, strlen(text)) : CV_ERR_TYPE;
	}
	return err;
}

enum cv_err audit_fetch(struct audit_log *log, const struct op_client *client,
	const struct gateway_record *gateway, uint64_t from, struct seen *state)
{
	struct op_result result;
	char body[64];
	size_t count = 1;
	enum cv_err err = CV_OK;

	while (err == CV_OK && count > 0) {
		snprintf(body, sizeof(body), "{\"from\":%llu}",
			(unsigned long long)(from + log->count));
		err = op_call(client, gateway, "audit", body, &result);
		if (err == CV_OK)
			err = take_page(log, result.body, from + log->count, &count);
		if (err != CV_OK)
			log_error("gateway %s: %s", gateway->id,
				result.problem[0] != '\0' ? result.problem : cv_err_text(err));
		else
			*state = result.state;
		op_result_wipe(&result);
		if (err == CV_OK && from + log->count > state->seq)
			break;
	}
	return err;
}
