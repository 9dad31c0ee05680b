/* `policy status`: which version of each group's policy every gateway goes by, and the skew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

/* What the gateways say, by group: an object of objects, group to gateway to versions. */
static enum cv_err add_page(cJSON *all, const char *gateway, const cJSON *body,
	char after[CV_ID_BUF], int *more)
{
	const cJSON *page = NULL, *item;
	size_t count = 0;
	enum cv_err err = json_get_array(body, "groups", &page, &count);

	if (err == CV_OK)
		err = json_get_bool(body, "more", more);
	cJSON_ArrayForEach(item, page)
	{
		cJSON *group;

		if (err == CV_OK)
			err = json_get_id(item, "group", after);
		if (err != CV_OK)
			break;
		group = cJSON_GetObjectItemCaseSensitive(all, after);
		if (group == NULL)
			group = cJSON_AddObjectToObject(all, after);
		cJSON_AddItemToObject(group, gateway, cJSON_Duplicate(item, 1));
	}
	if (err == CV_OK && *more && count == 0)
		err = CV_ERR_FORMAT; /* would never end */
	return err;
}

static enum cv_err ask(const struct op_client *client, const struct gateway_record *gateway,
	cJSON *all)
{
	char after[CV_ID_BUF] = "", body[CV_ID_BUF + 32] = "{}";
	struct op_result result;
	int more = 1;
	enum cv_err err = CV_OK;

	while (err == CV_OK && more) {
		err = op_call(client, gateway, "policy-status", body, &result);
		if (err == CV_OK)
			err = add_page(all, gateway->id, result.body, after, &more);
		if (err != CV_OK)
			log_error("gateway %s: %s", gateway->id,
				result.problem[0] != '\0' ? result.problem : cv_err_text(err));
		op_result_wipe(&result);
		snprintf(body, sizeof(body), "{\"after\":\"%s\"}", after);
	}
	return err;
}

static bool same_item(const cJSON *a, const cJSON *b, const char *name)
{
	return cJSON_Compare(cJSON_GetObjectItemCaseSensitive(a, name),
		       cJSON_GetObjectItemCaseSensitive(b, name), 1) ||
	       (!cJSON_HasObjectItem(a, name) && !cJSON_HasObjectItem(b, name));
}

/* Every gateway that answered goes by the same text, for canaries as well. */
static bool in_step(const cJSON *group, size_t answered)
{
	static const char *const names[] = {
		"in_force", "canary", "percent", "sha256", "canary_sha256"};
	const cJSON *item;

	if ((size_t)cJSON_GetArraySize(group) != answered)
		return false;
	cJSON_ArrayForEach(item, group)
	{
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (!same_item(item, group->child, names[i]))
				return false;
	}
	return true;
}

static double number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void print_group(struct context *ctx, const cJSON *group, bool same)
{
	const cJSON *item;

	say(ctx, "group %s: %s", group->string, same ? "in step" : "SKEW");
	cJSON_ArrayForEach(item, group)
	{
		if (number(item, "canary") > 0)
			say(ctx, "  gateway %-12s version %.0f, canary %.0f for %.0f %%",
				item->string, number(item, "in_force"), number(item, "canary"),
				number(item, "percent"));
		else
			say(ctx, "  gateway %-12s version %.0f", item->string,
				number(item, "in_force"));
	}
}

static enum cv_err judge(struct context *ctx, const cJSON *all, size_t answered, size_t asked)
{
	const cJSON *group;
	size_t skew = 0;

	cJSON_ArrayForEach(group, all)
	{
		const bool same = in_step(group, answered);

		skew += !same;
		print_group(ctx, group, same);
	}
	cJSON_AddNumberToObject(ctx->result, "skew", (double)skew);
	if (skew > 0) {
		log_error("policy: %zu groups are not the same at all gateways: push the newest "
			  "policy again",
			skew);
		return CV_ERR_DENIED;
	}
	return answered < asked ? CV_ERR_TOO_FEW : CV_OK;
}

static enum cv_err policy_status_run(struct context *ctx)
{
	cJSON *all = cJSON_AddObjectToObject(ctx->result, "groups");
	struct session *s = NULL;
	struct round r = {.count = 0};
	size_t answered = 0;
	enum cv_err err = session_open(&s, ctx, NULL, OP_ROLE_AUDIT);

	if (err == CV_OK)
		err = round_init_fleet(&r, &s->fleet);
	for (size_t i = 0; err == CV_OK && i < r.count; i++)
		answered += ask(&s->client, &r.errands[i].gateway, all) == CV_OK;
	if (err == CV_OK)
		err = judge(ctx, all, answered, r.count);
	round_free(&r);
	session_close(s);
	return err;
}

const struct verb verb_policy_status = {
	.noun = "policy",
	.name = "status",
	.args = "",
	.summary = "show which policy of each group the gateways go by, and where they differ\n"
		   "Exits 11 when they differ, 10 when a gateway could not be asked.",
	.run = policy_status_run,
};
