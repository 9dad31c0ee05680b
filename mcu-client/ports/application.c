/*
 * The application that lives on the settings: put the product's own here. This one takes the
 * setting "name" and shows it.
 */
#include "port.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/settings.h"

static char name[CV_NAME_MAX + 1];

enum cv_err port_settings_apply(const char *json, size_t len)
{
	struct cJSON *tree = NULL;
	enum cv_err err = json_parse(&tree, json, len, SETTINGS_PLAIN_MAX);

	if (err == CV_OK && json_has(tree, "name"))
		err = json_get_text(tree, "name", name, sizeof(name));
	json_free(tree);
	if (err != CV_OK)
		return err == CV_ERR_MEMORY ? err : CV_ERR_CONFIG;
	if (name[0] != 0) {
		port_log("settings applied, name:");
		port_log(name);
	}
	return CV_OK;
}

void port_settings_forget(void)
{
	crypto_wipe(name, sizeof(name));
}
