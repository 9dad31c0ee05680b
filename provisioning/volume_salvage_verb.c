/* `volume salvage`: copies out whatever is intact of a damaged volume. */
#include "fs/salvage.h"

#include "host/log.h"
#include "host/secret.h"
#include "provisioning/options.h"
#include "provisioning/path_text.h"
#include "provisioning/progress.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

#define PROBLEMS_LISTED 1000

static const struct option_spec options[] = {
	{"header", OPTION_TEXT, "BACKUP", "a header-backup, when superblocks are gone"},
	{"partial", OPTION_FLAG, NULL,
		"write a damaged file as NAME.partial, its holes in NAME.partial.holes"},
	VOLUME_OPTION_RECOVERY_FD,
	VOLUME_OPTION_KEY_FD,
};

struct work {
	struct context *ctx;
	struct progress progress;
	cJSON *problems;
	unsigned listed;
};

static int on_progress(void *user, uint64_t done, uint64_t total, const char *name)
{
	return progress_show(&((struct work *)user)->progress, done, total, name);
}

static void on_problem(void *user, const char *path, const char *what)
{
	struct work *w = user;

	progress_end(&w->progress);
	problem_add(w->ctx, w->listed++ < PROBLEMS_LISTED ? w->problems : NULL, path, what);
}

static void report(struct context *ctx, const struct volume_salvage_report *r)
{
	static const char *const names[] = {"generation", "searched", "leaves", "files", "dirs",
		"symlinks", "links", "specials", "bytes", "lost_found", "partial", "damaged",
		"skipped"};
	const uint64_t values[] = {r->generation, r->searched, r->leaves, r->files, r->dirs,
		r->symlinks, r->links, r->specials, r->bytes, r->lost_found, r->partial, r->damaged,
		r->skipped};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		cJSON_AddNumberToObject(ctx->result, names[i], (double)values[i]);
		say(ctx, "%-14s %llu", names[i], (unsigned long long)values[i]);
	}
}

static enum cv_err volume_salvage_run(struct context *ctx)
{
	struct work w = {.ctx = ctx};
	struct volume_salvage_options o = {.header = option_text(ctx, "header"),
		.partial = option_flag(ctx, "partial"),
		.progress = on_progress,
		.problem = on_problem,
		.user = &w};
	struct volume_salvage_report r = {.files = 0};
	struct volume_why why = {""};
	uint8_t *key = NULL;
	enum cv_err err = volume_key_get(&key, ctx);

	if (err != CV_OK)
		return err;
	w.problems = cJSON_AddArrayToObject(ctx->result, "problems");
	progress_begin(&w.progress, "salvage", true);
	o.secret = key;
	err = volume_salvage(ctx->args[0], ctx->args[1], &o, &r, &why);
	progress_end(&w.progress);
	secret_free(key);
	report(ctx, &r);
	return err == CV_OK ? CV_OK : volume_failed_at(ctx->args[0], "salvage", err, &why);
}

const struct verb verb_volume_salvage = {
	.noun = "volume",
	.name = "salvage",
	.args = "FILE DIR",
	.args_min = 2,
	.args_max = 2,
	.summary = "copy out whatever is intact of a damaged volume\n"
		   "Never overwrites anything in DIR. What has lost its name goes to\n"
		   "DIR/lost+found. Exits 20 when not everything came out, and says what did not.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_salvage_run,
};
