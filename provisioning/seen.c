#include "provisioning/seen.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/json_get.h"

#define SEEN_MAX ((size_t)1 << 20)
#define LOCK_WAIT_MS 5000
#define LOCK_POLL_NS 10000000

static enum cv_err document_read(cJSON **doc, const struct fleet *fleet)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = fleet_path(fleet, path, "seen.json");

	if (err != CV_OK)
		return err;
	err = jsonfile_read(doc, path, SEEN_MAX);
	if (err != CV_ERR_NOT_FOUND) {
		if (err != CV_OK)
			log_error("seen: %s: %s", path, cv_err_text(err));
		return err;
	}
	*doc = cJSON_CreateObject();
	if (cJSON_AddNumberToObject(*doc, "v", 1) == NULL ||
		cJSON_AddObjectToObject(*doc, "gateways") == NULL)
		return CV_ERR_MEMORY;
	return CV_OK;
}

static enum cv_err entry_decode(struct seen *out, const cJSON *doc, const char *gateway)
{
	const cJSON *all = NULL, *entry = NULL;
	struct seen s;
	const char *head = NULL;
	size_t head_len = 0;
	enum cv_err err = json_get_object(doc, "gateways", &all);

	if (err != CV_OK)
		return err;
	if (!json_has(all, gateway))
		return CV_ERR_NOT_FOUND;
	err = json_get_object(all, gateway, &entry);
	if (err == CV_OK)
		err = json_get_u64(entry, "revision", 0, CV_JSON_INTEGER_MAX, &s.revision);
	if (err == CV_OK)
		err = json_get_u64(entry, "seq", 0, CV_JSON_INTEGER_MAX, &s.seq);
	if (err == CV_OK)
		err = json_get_u64(entry, "time", 0, CV_JSON_INTEGER_MAX, &s.time_s);
	if (err == CV_OK)
		err = json_get_text_ref(entry, "head", &head, &head_len);
	if (err == CV_OK)
		err = hex_decode(s.head, sizeof(s.head), head, head_len);
	if (err == CV_OK)
		*out = s;
	return err;
}

enum cv_err seen_get(struct seen *out, const struct fleet *fleet, const char *gateway)
{
	cJSON *doc = NULL;
	enum cv_err err = document_read(&doc, fleet);

	if (err == CV_OK)
		err = entry_decode(out, doc, gateway);
	cJSON_Delete(doc);
	return err;
}

static enum cv_err entry_put(cJSON *doc, const char *gateway, const struct seen *now)
{
	cJSON *all = cJSON_GetObjectItemCaseSensitive(doc, "gateways");
	cJSON *entry = cJSON_CreateObject();
	char head[HEX_BUF(CV_HASH_BYTES)];

	hex_encode(head, now->head, sizeof(now->head));
	if (cJSON_AddNumberToObject(entry, "revision", (double)now->revision) == NULL ||
		cJSON_AddNumberToObject(entry, "seq", (double)now->seq) == NULL ||
		cJSON_AddStringToObject(entry, "head", head) == NULL ||
		cJSON_AddNumberToObject(entry, "time", (double)now->time_s) == NULL) {
		cJSON_Delete(entry);
		return CV_ERR_MEMORY;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(all, gateway);
	return cJSON_AddItemToObject(all, gateway, entry) ? CV_OK : CV_ERR_MEMORY;
}

static enum cv_err compare(const struct seen *old, const struct seen *now)
{
	if (now->revision < old->revision || now->seq < old->seq)
		return CV_ERR_TOO_OLD;
	if (now->seq == old->seq && memcmp(now->head, old->head, sizeof(now->head)) != 0)
		return CV_ERR_TAMPERED;
	return CV_OK;
}

static enum cv_err check_locked(
	const struct fleet *fleet, const char *gateway, const struct seen *now)
{
	char path[FILE_PATH_BUF];
	struct seen old;
	cJSON *doc = NULL;
	enum cv_err err = document_read(&doc, fleet);

	if (err == CV_OK) {
		err = entry_decode(&old, doc, gateway);
		if (err == CV_OK)
			err = compare(&old, now);
		else if (err == CV_ERR_NOT_FOUND)
			err = CV_OK;
	}
	if (err == CV_OK)
		err = entry_put(doc, gateway, now);
	if (err == CV_OK)
		err = fleet_path(fleet, path, "seen.json");
	if (err == CV_OK)
		err = jsonfile_write(path, doc, 0600);
	cJSON_Delete(doc);
	return err;
}

enum cv_err seen_check(const struct fleet *fleet, const char *gateway, const struct seen *now)
{
	const struct timespec pause = {.tv_nsec = LOCK_POLL_NS};
	uint64_t until = clock_monotonic_ms() + LOCK_WAIT_MS;
	char path[FILE_PATH_BUF];
	int fd = -1;
	enum cv_err err = fleet_path(fleet, path, "seen.lock");

	if (err != CV_OK)
		return err;
	/* held for one small write only */
	while ((err = file_lock(&fd, path)) == CV_ERR_BUSY && clock_monotonic_ms() < until)
		nanosleep(&pause, NULL);
	if (err != CV_OK) {
		log_error("seen: %s: %s", path, cv_err_text(err));
		return err;
	}
	err = check_locked(fleet, gateway, now);
	close(fd);
	return err;
}
