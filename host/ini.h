/*
 * Hand-edited configuration files, read strictly.
 *
 * The syntax is inih's (`[section]`, `key = value`, comments with ; or #), fed through a reader of
 * our own that counts lines. Refused, each with its line: a line over INI_LINE_MAX bytes, a NUL
 * or another control character, a continuation line, a value that a ` ;` would cut, a section or
 * key that the schema does not name, a key given twice, a section opened twice, an empty value.
 *
 * Mistakes are collected, not returned one by one: open the file, call the getters (which check
 * and give the fallback on a mistake), then ask ini_finish. `--check-config` prints them all.
 *
 * Units    sizes: 4096, 64KiB, 8MiB, 2GiB; durations: 250ms, 30s, 5m, 2h, 7d (a bare number is
 *          refused); booleans: yes, no, true, false, on, off.
 * Lists    `name.1 = a`, `name.2 = b`: any numbers from 1 to 999, given in file order.
 * Sections a schema section that ends in `.*` (`webhook.*`) allows `[webhook.ops]` and so on.
 * Memory   text that a getter returns lives until ini_close.
 * Threads  one at a time per file.
 */
#ifndef CONCLAVE_HOST_INI_H
#define CONCLAVE_HOST_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define INI_LINE_MAX 190 /* the library cuts at 200 */
#define INI_FILE_MAX 65536
#define INI_MISTAKES_MAX 64

struct ini_key {
	const char *section;
	const char *name;
	bool list; /* given as name.N */
};

struct ini_file;

/*
 * Reads the whole file. CV_OK even if it has mistakes (see ini_finish); fails only when there is
 * nothing to report on: CV_ERR_NOT_FOUND, CV_ERR_PERMISSION, CV_ERR_IO, CV_ERR_TOO_LONG (over
 * INI_FILE_MAX), CV_ERR_MEMORY. The schema must stay until ini_close.
 */
CV_MUST_CHECK enum cv_err ini_open(
	struct ini_file **out, const char *path, const struct ini_key *schema, size_t key_count);
/* The same over text; `name` stands for the path in messages. */
CV_MUST_CHECK enum cv_err ini_open_text(struct ini_file **out, const char *name, const char *text,
	const struct ini_key *schema, size_t key_count);
void ini_close(struct ini_file *ini);

/* The line that gave the key, 0 if none did. */
unsigned ini_line(const struct ini_file *ini, const char *section, const char *name);

/* `fallback` if absent; may be NULL. */
const char *ini_text(struct ini_file *ini, const char *section, const char *name,
	const char *fallback);
/* Absent is a mistake; then NULL. */
const char *ini_text_required(struct ini_file *ini, const char *section, const char *name);
/* Must start with a slash. */
const char *ini_path(struct ini_file *ini, const char *section, const char *name,
	const char *fallback);
/* An id: [a-z0-9][a-z0-9-]{0,62}. Absent is a mistake if `required`; else NULL. */
const char *ini_id(struct ini_file *ini, const char *section, const char *name, bool required);
uint64_t ini_uint(struct ini_file *ini, const char *section, const char *name, uint64_t fallback,
	uint64_t min, uint64_t max);
uint64_t ini_size(struct ini_file *ini, const char *section, const char *name,
	uint64_t fallback_bytes, uint64_t min, uint64_t max);
uint64_t ini_duration_ms(struct ini_file *ini, const char *section, const char *name,
	uint64_t fallback_ms, uint64_t min_ms, uint64_t max_ms);
bool ini_bool(struct ini_file *ini, const char *section, const char *name, bool fallback);
/* Index into `words` (NULL ends it). */
int ini_enum(struct ini_file *ini, const char *section, const char *name,
	const char *const *words, int fallback);
/* Fills at most `max` entries and returns how many; more is a mistake. */
size_t ini_list(struct ini_file *ini, const char *section, const char *name, const char **out,
	size_t max);
/*
 * Sections that were given for a schema section "webhook.*", in file order: call with *cursor 0
 * first; NULL at the end. The full name ("webhook.ops") goes into the getters.
 */
const char *ini_next_section(const struct ini_file *ini, const char *pattern, size_t *cursor);

/* The caller's own check failed: recorded with the line of that key (or of the section). */
void ini_mistake(struct ini_file *ini, const char *section, const char *name, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* CV_OK, or CV_ERR_CONFIG if anything was wrong. */
CV_MUST_CHECK enum cv_err ini_finish(const struct ini_file *ini);
size_t ini_mistake_count(const struct ini_file *ini);
/* One line: "gateway.ini:12: [limits] queue: not a number"; NULL past the end. */
const char *ini_mistake_text(const struct ini_file *ini, size_t index);

#endif
