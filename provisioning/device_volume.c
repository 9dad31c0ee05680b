#include "provisioning/device_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/log.h"
#include "provisioning/device_record.h"
#include "provisioning/options.h"
#include "provisioning/progress.h"
#include "provisioning/volume_fill.h"
#include "provisioning/volume_key.h"

static bool is_block_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* The name may not exist yet, so only its folder can be resolved. */
static enum cv_err absolute_path(char out[FILE_PATH_BUF], const char *text)
{
	char folder[FILE_PATH_BUF], name[FILE_PATH_BUF];
	char *real;
	enum cv_err err;

	if (strlen(text) >= sizeof(folder))
		return CV_ERR_TOO_LONG;
	strcpy(folder, text);
	strcpy(name, text);
	real = realpath(dirname(folder), NULL);
	if (real == NULL)
		return file_error(errno);
	err = file_path_join(out, FILE_PATH_BUF, real, basename(name));
	free(real);
	return err;
}

static enum cv_err check_import(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return CV_OK;
	log_error("--import: %s: not a directory", path);
	return CV_ERR_ARGUMENT;
}

enum cv_err device_volume_plan(
	struct device_volume *v, const struct context *ctx, const char *device)
{
	const char *path = option_text(ctx, "volume");
	enum cv_err err;

	memset(v, 0, sizeof(*v));
	if (path == NULL) {
		log_error("device add: --volume is missing: the container to make (or --mcu)");
		return CV_ERR_ARGUMENT;
	}
	err = absolute_path(v->path, path);
	if (err != CV_OK) {
		log_error("--volume: %s: %s", path, cv_err_text(err));
		return err;
	}
	err = option_size(ctx, "size", &v->size_bytes);
	if (err != CV_OK)
		return err;
	v->full = option_flag(ctx, "full");
	v->overwrite = option_flag(ctx, "overwrite");
	v->recovery = !option_flag(ctx, "no-recovery");
	v->import = option_text(ctx, "import");
	if (is_block_device(v->path)) {
		strcpy(v->partial, v->path);
	} else {
		if (v->size_bytes == 0) {
			log_error("device add: --size is missing: how large the volume is");
			return CV_ERR_ARGUMENT;
		}
		if (file_exists(v->path)) {
			log_error("--volume: %s: is there already: a volume is never overwritten",
				v->path);
			return CV_ERR_EXISTS;
		}
		err = device_volume_partial(v->partial, v->path, device);
		if (err != CV_OK)
			return err;
	}
	return v->import != NULL ? check_import(v->import) : CV_OK;
}

static enum cv_err create(struct device_volume *v, const struct deal_plan *plan,
	const struct deal_secrets *secrets)
{
	struct volume_create_options o = {.size_bytes = v->size_bytes,
		.unlock_secret = secrets->unlock, .epoch = plan->epoch, .full = v->full,
		.overwrite = v->overwrite,
		.recovery_code = v->recovery ? secrets->recovery : NULL,
		.progress = progress_show};
	struct progress progress;
	struct volume_why why = {""};
	enum cv_err err;

	memcpy(o.volume_id, plan->volume_id, sizeof(o.volume_id));
	memcpy(o.share_set_hash, plan->set.hash, sizeof(o.share_set_hash));
	o.user = &progress;
	/* what an interrupted run for this device left; the lock of the fleet is held */
	if (strcmp(v->partial, v->path) != 0 && unlink(v->partial) != 0 && errno != ENOENT) {
		log_error("volume %s: %s", v->partial, strerror(errno));
		return file_error(errno);
	}
	progress_begin(&progress, "create", true);
	err = volume_create(v->partial, &o, &why);
	progress_end(&progress);
	return err == CV_OK ? CV_OK : volume_failed(v->path, err, &why);
}

static enum cv_err fill(
	struct device_volume *v, struct context *ctx, const struct deal_secrets *secrets)
{
	struct volume_open_options o = {.secret = secrets->unlock};
	struct volume_why why = {""};
	struct volume *volume = NULL;
	enum cv_err err = volume_open(&volume, v->partial, &o, &why), closed;

	if (err != CV_OK)
		return volume_failed(v->path, err, &why);
	err = volume_fill(ctx, volume, v->import, "/");
	closed = volume_close(volume);
	if (err == CV_OK && closed != CV_OK)
		log_error("volume %s: closing: %s", v->partial, cv_err_text(closed));
	return err != CV_OK ? err : closed;
}

enum cv_err device_volume_make(struct device_volume *v, struct context *ctx,
	const struct deal_plan *plan, const struct deal_secrets *secrets)
{
	enum cv_err err = create(v, plan, secrets);

	if (err != CV_OK)
		return err;
	v->made = true;
	return v->import != NULL ? fill(v, ctx, secrets) : CV_OK;
}

enum cv_err device_volume_commit(const char *path, const char *device)
{
	char partial[FILE_PATH_BUF], folder[FILE_PATH_BUF];
	enum cv_err err;

	if (path[0] == '\0')
		return CV_OK;
	err = device_volume_partial(partial, path, device);
	if (err != CV_OK || !file_exists(partial))
		return err;
	if (renameat2(AT_FDCWD, partial, AT_FDCWD, path, RENAME_NOREPLACE) != 0) {
		log_error("volume %s: %s: it waits as %s", path, strerror(errno), partial);
		return file_error(errno);
	}
	strcpy(folder, path);
	return file_sync_dir(dirname(folder));
}

void device_volume_abort(struct device_volume *v)
{
	if (v->made && strcmp(v->partial, v->path) != 0 && unlink(v->partial) != 0)
		log_warning("volume %s: could not be removed: %s", v->partial, strerror(errno));
	v->made = false;
}
