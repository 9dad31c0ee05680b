#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ini.h"
#include "host/ini_internal.h"

#include "protocol/limits.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

const struct ini_entry *ini_find(
	const struct ini_file *ini, const char *section, const char *name)
{
	for (size_t i = 0; i < ini->entry_count; i++)
		if (strcmp(ini->entries[i].section, section) == 0 &&
			strcmp(ini->entries[i].name, name) == 0)
			return &ini->entries[i];
	return NULL;
}

unsigned ini_line(const struct ini_file *ini, const char *section, const char *name)
{
	const struct ini_entry *e = ini_find(ini, section, name);

	return e != NULL ? e->line : 0;
}

const char *ini_text(
	struct ini_file *ini, const char *section, const char *name, const char *fallback)
{
	const struct ini_entry *e = ini_find(ini, section, name);

	return e != NULL ? e->value : fallback;
}

static unsigned section_line(const struct ini_file *ini, const char *section)
{
	for (size_t i = 0; i < ini->section_count; i++)
		if (strcmp(ini->sections[i].name, section) == 0)
			return ini->sections[i].line;
	return 0;
}

const char *ini_text_required(struct ini_file *ini, const char *section, const char *name)
{
	const char *value = ini_text(ini, section, name, NULL);

	if (value == NULL)
		ini_mistake_at(ini, section_line(ini, section), section, name, "missing");
	return value;
}

const char *ini_path(
	struct ini_file *ini, const char *section, const char *name, const char *fallback)
{
	const struct ini_entry *e = ini_find(ini, section, name);

	if (e == NULL)
		return fallback;
	if (e->value[0] == '/')
		return e->value;
	ini_mistake_at(ini, e->line, section, name, "not an absolute path: %s", e->value);
	return fallback;
}

static bool is_id(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= CV_ID_MAX && text[n] == '\0' && text[0] != '-';
}

const char *ini_id(struct ini_file *ini, const char *section, const char *name, bool required)
{
	const char *value = required ? ini_text_required(ini, section, name) :
				       ini_text(ini, section, name, NULL);

	if (value == NULL || is_id(value))
		return value;
	ini_mistake(ini, section, name, "not an id (lower case, digits, dashes, at most %d): %s",
		CV_ID_MAX, value);
	return NULL;
}

/* Decimal digits; false on none or overflow. *rest is what follows them. */
static bool parse_digits(const char *text, uint64_t *out, const char **rest)
{
	uint64_t value = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	*out = value;
	*rest = text;
	return true;
}

static uint64_t get_with_unit(struct ini_file *ini, const char *section, const char *name,
	uint64_t fallback, uint64_t min, uint64_t max, const struct unit *units, const char *form)
{
	const struct ini_entry *e = ini_find(ini, section, name);
	const char *rest;
	uint64_t value;

	if (e == NULL)
		return fallback;
	if (!parse_digits(e->value, &value, &rest))
		goto bad;
	for (; units->suffix != NULL; units++)
		if (strcmp(rest, units->suffix) == 0)
			break;
	if (units->suffix == NULL)
		goto bad;
	if (__builtin_mul_overflow(value, units->factor, &value) || value < min || value > max) {
		ini_mistake_at(ini, e->line, section, name, "out of bounds (%llu to %llu%s): %s",
			(unsigned long long)min, (unsigned long long)max,
			form[0] == 'd' ? " ms" : "", e->value);
		return fallback;
	}
	return value;
bad:
	ini_mistake_at(ini, e->line, section, name, "not a %s: %s", form, e->value);
	return fallback;
}

uint64_t ini_uint(struct ini_file *ini, const char *section, const char *name, uint64_t fallback,
	uint64_t min, uint64_t max)
{
	static const struct unit units[] = { { "", 1 }, { NULL, 0 } };

	return get_with_unit(ini, section, name, fallback, min, max, units, "whole number");
}

uint64_t ini_size(struct ini_file *ini, const char *section, const char *name,
	uint64_t fallback_bytes, uint64_t min, uint64_t max)
{
	static const struct unit units[] = { { "", 1 }, { "KiB", 1024 }, { "MiB", 1048576 },
		{ "GiB", 1073741824 }, { "TiB", 1099511627776 }, { NULL, 0 } };

	return get_with_unit(ini, section, name, fallback_bytes, min, max, units,
		"size (4096, 64KiB, 8MiB, 2GiB)");
}

uint64_t ini_duration_ms(struct ini_file *ini, const char *section, const char *name,
	uint64_t fallback_ms, uint64_t min_ms, uint64_t max_ms)
{
	static const struct unit units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };

	return get_with_unit(ini, section, name, fallback_ms, min_ms, max_ms, units,
		"duration (250ms, 30s, 5m, 2h, 7d)");
}

bool ini_bool(struct ini_file *ini, const char *section, const char *name, bool fallback)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", NULL };

	return (ini_enum(ini, section, name, words, fallback ? 1 : 0) & 1) != 0;
}

int ini_enum(struct ini_file *ini, const char *section, const char *name,
	const char *const *words, int fallback)
{
	const struct ini_entry *e = ini_find(ini, section, name);
	char choices[256] = "";

	if (e == NULL)
		return fallback;
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(e->value, words[i]) == 0)
			return i;
		size_t n = strlen(choices);
		snprintf(choices + n, sizeof(choices) - n, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	ini_mistake_at(ini, e->line, section, name, "not one of %s: %s", choices, e->value);
	return fallback;
}

size_t ini_list(
	struct ini_file *ini, const char *section, const char *name, const char **out, size_t max)
{
	size_t n = strlen(name), count = 0;

	for (size_t i = 0; i < ini->entry_count; i++) {
		const struct ini_entry *e = &ini->entries[i];

		if (strcmp(e->section, section) != 0 || strncmp(e->name, name, n) != 0 ||
			e->name[n] != '.')
			continue;
		if (count == max) {
			ini_mistake_at(ini, e->line, section, e->name, "more than %zu", max);
			break;
		}
		out[count++] = e->value;
	}
	return count;
}

const char *ini_next_section(const struct ini_file *ini, const char *pattern, size_t *cursor)
{
	size_t n = strlen(pattern) - 1; /* up to and with the dot */

	while (*cursor < ini->section_count) {
		const struct ini_section *s = &ini->sections[(*cursor)++];

		if (s->known && strncmp(s->name, pattern, n) == 0 && s->name[n] != '\0')
			return s->name;
	}
	return NULL;
}

void ini_mistake(
	struct ini_file *ini, const char *section, const char *name, const char *format, ...)
{
	unsigned line = name != NULL ? ini_line(ini, section, name) : 0;
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ini_mistake_at(ini, line != 0 ? line : section_line(ini, section), section, name, "%s",
		text);
}

enum cv_err ini_finish(const struct ini_file *ini)
{
	return ini->mistake_count == 0 ? CV_OK : CV_ERR_CONFIG;
}

size_t ini_mistake_count(const struct ini_file *ini)
{
	return ini->mistake_count;
}

const char *ini_mistake_text(const struct ini_file *ini, size_t index)
{
	if (index >= ini->mistake_count || index >= INI_MISTAKES_MAX)
		return NULL;
	return ini->mistakes[index] != NULL ? ini->mistakes[index] : "no memory for the message";
}
