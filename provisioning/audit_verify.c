/* `audit verify`: the whole chain of a gateway, or of a copy, against the newest signed head. */
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "protocol/base64url.h"
#include "provisioning/audit_fetch.h"
#include "provisioning/options.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"gateway", OPTION_TEXT, "ID", "whose records the FILE holds (needed with a FILE)"},
};

/* Against what was seen before this run, and against what the keeper says now. */
static enum cv_err verify(struct context *ctx, const struct audit_log *log, const char *gateway,
	const struct seen *seen, const char *which)
{
	char problem[160] = "", head[HEX_BUF(CV_HASH_BYTES)];
	enum cv_err err = audit_log_verify(
		log, gateway, seen->seq, seen->head, problem, sizeof(problem));

	if (err != CV_OK) {
		log_error("audit of gateway %s: %s (against %s)", gateway,
			problem[0] != '\0' ? problem : cv_err_text(err), which);
		return err;
	}
	hex_encode(head, seen->head, sizeof(seen->head));
	say(ctx, "gateway %s: records 1 to %llu hold, head %s (%s)", gateway,
		(unsigned long long)seen->seq, head, which);
	return CV_OK;
}

static enum cv_err verify_gateway(struct context *ctx, const char *id)
{
	struct gateway_record gateway;
	struct audit_log log = {NULL, 0, 0};
	struct session *s = NULL;
	struct seen before, now;
	bool known = false;
	enum cv_err err = session_open(&s, ctx, NULL, OP_ROLE_AUDIT);

	if (err == CV_OK)
		err = gateway_record_read(&gateway, &s->fleet, id);
	if (err == CV_OK) {
		err = seen_get(&before, &s->fleet, id);
		known = err == CV_OK;
		if (err == CV_ERR_NOT_FOUND)
			err = CV_OK;
	}
	if (err == CV_OK)
		err = audit_fetch(&log, &s->client, &gateway, 1, &now);
	if (err == CV_OK && known)
		err = verify(ctx, &log, id, &before, "the newest head seen before");
	if (err == CV_OK)
		err = verify(ctx, &log, id, &now, "the head signed now");
	if (err == CV_OK)
		cJSON_AddNumberToObject(ctx->result, "records", (double)now.seq);
	audit_log_free(&log);
	session_close(s);
	return err;
}

static enum cv_err verify_file(struct context *ctx, const char *path)
{
	const char *id = option_text(ctx, "gateway");
	struct gateway_record gateway;
	struct audit_log log = {NULL, 0, 0};
	struct fleet fleet;
	struct seen seen;
	enum cv_err err;

	if (id == NULL) {
		log_error("audit verify: --gateway is missing: whose records does %s hold?", path);
		return CV_ERR_ARGUMENT;
	}
	err = fleet_open(&fleet, ctx, false);
	if (err != CV_OK)
		return err;
	err = gateway_record_read(&gateway, &fleet, id);
	if (err == CV_OK) {
		err = seen_get(&seen, &fleet, id);
		if (err == CV_ERR_NOT_FOUND)
			log_error("gateway %s: no signed head was ever seen from here: nothing to "
				  "compare with",
				id);
	}
	if (err == CV_OK) {
		err = audit_log_read_file(&log, path);
		if (err != CV_OK)
			log_error("audit: %s: %s", path, cv_err_text(err));
	}
	if (err == CV_OK)
		err = verify(ctx, &log, id, &seen, "the newest head seen");
	if (err == CV_OK) {
		cJSON_AddNumberToObject(ctx->result, "records", (double)seen.seq);
		cJSON_AddNumberToObject(
			ctx->result, "unsigned", (double)(log.count - (size_t)seen.seq));
		if (log.count > seen.seq)
			say(ctx, "%zu newer records are not covered by a head seen here",
				log.count - (size_t)seen.seq);
	}
	audit_log_free(&log);
	fleet_close(&fleet);
	return err;
}

static enum cv_err audit_verify_run(struct context *ctx)
{
	const char *what = ctx->args[0];
	bool is_path = strchr(what, '/') != NULL || option_text(ctx, "gateway") != NULL;

	return is_path ? verify_file(ctx, what) : verify_gateway(ctx, what);
}

const struct verb verb_audit_verify = {
	.noun = "audit",
	.name = "verify",
	.args = "GATEWAY|FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "check the whole chain of audit records\n"
		   "Finds an edit, a deletion, a change of order and a cut tail against the newest\n"
		   "head that this operator has seen signed. Exits 20 when the chain does not hold.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = audit_verify_run,
};
