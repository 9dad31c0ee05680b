#include <stdio.h>

#include <cjson/cJSON.h>

#include "device/control.h"
#include "device/options.h"
#include "device/unlock.h"
#include "device/verb.h"
#include "device/volume_process.h"
#include "host/exit_code.h"
#include "host/log.h"

#define USAGE "check [--timeout T] [--json]"
#define TIMEOUT_DEFAULT_MS 10000

static void print_json(const struct unlock *u, enum cv_err err)
{
	cJSON *doc = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(doc, "gateways");
	char *text;

	cJSON_AddBoolToObject(doc, "would_unlock", err == CV_OK);
	cJSON_AddNumberToObject(doc, "exit_code", exit_code_of(err));
	cJSON_AddNumberToObject(doc, "threshold", u->identity.share_set.threshold);
	cJSON_AddNumberToObject(doc, "would_release", (double)handshake_shares(&u->handshake));
	for (size_t i = 0; i < u->identity.share_set.count; i++) {
		cJSON *g = cJSON_CreateObject();

		cJSON_AddStringToObject(g, "gateway", u->identity.share_set.members[i].gateway);
		cJSON_AddBoolToObject(g, "would_release",
			u->handshake.members[i].phase == HANDSHAKE_SHARE_HELD);
		cJSON_AddStringToObject(g, "result", unlock_member_text(u, i));
		cJSON_AddItemToArray(list, g);
	}
	text = cJSON_Print(doc);
	if (text != NULL)
		printf("%s\n", text);
	cJSON_free(text);
	cJSON_Delete(doc);
}

/* Who is told to wait has no deadline to blame. */
static const char *why_not(const struct unlock *u, enum cv_err err)
{
	for (size_t i = 0; i < u->identity.share_set.count; i++)
		if (err == CV_ERR_TIMEOUT && unlock_told_to_wait(u, i))
			return "not now";
	return cv_err_text(err);
}

static void print_text(const struct unlock *u, enum cv_err err)
{
	for (size_t i = 0; i < u->identity.share_set.count; i++)
		printf("gateway %s: %s\n", u->identity.share_set.members[i].gateway,
			unlock_member_text(u, i));
	if (err == CV_OK)
		printf("yes: %zu of %u gateways would release, %u are needed\n",
			handshake_shares(&u->handshake), u->identity.share_set.count,
			u->identity.share_set.threshold);
	else
		printf("no: %s: %zu of %u gateways would release, %u are needed\n",
			why_not(u, err), handshake_shares(&u->handshake),
			u->identity.share_set.count, u->identity.share_set.threshold);
}

static int run(const struct options *o, const struct settings *s)
{
	char volumed[FILE_PATH_BUF] = "";
	struct unlock *u = NULL;
	struct unlock_request request = { .settings = s, .state_dir = o->state_dir,
		.run_dir = o->run_dir, .volumed_path = volumed, .purpose = EVIDENCE_CHECK,
		.timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : TIMEOUT_DEFAULT_MS,
		.stop_fd = -1 };
	enum cv_err err = control_run_dir(o->run_dir);

	if (err == CV_OK && volume_process_find(volumed, sizeof(volumed)) != CV_OK)
		volumed[0] = '\0';
	if (err == CV_OK)
		err = unlock_open(&u, &request);
	if (err != CV_OK)
		return exit_code_of(err);
	err = unlock_run(u);
	if (o->json)
		print_json(u, err);
	else
		print_text(u, err);
	unlock_close(u);
	return exit_code_of(err);
}

int verb_check(int argc, char **argv)
{
	struct options o;
	struct settings s;
	bool help;
	enum cv_err err =
		options_parse(&o, argc, argv, OPTION_TIMEOUT | OPTION_JSON, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK && o.word_count != 0) {
		log_error("check: usage: conclave-device %s", USAGE);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = settings_load(&s, &o);
	return err == CV_OK ? run(&o, &s) : exit_code_of(err);
}
