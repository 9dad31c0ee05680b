#include "provisioning/volume_fill.h"

#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/progress.h"

enum cv_err volume_fill(
	struct context *ctx, struct volume *volume, const char *source, const char *target)
{
	struct volume_import_report r = {.files = 0};
	struct volume_why why = {""};
	struct progress progress;
	cJSON *item;
	enum cv_err err;

	progress_begin(&progress, "import", true);
	err = volume_import(volume, source, target, progress_show, &progress, &r, &why);
	progress_end(&progress);
	if (err != CV_OK) {
		log_error("import %s: %s", source,
			progress_stopped()  ? "stopped"
			: why.text[0] != 0 ? why.text
					    : cv_err_text(err));
		return err;
	}
	item = cJSON_AddObjectToObject(ctx->result, "imported");
	cJSON_AddNumberToObject(item, "files", (double)r.files);
	cJSON_AddNumberToObject(item, "dirs", (double)r.dirs);
	cJSON_AddNumberToObject(item, "symlinks", (double)r.symlinks);
	cJSON_AddNumberToObject(item, "attributes", (double)r.xattrs);
	cJSON_AddNumberToObject(item, "bytes", (double)r.bytes);
	say(ctx, "imported %llu files, %llu directories, %llu bytes from %s",
		(unsigned long long)r.files, (unsigned long long)r.dirs,
		(unsigned long long)r.bytes, source);
	return CV_OK;
}
