/* The scanner: what it accepts cJSON parses too, and every member's raw text is found again. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/json_get.h"
#include "protocol/json_scan.h"

static void check_member(const char *text, size_t len, const cJSON *item)
{
	const char *value;
	size_t n;

	for (const char *c = item->string; *c != '\0'; c++) {
		if ((unsigned char)*c >= 0x80)
			return; /* json_member_raw looks for ASCII names only */
	}
	if (json_member_raw(text, len, item->string, &value, &n) != CV_OK || value < text ||
		n == 0 || value + n > text + len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct cJSON *tree = NULL;
	enum cv_err err = json_scan(text, size, CV_OP_BODY_MAX);

	if (json_parse(&tree, text, size, CV_OP_BODY_MAX) != err)
		abort();
	if (err == CV_OK) {
		for (const cJSON *item = tree->child; item != NULL; item = item->next)
			check_member(text, size, item);
	}
	json_free(tree);
	return 0;
}
