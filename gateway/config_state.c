#include "gateway/config_state.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/json_get.h"
#include "protocol/json_write.h"

#define PIN_MAX 1024

enum cv_err state_path(char out[FILE_PATH_BUF], const char *state, const char *name)
{
	return file_path_join(out, FILE_PATH_BUF, state, name);
}

static enum cv_err pin_decode(struct state_pin *pin, const cJSON *tree)
{
	static const char *const names[] = { "v", "gateway", "fleet", "fleet_root", NULL };
	uint64_t version = 0;
	enum cv_err err = json_get_u64(tree, "v", 1, CV_JSON_INTEGER_MAX, &version);

	if (err == CV_OK && version != 1)
		return CV_ERR_VERSION;
	if (err == CV_OK)
		err = json_only(tree, names);
	if (err == CV_OK)
		err = json_get_id(tree, "gateway", pin->gateway);
	if (err != CV_OK || !json_has(tree, "fleet"))
		return err;
	pin->joined = true;
	err = json_get_id(tree, "fleet", pin->fleet);
	if (err == CV_OK)
		err = json_get_bytes(
			tree, "fleet_root", pin->fleet_root, sizeof(pin->fleet_root));
	return err;
}

enum cv_err state_pin_read(struct state_pin *pin, const char *state)
{
	struct state_pin read = { .joined = false };
	char path[FILE_PATH_BUF];
	cJSON *tree = NULL;
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = state_path(path, state, STATE_PIN);

	if (err == CV_OK)
		err = file_read(&text, &len, path, PIN_MAX);
	if (err != CV_OK)
		return err;
	err = json_parse(&tree, (const char *)text, len, PIN_MAX);
	if (err == CV_OK)
		err = pin_decode(&read, tree);
	if (err == CV_OK)
		*pin = read;
	json_free(tree);
	free(text);
	return err == CV_OK || err == CV_ERR_VERSION ? err : CV_ERR_FORMAT;
}

enum cv_err state_pin_write(const struct state_pin *pin, const char *state)
{
	char text[PIN_MAX], path[FILE_PATH_BUF];
	struct json_writer w;
	size_t len = 0;
	enum cv_err err = state_path(path, state, STATE_PIN);

	if (err != CV_OK)
		return err;
	json_begin(&w, text, sizeof(text) - 1);
	json_object_open(&w, NULL);
	json_u64(&w, "v", 1);
	json_text(&w, "gateway", pin->gateway);
	if (pin->joined) {
		json_text(&w, "fleet", pin->fleet);
		json_bytes(&w, "fleet_root", pin->fleet_root, sizeof(pin->fleet_root));
	}
	json_object_close(&w);
	err = json_end(&w, &len);
	if (err != CV_OK)
		return err;
	text[len++] = '\n';
	return file_write_atomic(path, text, len, 0644);
}
