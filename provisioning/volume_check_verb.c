/* `volume check`: verifies every node and block under its tag. */
#include <stdio.h>

#include "fs/check.h"
#include "host/log.h"
#include "provisioning/options.h"
#include "provisioning/path_text.h"
#include "provisioning/progress.h"
#include "provisioning/verbs.h"
#include "provisioning/volume_key.h"

static const struct option_spec options[] = {VOLUME_OPTION_RECOVERY_FD, VOLUME_OPTION_KEY_FD,
	VOLUME_OPTION_MIN_GENERATION};

static void report(struct context *ctx, const struct volume_check_report *r)
{
	static const char *const names[] = {"nodes", "items", "files", "dirs", "data_blocks",
		"used_blocks", "free_blocks", "orphans", "leaked_blocks", "problems"};
	const uint64_t values[] = {r->nodes, r->items, r->files, r->dirs, r->data_blocks,
		r->used_blocks, r->free_blocks, r->orphans, r->leaked_blocks, r->problems};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		cJSON_AddNumberToObject(ctx->result, names[i], (double)values[i]);
		say(ctx, "%-14s %llu", names[i], (unsigned long long)values[i]);
	}
}

struct found {
	struct context *ctx;
	cJSON *list;
};

static void on_problem(void *user, const struct volume_problem *p)
{
	const struct found *f = user;
	char place[64] = "";
	char text[256];
	cJSON *item;

	if (p->path == NULL && p->object != 0)
		snprintf(place, sizeof(place), "object %llu", (unsigned long long)p->object);
	if (p->block != 0)
		snprintf(text, sizeof(text), "%s (block %llu of the container)", p->text,
			(unsigned long long)p->block);
	else
		snprintf(text, sizeof(text), "%s", p->text);
	item = problem_add(f->ctx, f->list, p->path != NULL ? p->path : place, text);
	cJSON_AddNumberToObject(item, "object", (double)p->object);
	cJSON_AddNumberToObject(item, "block", (double)p->block);
}

static enum cv_err volume_check_run(struct context *ctx)
{
	struct volume_check_report r = {.nodes = 0};
	struct volume *volume = NULL;
	struct found found = {.ctx = ctx};
	struct progress progress;
	struct volume_check_options how = {.progress = progress_show,
		.progress_user = &progress,
		.found = on_problem,
		.found_user = &found};
	uint64_t generation;
	enum cv_err err = volume_open_with_key(&volume, ctx, ctx->args[0], true), closed;

	if (err != CV_OK)
		return err;
	/* its own line on standard error: a log that was replayed, a superblock that is gone */
	if (volume_notice(volume) != NULL)
		log_warning("volume %s: %s", ctx->args[0], volume_notice(volume));
	generation = volume_generation(volume);
	found.list = cJSON_AddArrayToObject(ctx->result, "found");
	progress_begin(&progress, "check", false);
	err = volume_check_list(volume, &how, &r);
	progress_end(&progress);
	closed = volume_close(volume);
	if (err == CV_OK)
		err = closed;
	if (err != CV_OK) {
		log_error("volume %s: check: %s", ctx->args[0],
			progress_stopped() ? "stopped" : cv_err_text(err));
		return err;
	}
	cJSON_AddNumberToObject(ctx->result, "generation", (double)generation);
	report(ctx, &r);
	if (r.problems > 0) {
		log_error("volume %s: %llu problems", ctx->args[0], (unsigned long long)r.problems);
		return CV_ERR_TAMPERED;
	}
	return CV_OK;
}

const struct verb verb_volume_check = {
	.noun = "volume",
	.name = "check",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "verify a whole volume; changes nothing\n"
		   "Names the file and the place of each problem, up to 1000 of them.\n"
		   "Exits 20 when something is wrong. Needs the recovery code or the unlock secret.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = volume_check_run,
};
