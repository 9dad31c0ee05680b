/* `audit reconcile`: what only shows when the audits of all gateways are laid side by side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "provisioning/audit_fetch.h"
#include "provisioning/options.h"
#include "provisioning/reconcile.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"device", OPTION_TEXT, "ID", "only this device"},
	{"since", OPTION_TEXT, "HOURS", "only boots of the last hours (else all on record)"},
	{"alert", OPTION_FLAG, NULL, "let a gateway raise an alert for each finding"},
};

struct run {
	struct context *ctx;
	struct session *s;
	struct reconcile *r;
	cJSON *findings;
	size_t count;
};

static const char *sentence(enum reconcile_finding finding)
{
	switch (finding) {
	case RECONCILE_FEW_GATEWAYS:
		return "fewer gateways than it needs released to this boot key";
	case RECONCILE_UNCONFIRMED:
		return "enough gateways released, and no MOUNT_OK came";
	case RECONCILE_TWO_KEYS:
		return "two unlock keys in one boot";
	case RECONCILE_ALTERNATING:
		return "an earlier boot came back";
	}
	return "?";
}

static enum cv_err fetch_all(struct run *run)
{
	struct round round;
	enum cv_err err = round_init_fleet(&round, &run->s->fleet);

	for (size_t i = 0; err == CV_OK && i < round.count; i++) {
		const struct gateway_record *g = &round.errands[i].gateway;
		struct audit_log log = {NULL, 0, 0};
		struct seen state;
		char problem[160] = "";

		if (audit_fetch(&log, &run->s->client, g, 1, &state) == CV_OK) {
			err = audit_log_verify(
				&log, g->id, state.seq, state.head, problem, sizeof(problem));
			if (err != CV_OK)
				log_error("audit of gateway %s: %s", g->id, problem);
			for (size_t k = 0; err == CV_OK && k < log.count; k++)
				err = reconcile_add(run->r, g->id, log.texts[k]);
		} else {
			err = reconcile_missing(run->r, g->id);
		}
		audit_log_free(&log);
	}
	round_free(&round);
	return err;
}

/* One gateway tells it to whoever takes the alerts. */
static void raise_alert(struct run *run, const struct reconcile_result *result)
{
	char body[CV_ID_BUF + 96];
	struct op_result answer;
	struct round round;
	bool told = false;

	snprintf(body, sizeof(body), "{\"device\":\"%s\",\"finding\":\"%s\"}", result->device,
		reconcile_name(result->finding));
	if (round_init_fleet(&round, &run->s->fleet) != CV_OK)
		return;
	for (size_t i = 0; !told && i < round.count; i++) {
		told = op_call(&run->s->client, &round.errands[i].gateway, "suspect", body,
			       &answer) == CV_OK;
		op_result_wipe(&answer);
	}
	if (!told)
		log_warning("device %s: no gateway took the alert", result->device);
	round_free(&round);
}

static void on_finding(void *user, const struct reconcile_result *result)
{
	struct run *run = user;
	cJSON *item = cJSON_CreateObject();
	char when[CLOCK_TEXT_BUF];

	run->count++;
	clock_format_utc(when, (int64_t)result->time_s);
	cJSON_AddStringToObject(item, "device", result->device);
	cJSON_AddStringToObject(item, "finding", reconcile_name(result->finding));
	cJSON_AddStringToObject(item, "boot_id", result->boot_id);
	cJSON_AddNumberToObject(item, "gateways", (double)result->gateways);
	cJSON_AddNumberToObject(item, "time", (double)result->time_s);
	cJSON_AddItemToArray(run->findings, item);
	say(run->ctx, "device %s: %s: %s (boot %s, %zu gateways, %s)", result->device,
		reconcile_name(result->finding), sentence(result->finding), result->boot_id,
		result->gateways, when);
	if (option_flag(run->ctx, "alert"))
		raise_alert(run, result);
}

/* K of a device, by what the fleet knows. */
static size_t threshold_of(void *user, const char *device)
{
	struct run *run = user;
	struct device_record *record = malloc(sizeof(*record));
	size_t threshold = 0;

	if (record != NULL && device_exists(&run->s->fleet, device) &&
		device_record_read(record, &run->s->fleet, device) == CV_OK)
		threshold = record->set.threshold;
	free(record);
	return threshold;
}

static enum cv_err judge(struct run *run, uint64_t hours)
{
	const uint64_t now_s = (uint64_t)clock_wall_s();
	const struct reconcile_rules rules = {.now_s = now_s,
		.since_s = hours != 0 && hours * 3600 < now_s ? now_s - hours * 3600 : 0,
		.device = option_text(run->ctx, "device"), .threshold = threshold_of,
		.user = run};

	reconcile_judge(run->r, &rules, on_finding, run);
	cJSON_AddNumberToObject(run->ctx->result, "boots", (double)reconcile_boots(run->r));
	if (run->count > 0) {
		log_error("audit reconcile: %zu findings: see docs/alerts.md for what to do",
			run->count);
		return CV_ERR_DENIED;
	}
	say(run->ctx, "%zu boots: nothing that does not add up", reconcile_boots(run->r));
	if (reconcile_incomplete(run->r)) {
		log_warning("audit reconcile: a gateway could not be asked: boots at fewer "
			    "gateways than needed were not looked for");
		return CV_ERR_TOO_FEW;
	}
	return CV_OK;
}

static enum cv_err audit_reconcile_run(struct context *ctx)
{
	struct run run = {.ctx = ctx};
	uint64_t hours = 0;
	enum cv_err err = option_uint(ctx, "since", 1, 876000, &hours);

	if (err == CV_OK)
		err = session_open(&run.s, ctx, NULL, OP_ROLE_AUDIT);
	if (err == CV_OK)
		err = reconcile_open(&run.r);
	if (err == CV_OK) {
		run.findings = cJSON_AddArrayToObject(ctx->result, "findings");
		err = fetch_all(&run);
	}
	if (err == CV_OK)
		err = judge(&run, hours);
	reconcile_close(run.r);
	session_close(run.s);
	return err;
}

const struct verb verb_audit_reconcile = {
	.noun = "audit",
	.name = "reconcile",
	.args = "",
	.summary = "look for copies and slow harvest in the audits of all gateways\n"
		   "Releases at fewer gateways than the device needs, or never confirmed by\n"
		   "MOUNT_OK; two unlock keys in one boot; boots that alternate. Each audit is\n"
		   "verified first. Exits 11 when something was found, 10 when a gateway could not\n"
		   "be asked.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = audit_reconcile_run,
};
