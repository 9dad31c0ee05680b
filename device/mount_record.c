#include "device/mount_record.h"

#include <cjson/cJSON.h>

#include "host/jsonfile.h"
#include "host/log.h"
#include "protocol/json_get.h"

#define RECORD_NAME "mount.json"
#define RECORD_MAX 16384

enum cv_err mount_record_write(const char *run_dir, const struct mount_record *r)
{
	char path[FILE_PATH_BUF];
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = file_path_join(path, sizeof(path), run_dir, RECORD_NAME);

	cJSON_AddStringToObject(doc, "container", r->container);
	cJSON_AddStringToObject(doc, "mount_point", r->mount_point);
	if (err == CV_OK)
		err = jsonfile_write(path, doc, 0600);
	cJSON_Delete(doc);
	return err;
}

enum cv_err mount_record_read(struct mount_record *r, const char *run_dir)
{
	char path[FILE_PATH_BUF];
	struct cJSON *doc = NULL;
	enum cv_err err = file_path_join(path, sizeof(path), run_dir, RECORD_NAME);

	if (err == CV_OK)
		err = jsonfile_read(&doc, path, RECORD_MAX);
	if (err != CV_OK)
		return err;
	err = json_get_text(doc, "container", r->container, sizeof(r->container));
	if (err == CV_OK)
		err = json_get_text(doc, "mount_point", r->mount_point, sizeof(r->mount_point));
	json_free(doc);
	return err;
}

void mount_record_remove(const char *run_dir)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = file_path_join(path, sizeof(path), run_dir, RECORD_NAME);

	if (err == CV_OK)
		err = file_remove(path);
	if (err != CV_OK && err != CV_ERR_NOT_FOUND)
		log_warning("%s: %s", path, cv_err_text(err));
}
