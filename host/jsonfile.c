#include "host/jsonfile.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "host/file.h"
#include "protocol/json_get.h"

enum cv_err jsonfile_read(struct cJSON **out, const char *path, size_t limit)
{
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&data, &len, path, limit);

	if (err != CV_OK)
		return err;
	/* text editors end files with a newline; the scanner takes nothing after the end */
	while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	err = json_parse(out, (const char *)data, len, limit);
	free(data);
	return err;
}

enum cv_err jsonfile_write(const char *path, const struct cJSON *document, mode_t mode)
{
	enum cv_err err = CV_ERR_MEMORY;
	char *text = cJSON_Print(document);

	if (text == NULL)
		return CV_ERR_MEMORY;
	size_t len = strlen(text);
	char *line = realloc(text, len + 2);
	if (line != NULL) {
		text = line;
		memcpy(text + len, "\n", 2);
		err = file_write_atomic(path, text, len + 1, mode);
	}
	free(text);
	return err;
}
