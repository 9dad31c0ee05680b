#include "provisioning/policy_flat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provisioning/options.h"

#define PATH_MAX_BYTES 512

static enum cv_err add_line(struct policy_flat *flat, const char *path, const cJSON *item)
{
	char **grown = realloc(flat->lines, (flat->count + 1) * sizeof(*grown));
	char *value = cJSON_PrintUnformatted(item);
	char *line = NULL;

	if (grown != NULL)
		flat->lines = grown;
	if (grown != NULL && value != NULL && asprintf(&line, "%s = %s", path, value) >= 0)
		flat->lines[flat->count++] = line;
	cJSON_free(value);
	return line != NULL ? CV_OK : CV_ERR_MEMORY;
}

/* The values of a list have no order that matters, so their places are not in their paths. */
static enum cv_err walk(struct policy_flat *flat, const char *path, const cJSON *item)
{
	char below[PATH_MAX_BYTES];
	const cJSON *child;
	enum cv_err err = CV_OK;

	if (!cJSON_IsObject(item) && !cJSON_IsArray(item))
		return add_line(flat, path, item);
	cJSON_ArrayForEach(child, item)
	{
		if (cJSON_IsArray(item)) {
			err = add_line(flat, path, child);
		} else {
			snprintf(below, sizeof(below), "%s%s%s", path, path[0] != '\0' ? "." : "",
				child->string);
			err = walk(flat, below, child);
		}
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum cv_err policy_flatten(struct policy_flat *flat, const char *json, size_t len)
{
	cJSON *doc = cJSON_ParseWithLength(json, len);
	enum cv_err err = doc != NULL ? CV_OK : CV_ERR_MEMORY;

	memset(flat, 0, sizeof(*flat));
	if (err == CV_OK)
		err = walk(flat, "", doc);
	cJSON_Delete(doc);
	if (err != CV_OK)
		policy_flat_free(flat);
	else if (flat->count > 0)
		qsort(flat->lines, flat->count, sizeof(*flat->lines), compare);
	return err;
}

void policy_flat_free(struct policy_flat *flat)
{
	for (size_t i = 0; i < flat->count; i++)
		free(flat->lines[i]);
	free(flat->lines);
	memset(flat, 0, sizeof(*flat));
}

static void report(struct context *ctx, cJSON *changes, char sign, const char *line)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, sign == '-' ? "removed" : "added", line);
	cJSON_AddItemToArray(changes, item);
	say(ctx, "%c %s", sign, line);
}

void policy_flat_diff(struct context *ctx, cJSON *changes, const struct policy_flat *from,
	const struct policy_flat *to)
{
	size_t i = 0, k = 0;

	while (i < from->count || k < to->count) {
		const int order = i == from->count ? 1
			: k == to->count	   ? -1
						   : strcmp(from->lines[i], to->lines[k]);

		if (order < 0)
			report(ctx, changes, '-', from->lines[i]);
		else if (order > 0)
			report(ctx, changes, '+', to->lines[k]);
		i += order <= 0;
		k += order >= 0;
	}
}
