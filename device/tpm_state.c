#include "device/tpm_state.h"

#include <string.h>

#include "host/file.h"
#include "host/jsonfile.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"

#define DOCUMENT_MAX 4096

static enum cv_err decode(struct tpm_identity *id, const struct cJSON *doc)
{
	static const char *const names[] = {"v", "ek", "ek_name", "ak", "ak_private", NULL};
	char kind[8];
	struct tpm_ak ak;
	enum cv_err err = json_only_v1(doc, names);

	if (err == CV_OK)
		err = json_get_text(doc, "ek", kind, sizeof(kind));
	if (err == CV_OK) {
		id->kind = tpm_ek_kind_parse(kind);
		err = id->kind != 0 ? CV_OK : CV_ERR_TYPE;
	}
	if (err == CV_OK)
		err = json_get_bytes(doc, "ek_name", id->ek_name, sizeof(id->ek_name));
	if (err == CV_OK)
		err = json_get_bytes_max(doc, "ak", id->ak, sizeof(id->ak), &id->ak_len);
	if (err == CV_OK)
		err = json_get_bytes_max(
			doc, "ak_private", id->private, sizeof(id->private), &id->private_len);
	if (err == CV_OK && tpm_ak_decode(&ak, id->ak, id->ak_len) != CV_OK)
		err = CV_ERR_TYPE;
	return err;
}

enum cv_err tpm_state_read(struct tpm_identity *id, const char *path)
{
	struct tpm_identity read;
	struct cJSON *doc = NULL;
	enum cv_err err = jsonfile_read(&doc, path, DOCUMENT_MAX);

	memset(&read, 0, sizeof(read));
	if (err == CV_OK)
		err = decode(&read, doc);
	json_free(doc);
	if (err == CV_OK)
		*id = read;
	return err;
}

enum cv_err tpm_state_write(const char *path, const struct tpm_identity *id)
{
	char text[DOCUMENT_MAX];
	struct json_writer w;
	size_t len = 0;
	enum cv_err err;

	json_begin(&w, text, sizeof(text));
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "ek", tpm_ek_kind_name(id->kind));
	json_bytes(&w, "ek_name", id->ek_name, sizeof(id->ek_name));
	json_bytes(&w, "ak", id->ak, id->ak_len);
	json_bytes(&w, "ak_private", id->private, id->private_len);
	json_object_close(&w);
	err = json_end(&w, &len);
	return err == CV_OK ? file_write_atomic(path, text, len, 0600) : err;
}
