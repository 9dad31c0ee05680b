#include "device/last.h"

#include <cjson/cJSON.h>

#include "host/clock.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/jsonfile.h"
#include "host/log.h"

#define LAST_MAX 65536

static void add_gateways(cJSON *doc, const struct unlock *u)
{
	cJSON *list = cJSON_AddArrayToObject(doc, "gateways");

	for (size_t i = 0; i < u->identity.share_set.count; i++) {
		const struct handshake_member *m = &u->handshake.members[i];
		cJSON *g = cJSON_CreateObject();

		cJSON_AddStringToObject(g, "gateway", u->identity.share_set.members[i].gateway);
		cJSON_AddStringToObject(g, "result", unlock_member_text(u, i));
		if (m->answered_ms >= m->sent_ms && m->answered_ms != 0)
			cJSON_AddNumberToObject(
				g, "answer_ms", (double)(m->answered_ms - m->sent_ms));
		cJSON_AddItemToArray(list, g);
	}
}

static void add_steps(cJSON *doc, const struct unlock *u, const struct last_mount *mount)
{
	const struct unlock_times *t = &u->times;
	cJSON *steps = cJSON_AddObjectToObject(doc, "steps_us");

	cJSON_AddNumberToObject(steps, "load", (double)t->loaded_us);
	if (t->token_us != 0) {
		cJSON_AddNumberToObject(steps, "nonces", (double)(t->token_us - t->loaded_us));
		cJSON_AddNumberToObject(steps, "shares", (double)(t->done_us - t->token_us));
	}
	if (mount->volume_us != 0)
		cJSON_AddNumberToObject(steps, "volume", (double)mount->volume_us);
	cJSON_AddNumberToObject(steps, "total", (double)(t->done_us + mount->volume_us));
}

void last_write(const struct unlock *u, enum cv_err outcome, const struct last_mount *mount)
{
	char path[FILE_PATH_BUF], when[CLOCK_TEXT_BUF];
	cJSON *doc = cJSON_CreateObject();
	enum cv_err err = file_path_join(path, sizeof(path), u->identity.state_dir, "last.json");

	clock_format_utc(when, clock_wall_s());
	cJSON_AddNumberToObject(doc, "v", 1);
	cJSON_AddStringToObject(doc, "time", when);
	cJSON_AddNumberToObject(doc, "exit_code", exit_code_of(outcome));
	cJSON_AddStringToObject(doc, "outcome", cv_err_text(outcome));
	cJSON_AddNumberToObject(doc, "epoch", u->identity.share_set.epoch);
	cJSON_AddNumberToObject(doc, "attempts", u->handshake.attempt);
	if (mount->generation != 0)
		cJSON_AddNumberToObject(doc, "generation", (double)mount->generation);
	if (mount->mount_point != NULL && mount->generation != 0)
		cJSON_AddStringToObject(doc, "mount_point", mount->mount_point);
	add_steps(doc, u, mount);
	add_gateways(doc, u);
	if (err == CV_OK)
		err = jsonfile_write(path, doc, 0600);
	if (err != CV_OK)
		log_warning("%s: %s", path, cv_err_text(err));
	cJSON_Delete(doc);
}

enum cv_err last_read(struct cJSON **out, const char *state_dir)
{
	char path[FILE_PATH_BUF];
	enum cv_err err = file_path_join(path, sizeof(path), state_dir, "last.json");

	return err == CV_OK ? jsonfile_read(out, path, LAST_MAX) : err;
}
