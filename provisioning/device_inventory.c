/* `device inventory`: what a device's machine is made of, for rules that compare it. */
#include <stdlib.h>

#include "host/file.h"
#include "host/log.h"
#include "protocol/inventory.h"
#include "protocol/json_get.h"
#include "provisioning/options.h"
#include "provisioning/round.h"
#include "provisioning/session.h"
#include "provisioning/verbs.h"

#define FILE_MAX 16384

static const struct option_spec options[] = {
	{"none", OPTION_FLAG, NULL,
		"take it away: rules that require a part then refuse the device"},
};

/* {"v":1,"inventory":{...}} as `conclave-device inventory --json` prints it. */
static enum cv_err read_items(cJSON **out, const char *path)
{
	static const char *const names[] = {"v", "inventory", NULL};
	struct evidence_digest items[CV_INVENTORY_MAX];
	struct cJSON *tree = NULL;
	uint8_t *text = NULL;
	uint8_t count = 0;
	size_t len = 0;
	enum cv_err err = file_read(&text, &len, path, FILE_MAX);

	if (err == CV_OK)
		err = json_parse(&tree, (const char *)text, len, FILE_MAX);
	if (err == CV_OK)
		err = json_only_v1(tree, names);
	if (err == CV_OK)
		err = inventory_get(cJSON_GetObjectItemCaseSensitive(tree, "inventory"), items,
			CV_INVENTORY_MAX, &count);
	if (err == CV_OK && count == 0)
		err = CV_ERR_TYPE;
	if (err != CV_OK) {
		log_error("device inventory: %s: %s: make it with `conclave-device inventory "
			  "--json` on the device",
			path, cv_err_text(err));
		err = CV_ERR_CONFIG;
	} else {
		*out = cJSON_DetachItemFromObjectCaseSensitive(tree, "inventory");
	}
	json_free(tree);
	free(text);
	return err;
}

static enum cv_err send_all(struct context *ctx, struct session *s, const cJSON *items)
{
	cJSON *doc = cJSON_CreateObject();
	char *body = NULL;
	enum cv_err err = CV_ERR_MEMORY;

	if (cJSON_AddStringToObject(doc, "device", s->record.id) != NULL &&
		cJSON_AddItemToObject(doc, "inventory", cJSON_Duplicate(items, true)))
		body = cJSON_PrintUnformatted(doc);
	if (body != NULL)
		err = round_of_device(ctx, s, "inventory", body);
	cJSON_free(body);
	cJSON_Delete(doc);
	return err;
}

static enum cv_err device_inventory_run(struct context *ctx)
{
	const bool none = option_flag(ctx, "none");
	struct session *s = NULL;
	cJSON *items = NULL;
	enum cv_err err = CV_OK;

	if (none == (ctx->arg_count == 2)) {
		log_error("device inventory: name either a file or --none");
		return CV_ERR_ARGUMENT;
	}
	if (none)
		items = cJSON_CreateObject();
	else
		err = read_items(&items, ctx->args[1]);
	if (err == CV_OK)
		err = session_open(&s, ctx, ctx->args[0], OP_ROLE_ENROL);
	if (err == CV_OK) {
		cJSON_AddStringToObject(ctx->result, "device", ctx->args[0]);
		cJSON_AddNumberToObject(ctx->result, "items", cJSON_GetArraySize(items));
		err = send_all(ctx, s, items);
	}
	session_close(s);
	cJSON_Delete(items);
	return err;
}

const struct verb verb_device_inventory = {
	.noun = "device",
	.name = "inventory",
	.args = "ID [FILE]",
	.args_min = 1,
	.args_max = 2,
	.summary = "enrol what a device's machine is made of\n"
		   "FILE comes from `conclave-device inventory --json` on that machine.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = device_inventory_run,
};
