#include "provisioning/audit_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "protocol/audit_chain.h"

#define FILE_MAX ((size_t)1 << 30)
#define COUNT_MAX ((size_t)1 << 24)

enum cv_err audit_log_add(struct audit_log *log, const char *text, size_t len)
{
	char *copy;

	if (len > AUDIT_TEXT_MAX || log->count == COUNT_MAX)
		return CV_ERR_TOO_LONG;
	if (memchr(text, '\n', len) != NULL)
		return CV_ERR_FORMAT;
	if (log->count == log->cap) {
		size_t cap = log->cap == 0 ? 256 : log->cap * 2;
		char **grown = realloc(log->texts, cap * sizeof(*grown));

		if (grown == NULL)
			return CV_ERR_MEMORY;
		log->texts = grown;
		log->cap = cap;
	}
	copy = malloc(len + 1);
	if (copy == NULL)
		return CV_ERR_MEMORY;
	memcpy(copy, text, len);
	copy[len] = '\0';
	log->texts[log->count++] = copy;
	return CV_OK;
}

void audit_log_free(struct audit_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->texts[i]);
	free(log->texts);
	memset(log, 0, sizeof(*log));
}

enum cv_err audit_log_read_file(struct audit_log *log, const char *path)
{
	uint8_t *data = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&data, &len, path, FILE_MAX);
	const char *line = (const char *)data;
	const char *end = line + len;

	while (err == CV_OK && line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline != NULL ? newline : end;

		err = audit_log_add(log, line, (size_t)(stop - line));
		line = stop + 1;
	}
	free(data);
	return err;
}

enum cv_err audit_log_verify(const struct audit_log *log, const char *gateway, uint64_t seq,
	const uint8_t head[CV_HASH_BYTES], char *problem, size_t cap)
{
	uint8_t now[CV_HASH_BYTES] = {0};

	if (log->count < seq) {
		snprintf(problem, cap, "%zu of %llu records are there: some were removed",
			log->count, (unsigned long long)seq);
		return CV_ERR_TAMPERED;
	}
	for (uint64_t i = 0; i < seq; i++) {
		enum cv_err err = audit_chain_next(
			now, gateway, i + 1, log->texts[i], strlen(log->texts[i]));

		if (err != CV_OK)
			return err;
	}
	if (memcmp(now, head, sizeof(now)) == 0)
		return CV_OK;
	snprintf(problem, cap,
		"records 1 to %llu are not what was signed: changed, removed, added or moved",
		(unsigned long long)seq);
	return CV_ERR_TAMPERED;
}
