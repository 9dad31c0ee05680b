#include "provisioning/pending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/json_get.h"
#include "provisioning/pending_keep.h"

#define FOLDER "pending"
#define FILE_MAX 65536

size_t pending_held(const struct pending *p)
{
	size_t held = 0;

	for (size_t i = 0; i < p->count; i++)
		held += p->gateways[i].holds;
	return held;
}

static enum cv_err set_command(
	struct pending *p, const char *command, const char *reason, bool locks)
{
	cJSON *doc = cJSON_CreateObject();
	char *body = NULL;
	enum cv_err err = CV_ERR_MEMORY;

	if ((p->device[0] == '\0' || cJSON_AddStringToObject(doc, "device", p->device) != NULL) &&
		(reason == NULL || cJSON_AddStringToObject(doc, "reason", reason) != NULL))
		body = cJSON_PrintUnformatted(doc);
	cJSON_Delete(doc);
	if (body != NULL) {
		err = strlen(body) < sizeof(p->body) ? CV_OK : CV_ERR_TOO_LONG;
		if (err == CV_OK)
			memcpy(p->body, body, strlen(body) + 1);
	}
	cJSON_free(body);
	if (err == CV_ERR_TOO_LONG) {
		log_error("--reason: too long");
		err = CV_ERR_ARGUMENT;
	}
	snprintf(p->command, sizeof(p->command), "%s", command);
	p->locks = locks;
	p->since_s = (uint64_t)clock_wall_s();
	return err;
}

enum cv_err pending_for_device(struct pending *p, const struct device_record *record,
	const char *command, const char *reason, bool locks)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "device-%s", record->id);
	memcpy(p->device, record->id, sizeof(p->device));
	p->needed = locks ? (size_t)record->set.count - record->set.threshold + 1
			  : record->set.threshold;
	p->count = record->set.count;
	for (size_t i = 0; i < p->count; i++)
		memcpy(p->gateways[i].id, record->set.members[i].gateway, CV_ID_BUF);
	return set_command(p, command, reason, locks);
}

static enum cv_err add_gateway(void *user, const char *id)
{
	struct pending *p = user;

	if (p->count == PENDING_GATEWAYS_MAX)
		return CV_ERR_FULL;
	snprintf(p->gateways[p->count++].id, CV_ID_BUF, "%s", id);
	return CV_OK;
}

enum cv_err pending_for_fleet(struct pending *p, const struct fleet *fleet, const char *command,
	const char *reason, bool locks)
{
	enum cv_err err;

	memset(p, 0, sizeof(*p));
	strcpy(p->name, "fleet");
	err = fleet_each(fleet, "gateways", ".json", add_gateway, p);
	return err == CV_OK ? set_command(p, command, reason, locks) : err;
}

static enum cv_err decode(struct pending *p, const cJSON *doc)
{
	const cJSON *list = NULL, *item;
	uint64_t v, needed = 0;
	size_t count = 0;
	int locks = 0, holds = 0;
	enum cv_err err = json_get_u64(doc, "v", 1, 1, &v);

	if (err == CV_OK && json_has(doc, "device"))
		err = json_get_id(doc, "device", p->device);
	if (err == CV_OK)
		err = json_get_text(doc, "command", p->command, sizeof(p->command));
	if (err == CV_OK)
		err = json_get_text(doc, "body", p->body, sizeof(p->body));
	if (err == CV_OK)
		err = json_get_bool(doc, "locks", &locks);
	if (err == CV_OK)
		err = json_get_u64(doc, "since", 0, CV_JSON_INTEGER_MAX, &p->since_s);
	if (err == CV_OK)
		err = json_get_u64(doc, "needed", 0, CV_MEMBERS_MAX, &needed);
	if (err == CV_OK)
		err = json_get_array(doc, "gateways", &list, &count);
	if (err == CV_OK && count > PENDING_GATEWAYS_MAX)
		err = CV_ERR_TOO_LONG;
	p->locks = locks != 0;
	p->needed = (size_t)needed;
	cJSON_ArrayForEach(item, list)
	{
		if (err == CV_OK)
			err = json_get_id(item, "gateway", p->gateways[p->count].id);
		if (err == CV_OK)
			err = json_get_bool(item, "holds", &holds);
		if (err != CV_OK)
			break;
		p->gateways[p->count++].holds = holds != 0;
	}
	return err;
}

enum cv_err pending_read(struct pending *p, const struct fleet *fleet, const char *name)
{
	char path[FILE_PATH_BUF];
	cJSON *doc = NULL;
	enum cv_err err = fleet_path(fleet, path, FOLDER "/%s.json", name);

	memset(p, 0, sizeof(*p));
	if (err != CV_OK)
		return err;
	if (!file_exists(path))
		return CV_ERR_NOT_FOUND;
	snprintf(p->name, sizeof(p->name), "%s", name);
	err = jsonfile_read(&doc, path, FILE_MAX);
	if (err == CV_OK)
		err = decode(p, doc);
	json_free(doc);
	if (err != CV_OK)
		log_error("pending: %s: %s", path, cv_err_text(err));
	return err;
}

enum cv_err pending_each(const struct fleet *fleet,
	enum cv_err (*each)(void *user, const char *name), void *user)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(fleet, path, FOLDER);

	if (err != CV_OK || !file_exists(path))
		return err;
	return fleet_each(fleet, FOLDER, ".json", each, user);
}

static cJSON *encode(const struct pending *p)
{
	cJSON *doc = cJSON_CreateObject();
	cJSON *list;

	cJSON_AddNumberToObject(doc, "v", 1);
	if (p->device[0] != '\0')
		cJSON_AddStringToObject(doc, "device", p->device);
	cJSON_AddStringToObject(doc, "command", p->command);
	cJSON_AddStringToObject(doc, "body", p->body);
	cJSON_AddBoolToObject(doc, "locks", p->locks);
	cJSON_AddNumberToObject(doc, "since", (double)p->since_s);
	cJSON_AddNumberToObject(doc, "needed", (double)p->needed);
	list = cJSON_AddArrayToObject(doc, "gateways");
	for (size_t i = 0; i < p->count; i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "gateway", p->gateways[i].id);
		cJSON_AddBoolToObject(item, "holds", p->gateways[i].holds);
		cJSON_AddItemToArray(list, item);
	}
	return doc;
}

/* Kept as long as somebody does not hold it. */
enum cv_err pending_keep(const struct pending *p, const struct fleet *fleet)
{
	char path[FILE_PATH_BUF];
	cJSON *doc;
	enum cv_err err = fleet_path(fleet, path, FOLDER);

	if (err == CV_OK)
		err = file_make_dir(path, 0755);
	if (err == CV_OK)
		err = fleet_path(fleet, path, FOLDER "/%s.json", p->name);
	if (err != CV_OK)
		return err;
	if (pending_held(p) == p->count) {
		err = file_remove(path);
		err = err == CV_ERR_NOT_FOUND ? CV_OK : err;
	} else {
		doc = encode(p);
		err = jsonfile_write(path, doc, 0644);
		cJSON_Delete(doc);
	}
	if (err != CV_OK)
		log_error("pending: %s: %s", path, cv_err_text(err));
	return err;
}
