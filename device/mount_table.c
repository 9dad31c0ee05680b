#include "device/mount_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "/proc/self/mountinfo"
#define TYPE "fuse.conclave"

/* Blanks, tabs, newlines and backslashes are three octal digits after a backslash. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0';) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
			from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				(from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

bool mount_table_line(char *line, char **mount_point, char **container)
{
	char *rest, *word = NULL, *type;

	/* id, parent, device, root, mount point, options, any number of others, "-" */
	word = strtok_r(line, " \n", &rest);
	for (int i = 0; i < 4 && word != NULL; i++)
		word = strtok_r(NULL, " \n", &rest);
	if (word == NULL)
		return false;
	*mount_point = word;
	do
		word = strtok_r(NULL, " \n", &rest);
	while (word != NULL && strcmp(word, "-") != 0);
	type = strtok_r(NULL, " \n", &rest);
	*container = strtok_r(NULL, " \n", &rest);
	if (word == NULL || type == NULL || *container == NULL || strcmp(type, TYPE) != 0)
		return false;
	unescape(*mount_point);
	unescape(*container);
	return true;
}

/* Of the mounts whose container or mount point is `wanted`, the container of the last. */
static enum cv_err search(char container[FILE_PATH_BUF], const char *wanted, bool by_container)
{
	enum cv_err err = CV_ERR_NOT_FOUND;
	FILE *table = fopen(TABLE, "re");
	char *line = NULL, *point, *source;
	size_t cap = 0;

	if (table == NULL)
		return file_error(errno);
	while (getline(&line, &cap, table) > 0)
		if (mount_table_line(line, &point, &source) &&
			strcmp(by_container ? source : point, wanted) == 0) {
			snprintf(container, FILE_PATH_BUF, "%s", source);
			err = CV_OK;
		}
	free(line);
	fclose(table);
	return err;
}

enum cv_err mount_table_container(char container[FILE_PATH_BUF], const char *mount_point)
{
	return search(container, mount_point, false);
}

bool mount_table_has(const char *container)
{
	char same[FILE_PATH_BUF];

	return search(same, container, true) != CV_ERR_NOT_FOUND;
}
