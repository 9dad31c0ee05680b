#include "provisioning/device_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/id.h"
#include "protocol/json_get.h"

#define RECORD_MAX 16384

static enum cv_err decode(struct device_record *r, const cJSON *doc)
{
	char trust[32];
	uint64_t version = 0;
	enum cv_err err = json_get_u64(doc, "v", 1, 1, &version);

	if (err == CV_OK)
		err = json_get_id(doc, "device", r->id);
	if (err == CV_OK)
		err = json_get_text(doc, "trust_class", trust, sizeof(trust));
	if (err == CV_OK)
		err = json_get_text(doc, "volume", r->volume, sizeof(r->volume));
	if (err == CV_OK)
		err = json_get_u64(doc, "created", 0, CV_JSON_INTEGER_MAX, &r->created_s);
	r->reenrolled = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(doc, "reenrolled"));
	if (err == CV_OK) {
		r->trust_class = trust_class_parse(trust);
		err = r->trust_class != 0 ? CV_OK : CV_ERR_TYPE;
	}
	return err;
}

static enum cv_err read_share_set(struct share_set *set, const struct fleet *fleet, const char *id)
{
	struct op_trust trust = {.fleet = fleet->id, .root_key = fleet->root_key};
	char path[FILE_PATH_BUF];
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = fleet_path(fleet, path, "devices/%s/share-set.jws", id);

	if (err == CV_OK)
		err = file_read(&text, &len, path, CV_SHARE_SET_MAX);
	if (err == CV_OK)
		err = share_set_decode(set, (const char *)text, len, &trust);
	free(text);
	return err;
}

bool device_exists(const struct fleet *fleet, const char *id)
{
	char path[FILE_PATH_BUF];

	return fleet_path(fleet, path, "devices/%s/record.json", id) == CV_OK && file_exists(path);
}

enum cv_err device_record_read(
	struct device_record *record, const struct fleet *fleet, const char *id)
{
	char path[FILE_PATH_BUF];
	cJSON *doc = NULL;
	enum cv_err err;

	if (!id_valid(id, strlen(id))) {
		log_error("device: %s: not an id", id);
		return CV_ERR_ARGUMENT;
	}
	err = fleet_path(fleet, path, "devices/%s/record.json", id);
	if (err != CV_OK)
		return err;
	err = jsonfile_read(&doc, path, RECORD_MAX);
	if (err == CV_OK)
		err = decode(record, doc);
	cJSON_Delete(doc);
	if (err == CV_OK)
		err = read_share_set(&record->set, fleet, id);
	if (err == CV_ERR_NOT_FOUND)
		log_error("device %s: fleet %s has none of that name: see `conclave device list`",
			id, fleet->id);
	else if (err != CV_OK)
		log_error("device %s: its files in %s/devices: %s", id, fleet->dir,
			cv_err_text(err));
	return err;
}

enum cv_err device_record_write(const char *dir, const struct device_record *r)
{
	char path[FILE_PATH_BUF];
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = file_path_join(path, sizeof(path), dir, "record.json");

	if (err == CV_OK &&
		(cJSON_AddNumberToObject(doc, "v", 1) == NULL ||
			cJSON_AddStringToObject(doc, "device", r->id) == NULL ||
			cJSON_AddStringToObject(
				doc, "trust_class", trust_class_name(r->trust_class)) == NULL ||
			cJSON_AddStringToObject(doc, "volume", r->volume) == NULL ||
			cJSON_AddNumberToObject(doc, "created", (double)r->created_s) == NULL ||
			cJSON_AddBoolToObject(doc, "reenrolled", r->reenrolled) == NULL))
		err = CV_ERR_MEMORY;
	if (err == CV_OK)
		err = jsonfile_write(path, doc, 0644);
	cJSON_Delete(doc);
	return err;
}

enum cv_err device_volume_partial(char out[FILE_PATH_BUF], const char *volume, const char *id)
{
	int n = snprintf(out, FILE_PATH_BUF, "%s.%s.new", volume, id);

	return n > 0 && n < FILE_PATH_BUF ? CV_OK : CV_ERR_TOO_LONG;
}
