#include "provisioning/fleet.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/jsonfile.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/id.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"

const char *fleet_dir(const struct context *ctx)
{
	const char *dir = option_text(ctx, "fleet");

	if (dir == NULL)
		dir = getenv("CONCLAVE_FLEET");
	return dir != NULL && dir[0] != '\0' ? dir : "conclave-fleet";
}

__attribute__((format(printf, 3, 0)))
static enum cv_err join_va(
	char out[FILE_PATH_BUF], const char *dir, const char *format, va_list args)
{
	char name[FILE_PATH_BUF];
	int n = vsnprintf(name, sizeof(name), format, args);

	if (n < 0 || (size_t)n >= sizeof(name))
		return CV_ERR_TOO_LONG;
	return file_path_join(out, FILE_PATH_BUF, dir, name);
}

enum cv_err fleet_path(const struct fleet *fleet, char out[FILE_PATH_BUF], const char *format, ...)
{
	va_list args;
	enum cv_err err;

	va_start(args, format);
	err = join_va(out, fleet->dir, format, args);
	va_end(args);
	if (err != CV_OK)
		log_error("fleet %s: path: %s", fleet->dir, cv_err_text(err));
	return err;
}

enum cv_err fleet_write(const char *dir, const char *id,
	const uint8_t root_key[CV_ES256_PUBLIC_BYTES], const char *tls_root)
{
	char key[BASE64URL_BUF(CV_ES256_PUBLIC_BYTES)];
	char path[FILE_PATH_BUF];
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = base64url_encode(key, sizeof(key), root_key, CV_ES256_PUBLIC_BYTES);

	if (err == CV_OK)
		err = file_path_join(path, sizeof(path), dir, "fleet.json");
	if (err == CV_OK && (cJSON_AddNumberToObject(doc, "v", 1) == NULL ||
				    cJSON_AddStringToObject(doc, "fleet", id) == NULL ||
				    cJSON_AddStringToObject(doc, "root_key", key) == NULL ||
				    cJSON_AddStringToObject(doc, "tls_root", tls_root) == NULL ||
				    cJSON_AddNumberToObject(doc, "created",
					    (double)clock_wall_s()) == NULL))
		err = CV_ERR_MEMORY;
	if (err == CV_OK)
		err = jsonfile_write(path, doc, 0644);
	cJSON_Delete(doc);
	return err;
}

static enum cv_err read_document(struct fleet *fleet)
{
	char path[FILE_PATH_BUF];
	cJSON *doc = NULL;
	const char *pem = NULL;
	size_t pem_len = 0;
	uint64_t version = 0;
	enum cv_err err = fleet_path(fleet, path, "fleet.json");

	if (err != CV_OK)
		return err;
	err = jsonfile_read(&doc, path, FLEET_DOCUMENT_MAX);
	if (err == CV_ERR_NOT_FOUND) {
		log_error("fleet %s: there is none: make one with `conclave fleet init --name ID`, "
			  "or name its directory with --fleet",
			fleet->dir);
		return err;
	}
	if (err == CV_OK)
		err = json_get_u64(doc, "v", 1, 1, &version);
	if (err == CV_OK)
		err = json_get_id(doc, "fleet", fleet->id);
	if (err == CV_OK)
		err = json_get_bytes(doc, "root_key", fleet->root_key, sizeof(fleet->root_key));
	if (err == CV_OK)
		err = json_get_text_ref(doc, "tls_root", &pem, &pem_len);
	if (err == CV_OK) {
		fleet->tls_root = strndup(pem, pem_len);
		err = fleet->tls_root != NULL ? CV_OK : CV_ERR_MEMORY;
	}
	cJSON_Delete(doc);
	if (err != CV_OK)
		log_error("fleet: %s: %s", path, cv_err_text(err));
	return err;
}

enum cv_err fleet_open(struct fleet *fleet, const struct context *ctx, bool exclusive)
{
	const char *dir = fleet_dir(ctx);
	char path[FILE_PATH_BUF];
	enum cv_err err;

	memset(fleet, 0, sizeof(*fleet));
	fleet->lock_fd = -1;
	if (strlen(dir) >= sizeof(fleet->dir)) {
		log_error("fleet: the directory's name is too long");
		return CV_ERR_TOO_LONG;
	}
	strcpy(fleet->dir, dir);
	err = read_document(fleet);
	if (err == CV_OK && exclusive) {
		err = fleet_path(fleet, path, "lock");
		if (err == CV_OK)
			err = file_lock(&fleet->lock_fd, path);
		if (err == CV_ERR_BUSY)
			log_error("fleet %s: in use: another `conclave` adds something: try again "
				  "when it is done",
				dir);
		else if (err != CV_OK)
			log_error("fleet: %s: %s", path, cv_err_text(err));
	}
	if (err != CV_OK)
		fleet_close(fleet);
	return err;
}

void fleet_close(struct fleet *fleet)
{
	if (fleet->lock_fd >= 0)
		close(fleet->lock_fd);
	fleet->lock_fd = -1;
	free(fleet->tls_root);
	fleet->tls_root = NULL;
}

static enum cv_err open_keys(struct key_pair *keys, const struct context *ctx,
	struct passphrase *passphrase, const char *path, const char *whose)
{
	bool sealed = false;
	enum cv_err err = keyfile_is_sealed(path, &sealed);

	if (err == CV_OK && sealed) {
		err = passphrase_need(passphrase, ctx, "passphrase-fd", whose, false);
		if (err != CV_OK)
			return err;
	}
	if (err == CV_OK)
		err = keyfile_read(keys, path, passphrase->text);
	if (err == CV_ERR_SEAL) {
		log_error("keys of %s: wrong passphrase, or the file was changed: %s", whose, path);
		return CV_ERR_PERMISSION;
	}
	if (err != CV_OK)
		log_error("keys of %s: %s: %s", whose, path, cv_err_text(err));
	return err;
}

enum cv_err fleet_read_keys(struct key_pair **keys, const struct context *ctx,
	struct passphrase *passphrase, const char *path, const char *whose)
{
	struct key_pair *out = secret_alloc(sizeof(*out));
	enum cv_err err;

	if (out == NULL) {
		log_error("keys of %s: %s", whose, secret_last_error());
		return CV_ERR_MEMORY;
	}
	err = open_keys(out, ctx, passphrase, path, whose);
	if (err != CV_OK) {
		secret_free(out);
		return err;
	}
	*keys = out;
	return CV_OK;
}

/* The id in a file's name, or false if it is none. */
static bool entry_id(char id[CV_ID_BUF], const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	if (len <= tail || strcmp(name + len - tail, suffix) != 0)
		return false;
	return id_copy(id, name, len - tail) == CV_OK;
}

enum cv_err fleet_each(const struct fleet *fleet, const char *folder, const char *suffix,
	enum cv_err (*each)(void *user, const char *id), void *user)
{
	char path[FILE_PATH_BUF], id[CV_ID_BUF];
	struct dirent **entries = NULL;
	enum cv_err err = fleet_path(fleet, path, "%s", folder);
	int count;

	if (err != CV_OK)
		return err;
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0) {
		log_error("fleet: %s: %s", path, strerror(errno));
		return file_error(errno);
	}
	for (int i = 0; i < count; i++) {
		if (err == CV_OK && entry_id(id, entries[i]->d_name, suffix))
			err = each(user, id);
		free(entries[i]);
	}
	free(entries);
	return err;
}
