#include "device/counter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/file.h"
#include "protocol/base64url.h"

#define TEXT_MAX 64

static enum cv_err read_line(char out[TEXT_MAX + 1], const char *path)
{
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&text, &len, path, TEXT_MAX);

	if (err == CV_OK) {
		memcpy(out, text, len);
		out[len] = '\0';
		out[strcspn(out, "\n")] = '\0';
	}
	free(text);
	return err;
}

static enum cv_err parse_number(uint64_t *out, const char *text)
{
	uint64_t value = 0;

	if (text[0] == '\0' || strlen(text) > 16)
		return CV_ERR_FORMAT;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return CV_ERR_FORMAT;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	if (value >= CV_JSON_INTEGER_MAX)
		return CV_ERR_RANGE;
	*out = value;
	return CV_OK;
}

enum cv_err counter_next(uint64_t *out, const char *state_dir)
{
	char path[FILE_PATH_BUF], lock_path[FILE_PATH_BUF], text[TEXT_MAX + 1];
	uint64_t value = 0;
	int lock = -1;
	enum cv_err err = file_path_join(path, sizeof(path), state_dir, "counter");

	if (err == CV_OK)
		err = file_path_join(lock_path, sizeof(lock_path), state_dir, ".counter.lock");
	if (err == CV_OK)
		err = file_lock(&lock, lock_path);
	if (err != CV_OK)
		return err;
	err = read_line(text, path);
	if (err == CV_OK)
		err = parse_number(&value, text);
	else if (err == CV_ERR_NOT_FOUND)
		err = CV_OK;
	if (err == CV_OK) {
		value++;
		int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)value);
		err = file_write_atomic(path, text, (size_t)n, 0600);
	}
	close(lock);
	if (err == CV_OK)
		*out = value;
	return err;
}

enum cv_err counter_boots(
	uint64_t *out, const char *state_dir, const uint8_t boot_id[CV_BOOT_ID_BYTES])
{
	char path[FILE_PATH_BUF], text[TEXT_MAX + 1] = "", hex[HEX_BUF(CV_BOOT_ID_BYTES)];
	const size_t digits = HEX_BUF(CV_BOOT_ID_BYTES) - 1;
	uint64_t boots = 0;
	enum cv_err err = file_path_join(path, sizeof(path), state_dir, "boots");

	if (err != CV_OK)
		return err;
	hex_encode(hex, boot_id, CV_BOOT_ID_BYTES);
	err = read_line(text, path);
	if (err == CV_OK && (strlen(text) <= digits || text[digits] != ' '))
		err = CV_ERR_FORMAT;
	if (err == CV_OK)
		err = parse_number(&boots, text + digits + 1);
	if (err != CV_OK && err != CV_ERR_NOT_FOUND)
		return err;
	if (err == CV_OK && strncmp(text, hex, digits) == 0) {
		*out = boots;
		return CV_OK;
	}
	boots++;
	int n = snprintf(text, sizeof(text), "%s %llu\n", hex, (unsigned long long)boots);
	err = file_write_atomic(path, text, (size_t)n, 0600);
	if (err == CV_OK)
		*out = boots;
	return err;
}
