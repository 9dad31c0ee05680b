#include "provisioning/volume_key.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"
#include "host/recovery_code.h"
#include "host/secret.h"
#include "provisioning/options.h"
#include "provisioning/passphrase.h"
#include "provisioning/progress.h"

enum cv_err volume_key_read(uint8_t key[CV_SECRET_BYTES], int fd)
{
	size_t len = 0;
	enum cv_err err = file_read_descriptor(fd, key, CV_SECRET_BYTES, &len);

	if (err == CV_OK && len != CV_SECRET_BYTES)
		err = CV_ERR_FORMAT;
	if (err != CV_OK)
		log_error("key: descriptor %d: must give exactly %d bytes: %s", fd, CV_SECRET_BYTES,
			cv_err_text(err));
	return err == CV_ERR_TOO_LONG ? CV_ERR_FORMAT : err;
}

static enum cv_err read_code(uint8_t *key, const struct context *ctx)
{
	struct passphrase text = {NULL};
	enum cv_err err = passphrase_need(&text, ctx, "recovery-fd", "recovery code", false);

	if (err != CV_OK)
		return err;
	err = recovery_code_parse(key, text.text, strlen(text.text));
	passphrase_wipe(&text);
	if (err == CV_OK)
		return CV_OK;
	log_error("recovery code: %s",
		err == CV_ERR_MISMATCH ? "a character is wrong: look at it again"
				       : "must be 11 groups of 5 of A-Z and 2-7");
	return CV_ERR_WRONG_KEY;
}

enum cv_err volume_key_get(uint8_t **key, const struct context *ctx)
{
	uint8_t *out;
	int fd = -1;
	enum cv_err err = option_fd(ctx, "key-fd", &fd);

	if (err != CV_OK)
		return err;
	out = secret_alloc(CV_SECRET_BYTES);
	if (out == NULL) {
		log_error("key: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	err = fd >= 0 ? volume_key_read(out, fd) : read_code(out, ctx);
	if (err != CV_OK) {
		secret_free(out);
		return err;
	}
	*key = out;
	return CV_OK;
}

enum cv_err volume_recovery_get(uint8_t **key, const struct context *ctx)
{
	uint8_t *out;
	enum cv_err err;

	if (option_text(ctx, "recovery-fd") == NULL)
		return CV_OK;
	out = secret_alloc(CV_SECRET_BYTES);
	if (out == NULL) {
		log_error("key: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	err = read_code(out, ctx);
	if (err != CV_OK)
		secret_free(out);
	else
		*key = out;
	return err;
}

enum cv_err volume_failed(const char *path, enum cv_err err, const struct volume_why *why)
{
	if (progress_stopped())
		log_error("volume %s: stopped", path);
	else if (why->text[0] != '\0')
		log_error("volume %s", why->text);
	else
		log_error("volume %s: %s", path, cv_err_text(err));
	return err == CV_ERR_RANGE ? CV_ERR_ARGUMENT : err;
}

enum cv_err volume_failed_at(
	const char *path, const char *what, enum cv_err err, const struct volume_why *why)
{
	log_error("volume %s: %s: %s", path, what,
		progress_stopped()   ? "stopped"
		: why->text[0] != '\0' ? why->text
				      : cv_err_text(err));
	return err == CV_ERR_RANGE ? CV_ERR_ARGUMENT : err;
}

enum cv_err volume_min_generation(uint64_t *generation, const struct context *ctx)
{
	*generation = 0;
	return option_uint(ctx, "min-generation", 1, UINT64_MAX, generation);
}

enum cv_err volume_open_with_key(
	struct volume **out, const struct context *ctx, const char *path, bool read_only)
{
	struct volume_open_options options = {.read_only = read_only};
	struct volume_why why = {""};
	uint8_t *key = NULL;
	enum cv_err err = volume_min_generation(&options.min_generation, ctx);

	if (err == CV_OK)
		err = volume_key_get(&key, ctx);
	if (err != CV_OK)
		return err;
	options.secret = key;
	err = volume_open(out, path, &options, &why);
	secret_free(key);
	return err == CV_OK ? CV_OK : volume_failed(path, err, &why);
}

/* By write(2): the buffers of stdio are neither locked nor wiped. */
static enum cv_err write_line(int fd, const char *label, const char *text)
{
	enum cv_err err = file_write_descriptor(fd, label, strlen(label));

	if (err == CV_OK)
		err = file_write_descriptor(fd, text, strlen(text));
	return err == CV_OK ? file_write_descriptor(fd, "\n", 1) : err;
}

enum cv_err secret_text_show(struct context *ctx, const char *fd_option, const char *name,
	const char *label, const char *text)
{
	int fd = -1;
	enum cv_err err = option_fd(ctx, fd_option, &fd);

	if (err != CV_OK)
		return err;
	if (fd < 0 && ctx->json)
		return cJSON_AddStringToObject(ctx->result, name, text) != NULL ? CV_OK
										: CV_ERR_MEMORY;
	if (fd < 0 && fflush(stdout) != 0)
		return CV_ERR_IO;
	err = fd < 0 ? write_line(STDOUT_FILENO, label, text) : write_line(fd, "", text);
	if (err != CV_OK)
		log_error("--%s: %s could not be written: %s", fd_option, name, cv_err_text(err));
	return err;
}
