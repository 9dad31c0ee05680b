#include "provisioning/path_text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "provisioning/options.h"

#define PATH_TEXT_BUF 8192

/* Bytes of the character at p that may be shown as they are; 0: its first byte must be escaped. */
static size_t plain_bytes(const uint8_t *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (n == 1)
		return p[0] >= ' ' && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* U+0080 to U+009F steer terminals; surrogates and overlong forms are no UTF-8 */
	if (p[0] == 0xc2 && p[1] < 0xa0)
		return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
		return 0;
	if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/*
 * UTF-8 stays; control characters and what is no UTF-8 become \xNN. Cut at cap; always ends in NUL.
 */
static void path_text(char *out, size_t cap, const char *path)
{
	const uint8_t *p = (const uint8_t *)path;
	size_t at = 0;

	while (*p != 0) {
		size_t n = plain_bytes(p);

		if (at + 5 > cap)
			break;
		if (n > 0) {
			memcpy(out + at, p, n);
			at += n;
			p += n;
		} else {
			at += (size_t)snprintf(out + at, cap - at, "\\x%02x", *p++);
		}
	}
	out[at] = '\0';
}

cJSON *problem_add(const struct context *ctx, cJSON *list, const char *path, const char *what)
{
	char text[PATH_TEXT_BUF], line[PATH_TEXT_BUF];
	cJSON *item;

	path_text(text, sizeof(text), path[0] != '\0' ? path : "/");
	path_text(line, sizeof(line), what);
	say(ctx, "problem: %s: %s", text, line);
	if (list == NULL)
		return NULL;
	item = cJSON_CreateObject();
	cJSON_AddStringToObject(item, "path", text);
	cJSON_AddStringToObject(item, "problem", line);
	cJSON_AddItemToArray(list, item);
	return item;
}
