#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "device/inventory.h"
#include "device/options.h"
#include "device/verb.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "protocol/base64url.h"
#include "protocol/inventory.h"

#define USAGE "inventory [--json]"

static enum cv_err print(const struct inventory_item *items, size_t count, bool json)
{
	cJSON *doc = cJSON_CreateObject();
	cJSON *list = cJSON_AddObjectToObject(doc, "inventory");
	uint8_t digest[CV_HASH_BYTES];
	char text[64];
	char *out = NULL;
	enum cv_err err = CV_OK;

	cJSON_AddNumberToObject(doc, "v", 1);
	for (size_t i = 0; i < count && err == CV_OK; i++) {
		err = inventory_digest(
			digest, items[i].name, items[i].value, strlen(items[i].value));
		if (err == CV_OK)
			err = base64url_encode(text, sizeof(text), digest, sizeof(digest));
		if (err == CV_OK && json)
			cJSON_AddStringToObject(list, items[i].name, text);
		else if (err == CV_OK)
			printf("%-20s %s  %s\n", items[i].name, text, items[i].value);
	}
	if (err == CV_OK && json)
		out = cJSON_Print(doc);
	if (out != NULL)
		printf("%s\n", out);
	if (err != CV_OK)
		log_error("inventory: %s", cv_err_text(err));
	cJSON_free(out);
	cJSON_Delete(doc);
	return err;
}

int verb_inventory(int argc, char **argv)
{
	struct inventory_item items[CV_INVENTORY_MAX];
	struct options o;
	struct settings s;
	bool help;
	enum cv_err err = options_parse(&o, argc, argv, OPTION_JSON, USAGE, &help);

	if (help)
		return EXIT_CODE_OK;
	if (err == CV_OK && o.word_count != 0) {
		log_error("inventory: usage: conclave-device %s", USAGE);
		err = CV_ERR_ARGUMENT;
	}
	if (err == CV_OK)
		err = settings_load(&s, &o);
	if (err == CV_OK)
		err = print(items, inventory_collect(items, s.system_root), o.json);
	return exit_code_of(err);
}
