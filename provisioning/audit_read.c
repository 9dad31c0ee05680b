/* `audit read`: prints a gateway's audit records, one a line. */
#include <stdio.h>
#include <stdlib.h>

#include "host/log.h"
#include "provisioning/audit_fetch.h"
#include "provisioning/options.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"from", OPTION_TEXT, "SEQ", "the first record (1)"},
	{"out", OPTION_TEXT, "FILE", "write them to a new file, which `audit verify` takes"},
};

static enum cv_err write_out(const char *path, const struct audit_log *log)
{
	FILE *f = fopen(path, "wxe");
	int failed = f == NULL;

	for (size_t i = 0; !failed && i < log->count; i++)
		failed = fprintf(f, "%s\n", log->texts[i]) < 0;
	if (f != NULL)
		failed |= fclose(f) != 0;
	if (failed)
		log_error("audit read: %s: could not be written, or is there already", path);
	return failed ? CV_ERR_IO : CV_OK;
}

static void print(struct context *ctx, const struct audit_log *log)
{
	cJSON *list = cJSON_AddArrayToObject(ctx->result, "records");

	for (size_t i = 0; i < log->count; i++) {
		cJSON_AddItemToArray(list, cJSON_CreateString(log->texts[i]));
		say(ctx, "%s", log->texts[i]);
	}
}

static enum cv_err audit_read_run(struct context *ctx)
{
	const char *out = option_text(ctx, "out");
	struct gateway_record gateway;
	struct audit_log log = {NULL, 0, 0};
	struct session *s = NULL;
	struct seen state;
	uint64_t from = 1;
	enum cv_err err = option_uint(ctx, "from", 1, CV_JSON_INTEGER_MAX, &from);

	if (err == CV_OK)
		err = session_open(&s, ctx, NULL, OP_ROLE_AUDIT);
	if (err == CV_OK)
		err = gateway_record_read(&gateway, &s->fleet, ctx->args[0]);
	if (err == CV_OK)
		err = audit_fetch(&log, &s->client, &gateway, from, &state);
	if (err == CV_OK && out != NULL)
		err = write_out(out, &log);
	else if (err == CV_OK)
		print(ctx, &log);
	audit_log_free(&log);
	session_close(s);
	return err;
}

const struct verb verb_audit_read = {
	.noun = "audit",
	.name = "read",
	.args = "GATEWAY",
	.args_min = 1,
	.args_max = 1,
	.summary = "print a gateway's audit records, one JSON text a line",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = audit_read_run,
};
