/* `policy test`: who would be refused under another policy, by the evidence of their last boots. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/policy_group.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

static const struct option_spec options[] = {
	{"device", OPTION_TEXT, "ID", "try it on this device"},
	{"group", OPTION_TEXT, "ID", "try it on this group (else the policy's own)"},
	{"gateway", OPTION_TEXT, "ID", "by what this gateway has on record (else by all)"},
};

struct trial {
	struct context *ctx;
	const char *gateway;
	cJSON *refused; /* device to gateway to what would refuse it */
	size_t devices, without_boots;
	uint64_t newly; /* devices that passed and would not any more */
};

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text != NULL ? text : "";
}

static void report(struct trial *t, const char *device, const cJSON *boot)
{
	cJSON *at = cJSON_GetObjectItemCaseSensitive(t->refused, device);
	char when[CLOCK_TEXT_BUF];
	uint64_t time_s = 0;

	if (json_get_u64(boot, "time", 0, CV_JSON_INTEGER_MAX, &time_s) != CV_OK)
		time_s = 0;
	clock_format_utc(when, (int64_t)time_s);
	if (at == NULL) {
		at = cJSON_AddObjectToObject(t->refused, device);
		t->newly++;
	}
	if (cJSON_HasObjectItem(at, t->gateway))
		return; /* its newest boot says it already */
	cJSON_AddItemToObject(at, t->gateway, cJSON_Duplicate(boot, 1));
	say(t->ctx, "device %s would be refused: %s (%s%s%s; gateway %s, boot of %s)", device,
		text_of(boot, "would"), text_of(boot, "decided_by"),
		text_of(boot, "rule")[0] != '\0' ? ", rule " : "", text_of(boot, "rule"),
		t->gateway, when);
}

static enum cv_err take_page(struct trial *t, const cJSON *body)
{
	const cJSON *list = NULL, *item, *boots, *boot;
	size_t count = 0;
	enum cv_err err = json_get_array(body, "devices", &list, &count);

	cJSON_ArrayForEach(item, list)
	{
		t->devices++;
		boots = cJSON_GetObjectItemCaseSensitive(item, "boots");
		t->without_boots += cJSON_GetArraySize(boots) == 0;
		cJSON_ArrayForEach(boot, boots)
		{
			/* What was refused before is nothing new; what passes is good. */
			if (strcmp(text_of(boot, "would"), "release") != 0 &&
				strcmp(text_of(boot, "was"), "release") == 0)
				report(t, text_of(item, "device"), boot);
		}
	}
	return err;
}

static char *make_body(const struct policy_file *file, const char *device, const char *group,
	const char *after)
{
	cJSON *doc = cJSON_CreateObject();
	char *body;

	if (device != NULL)
		cJSON_AddStringToObject(doc, "device", device);
	else
		cJSON_AddStringToObject(doc, "group", group);
	if (after[0] != '\0')
		cJSON_AddStringToObject(doc, "after", after);
	cJSON_AddItemToObject(doc, "policy", cJSON_ParseWithLength(file->json, file->json_len));
	body = cJSON_PrintUnformatted(doc);
	cJSON_Delete(doc);
	return body;
}

static enum cv_err ask(struct trial *t, struct session *s, const struct gateway_record *gateway,
	const struct policy_file *file)
{
	const char *group = option_text(t->ctx, "group");
	char after[CV_ID_BUF] = "";
	struct op_result result;
	int more = 1;
	enum cv_err err = CV_OK;

	t->gateway = gateway->id;
	while (err == CV_OK && more) {
		char *body = make_body(file, option_text(t->ctx, "device"),
			group != NULL ? group : file->group, after);

		if (body == NULL)
			return CV_ERR_MEMORY;
		err = op_call(&s->client, gateway, "policy-test", body, &result);
		if (err == CV_OK)
			err = take_page(t, result.body);
		if (err == CV_OK)
			err = json_get_bool(result.body, "more", &more);
		if (err == CV_OK && more)
			err = json_get_id(result.body, "last", after);
		if (err != CV_OK)
			log_error("gateway %s: %s", gateway->id,
				result.problem[0] != '\0' ? result.problem : cv_err_text(err));
		op_result_wipe(&result);
		cJSON_free(body);
	}
	return err;
}

static enum cv_err judge(struct trial *t, enum cv_err err, size_t asked, const char *group)
{
	cJSON_AddNumberToObject(t->ctx->result, "tried", (double)t->devices);
	cJSON_AddNumberToObject(t->ctx->result, "without_boots", (double)t->without_boots);
	if (err != CV_OK)
		return err;
	if (asked == 0) {
		log_error("--gateway: %s: the fleet has none of that name",
			option_text(t->ctx, "gateway"));
		return CV_ERR_ARGUMENT;
	}
	if (t->devices == 0) {
		log_error("policy test: no device of group %s is at any gateway: nothing was tried", group);
		return CV_ERR_NOT_FOUND;
	}
	if (t->without_boots > 0)
		log_warning("policy test: %zu of %zu records have no boot to judge",
			t->without_boots, t->devices);
	if (t->newly > 0) {
		log_error("policy test: %llu devices that passed would be refused",
			(unsigned long long)t->newly);
		return CV_ERR_DENIED;
	}
	if (t->without_boots == t->devices)
		say(t->ctx, "nobody was judged");
	else
		say(t->ctx, "nobody who passed would be refused");
	return CV_OK;
}

static enum cv_err run(struct context *ctx, struct session *s, const struct policy_file *file)
{
	const char *only = option_text(ctx, "gateway");
	struct trial t = {.ctx = ctx};
	struct round r = {.count = 0};
	size_t asked = 0;
	enum cv_err err = round_init_fleet(&r, &s->fleet), last = CV_OK;

	t.refused = cJSON_AddObjectToObject(ctx->result, "refused");
	for (size_t i = 0; err == CV_OK && i < r.count; i++) {
		enum cv_err one;

		if (only != NULL && strcmp(only, r.errands[i].gateway.id) != 0)
			continue;
		asked++;
		one = ask(&t, s, &r.errands[i].gateway, file);
		last = one != CV_OK ? one : last;
	}
	err = judge(&t, err != CV_OK ? err : last, asked,
		option_text(ctx, "group") != NULL ? option_text(ctx, "group") : file->group);
	round_free(&r);
	return err;
}

static enum cv_err policy_test_run(struct context *ctx)
{
	struct policy_file file = {.json = NULL};
	struct session *s = NULL;
	enum cv_err err;

	if (option_text(ctx, "device") != NULL && option_text(ctx, "group") != NULL) {
		log_error("policy test: either --device or --group");
		return CV_ERR_ARGUMENT;
	}
	err = session_open(&s, ctx, NULL, OP_ROLE_POLICY);
	if (err == CV_OK)
		err = policy_group_read(&file, ctx->args[0], &s->fleet);
	if (err == CV_OK)
		err = run(ctx, s, &file);
	policy_group_free(&file);
	session_close(s);
	return err;
}

const struct verb verb_policy_test = {
	.noun = "policy",
	.name = "test",
	.args = "FILE",
	.args_min = 1,
	.args_max = 1,
	.summary = "say who would be refused under a policy, before it is pushed\n"
		   "The gateways judge the evidence of the last boots on record by the code that\n"
		   "decides. Exits 11 when a device that passed would be refused, 3 when the group has no\n"
		   "device at any gateway.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = policy_test_run,
};
