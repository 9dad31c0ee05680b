/* What a policy says of a TPM: PCR values, firmware. */
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/json_get.h"
#include "protocol/line.h"
#include "protocol/policy_read.h"

int policy_pcr_position(const char *name)
{
	unsigned int number = 0;
	size_t len = strlen(name);

	if (len < 1 || len > 2 || (len == 2 && name[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		number = 10 * number + (unsigned int)(name[i] - '0');
	}
	return tpm_pcr_position(number);
}

static enum cv_err get_pcr(
	const cJSON *item, struct policy_pcr *pcr, const struct policy_complaint *c)
{
	const cJSON *value;
	enum cv_err err;

	if (!cJSON_IsArray(item) || item->child == NULL)
		return policy_complain(c, CV_ERR_TYPE, "pcrs", item->string,
			"must be a list of at least one value");
	cJSON_ArrayForEach(value, item)
	{
		if (pcr->count >= CV_PCR_VALUES_MAX)
			return policy_complain(
				c, CV_ERR_TOO_LONG, "pcrs", item->string, "too many values");
		err = policy_hash(pcr->values[pcr->count], value);
		if (err != CV_OK)
			return policy_complain(c, err, "pcrs", item->string,
				"a value is not 64 lower-case hex digits");
		pcr->count++;
	}
	return CV_OK;
}

enum cv_err policy_pcrs_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	const struct cJSON *rules;
	const cJSON *item;
	enum cv_err err = policy_section_get(tree, "pcrs", 1, &p->pcrs, &rules, c);

	if (err != CV_OK || rules == NULL)
		return err;
	cJSON_ArrayForEach(item, rules)
	{
		const int position = policy_pcr_position(item->string);

		if (position < 0)
			return policy_complain(c, CV_ERR_RANGE, "pcrs", NULL,
				"a PCR is not one of 0 to 9 and 11 to 15, which a quote covers");
		err = get_pcr(item, &p->pcr[position], c);
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err get_firmware_value(const cJSON *value, uint64_t *out)
{
	uint8_t raw[8];
	enum cv_err err = cJSON_IsString(value) ?
		hex_decode(raw, sizeof(raw), value->valuestring, strlen(value->valuestring)) :
		CV_ERR_TYPE;

	if (err != CV_OK)
		return err;
	*out = 0;
	for (size_t i = 0; i < sizeof(raw); i++)
		*out = *out << 8 | raw[i];
	return CV_OK;
}

/* A list, where the other sections are objects; an empty one is as good as none. */
enum cv_err policy_firmware_get(
	const struct cJSON *tree, struct policy *p, const struct policy_complaint *c)
{
	static const char name[] = "tpm_firmware";
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(tree, name);
	const cJSON *value;
	enum cv_err err;

	p->firmware = POLICY_EMPTY;
	if (item == NULL)
		return CV_OK;
	if (cJSON_IsString(item) && text_equal(item->valuestring, POLICY_WAIVED)) {
		p->firmware = POLICY_NOT_REQUIRED;
		return CV_OK;
	}
	if (!cJSON_IsArray(item))
		return policy_complain(
			c, CV_ERR_TYPE, name, NULL, "must be a list or \"not_required\"");
	cJSON_ArrayForEach(value, item)
	{
		if (p->firmware_count >= CV_PCR_VALUES_MAX)
			return policy_complain(c, CV_ERR_TOO_LONG, name, NULL, "too many versions");
		err = get_firmware_value(value, &p->firmwares[p->firmware_count++]);
		if (err != CV_OK)
			return policy_complain(c, err, name, NULL,
				"a version is not 16 lower-case hex digits");
		p->firmware = POLICY_RULES;
	}
	return CV_OK;
}
