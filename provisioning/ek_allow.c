#include "provisioning/ek_allow.h"

#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "protocol/base64url.h"

#define DIGITS (2 * CV_HASH_BYTES)

/* False: the line is neither empty, nor a comment, nor an entry. */
static bool read_line(const char *text, size_t len, uint8_t hash[CV_HASH_BYTES], bool *entry)
{
	*entry = false;
	while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == ' '))
		len--;
	if (len == 0 || text[0] == '#')
		return true;
	*entry = true;
	return len >= DIGITS && (len == DIGITS || text[DIGITS] == ' ' || text[DIGITS] == '\t') &&
	       hex_decode(hash, CV_HASH_BYTES, text, DIGITS) == CV_OK;
}

static enum cv_err search(bool *found, size_t *line, const char *text, size_t len,
	const uint8_t (*hashes)[CV_HASH_BYTES], size_t count)
{
	uint8_t hash[CV_HASH_BYTES];
	bool entry;

	*line = 0;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		const size_t n = end != NULL ? (size_t)(end - text) - at : len - at;

		++*line;
		if (!read_line(text + at, n, hash, &entry))
			return CV_ERR_CONFIG;
		for (size_t i = 0; entry && i < count; i++)
			*found |= memcmp(hash, hashes[i], sizeof(hash)) == 0;
		at += n + 1;
	}
	return CV_OK;
}

enum cv_err ek_allow_find(bool *found, size_t *line, const char *path,
	const uint8_t (*hashes)[CV_HASH_BYTES], size_t count)
{
	uint8_t *text = NULL;
	size_t len = 0;
	bool any = false;
	enum cv_err err = file_read(&text, &len, path, EK_ALLOW_FILE_MAX);

	*line = 0;
	if (err == CV_ERR_NOT_FOUND) {
		*found = false;
		return CV_OK;
	}
	if (err == CV_OK)
		err = search(&any, line, (const char *)text, len, hashes, count);
	free(text);
	if (err == CV_OK)
		*found = any;
	return err;
}
