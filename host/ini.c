#include "host/ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "host/file.h"
#include "host/ini_internal.h"

/* What ini_parse_stream pulls lines from. */
struct ini_source {
	struct ini_file *ini;
	const char *pos;
	const char *end;
	unsigned line;
	bool skip_section; /* a mistake was noted for this section: its keys say nothing more */
};

/* "webhook.*" names "webhook.ops". */
static bool section_matches(const char *pattern, const char *section)
{
	size_t n = strlen(pattern);

	if (n >= 2 && strcmp(pattern + n - 2, ".*") == 0)
		return strncmp(pattern, section, n - 1) == 0 && section[n - 1] != '\0';
	return strcmp(pattern, section) == 0;
}

static bool section_known(const struct ini_file *ini, const char *section)
{
	for (size_t i = 0; i < ini->key_count; i++)
		if (section_matches(ini->schema[i].section, section))
			return true;
	return false;
}

/* "place.2" is item 2 of the list "place". */
static bool list_item_of(const char *name, const char *list)
{
	size_t n = strlen(list);
	const char *digits = name + n + 1;

	if (strncmp(name, list, n) != 0 || name[n] != '.')
		return false;
	if (digits[0] < '1' || digits[0] > '9' || strlen(digits) > 3)
		return false;
	return digits[strspn(digits, "0123456789")] == '\0';
}

static bool key_known(const struct ini_file *ini, const char *section, const char *name)
{
	for (size_t i = 0; i < ini->key_count; i++) {
		const struct ini_key *key = &ini->schema[i];

		if (section_matches(key->section, section) &&
			(key->list ? list_item_of(name, key->name) : strcmp(key->name, name) == 0))
			return true;
	}
	return false;
}

void ini_mistake_at(struct ini_file *ini, unsigned line, const char *section, const char *name,
	const char *format, ...)
{
	char where[160] = "", number[16] = "", text[512];
	char *full = NULL;
	va_list args;

	if (ini->mistake_count++ >= INI_MISTAKES_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (line != 0)
		snprintf(number, sizeof(number), ":%u", line);
	if (section != NULL)
		snprintf(where, sizeof(where), "[%s]%s%s: ", section, name != NULL ? " " : "",
			name != NULL ? name : "");
	if (asprintf(&full, "%s%s: %s%s", ini->name, number, where, text) < 0)
		full = NULL;
	ini->mistakes[ini->mistake_count - 1] = full;
}

/* NULL if the line may go to the library, else what is wrong with it. */
static const char *line_fault(const char *line, size_t len)
{
	if (len > INI_LINE_MAX)
		return "line too long";
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			return "control character";
	size_t blank = strspn(line, " \t");
	if (blank >= len || line[0] == ';' || line[0] == '#')
		return NULL;
	if (blank > 0)
		return "starts with a blank (continuation lines are not taken)";
	for (size_t i = 1; i < len; i++)
		if ((line[i] == ';' || line[i] == '#') &&
			(line[i - 1] == ' ' || line[i - 1] == '\t'))
			return "comment after a value (put it on its own line)";
	if (line[0] == '[') {
		while (line[len - 1] == ' ' || line[len - 1] == '\t')
			len--;
		return line[len - 1] == ']' && len > 2 && len - 2 <= INI_WORD_MAX ?
			NULL :
			"not a section: [name]";
	}
	size_t word = strcspn(line, "=:");
	return line[word] == '=' && word > 0 && word <= INI_WORD_MAX ? NULL :
								       "not `key = value`";
}

static void open_section(struct ini_source *s, const char *line)
{
	struct ini_file *ini = s->ini;
	struct ini_section section = { .line = s->line };

	memcpy(section.name, line + 1, strcspn(line, "]") - 1);
	s->skip_section = true;
	for (size_t i = 0; i < ini->section_count; i++)
		if (strcmp(ini->sections[i].name, section.name) == 0) {
			ini_mistake_at(ini, s->line, section.name, NULL,
				"section given twice (first in line %u)", ini->sections[i].line);
			return;
		}
	if (ini->section_count == INI_SECTIONS_MAX) {
		ini_mistake_at(ini, s->line, section.name, NULL, "too many sections");
		return;
	}
	section.known = section_known(ini, section.name);
	ini->sections[ini->section_count++] = section;
	if (section.known)
		s->skip_section = false;
	else
		ini_mistake_at(ini, s->line, section.name, NULL, "unknown section");
}

/* The library's fgets. A line with a fault is shown to it as empty, so that lines stay counted. */
static char *read_line(char *out, int cap, void *stream)
{
	struct ini_source *s = stream;
	const char *newline, *fault;
	size_t len;

	if (s->pos == s->end)
		return NULL;
	newline = memchr(s->pos, '\n', (size_t)(s->end - s->pos));
	len = newline != NULL ? (size_t)(newline - s->pos) : (size_t)(s->end - s->pos);
	s->line++;
	size_t shown = len;
	if (shown > 0 && s->pos[shown - 1] == '\r')
		shown--;
	char line[INI_LINE_MAX + 2];
	size_t copied = shown <= INI_LINE_MAX ? shown : INI_LINE_MAX;
	memcpy(line, s->pos, copied);
	line[copied] = '\0';
	fault = line_fault(line, shown);
	s->pos += len + (newline != NULL ? 1 : 0);
	if (fault != NULL) {
		ini_mistake_at(s->ini, s->line, NULL, NULL, "%s", fault);
		s->skip_section = s->skip_section || line[0] == '[';
	} else if (line[0] == '[')
		open_section(s, line);
	snprintf(out, (size_t)cap, "%s\n", fault == NULL ? line : "");
	return out;
}

static void add_entry(struct ini_source *s, const char *section, const char *name,
	const char *value)
{
	struct ini_file *ini = s->ini;
	const struct ini_entry *before = ini_find(ini, section, name);

	if (before != NULL)
		ini_mistake_at(ini, s->line, section, name, "given twice (first in line %u)",
			before->line);
	else if (!key_known(ini, section, name))
		ini_mistake_at(ini, s->line, section, name, "unknown key");
	else if (value[0] == '\0')
		ini_mistake_at(ini, s->line, section, name, "no value");
	else if (ini->entry_count == INI_ENTRIES_MAX)
		ini_mistake_at(ini, s->line, section, name, "too many keys");
	else {
		struct ini_entry *e = &ini->entries[ini->entry_count];

		snprintf(e->section, sizeof(e->section), "%s", section);
		snprintf(e->name, sizeof(e->name), "%s", name);
		e->line = s->line;
		e->value = strdup(value);
		if (e->value != NULL)
			ini->entry_count++;
		else
			ini_mistake_at(ini, s->line, section, name, "no memory");
	}
}

static int take_entry(void *user, const char *section, const char *name, const char *value)
{
	struct ini_source *s = user;

	if (s->skip_section)
		return 1;
	if (section[0] == '\0')
		ini_mistake_at(s->ini, s->line, NULL, NULL, "key before the first [section]");
	else
		add_entry(s, section, name, value);
	return 1;
}

static enum cv_err parse(struct ini_file **out, const char *name, const char *text, size_t len,
	const struct ini_key *schema, size_t key_count)
{
	struct ini_file *ini = calloc(1, sizeof(*ini));

	if (ini == NULL)
		return CV_ERR_MEMORY;
	ini->name = strdup(name);
	ini->schema = schema;
	ini->key_count = key_count;
	if (ini->name == NULL) {
		ini_close(ini);
		return CV_ERR_MEMORY;
	}
	struct ini_source source = { .ini = ini, .pos = text, .end = text + len };
	int at = ini_parse_stream(read_line, &source, take_entry, &source);

	/* whatever the library alone refuses */
	if (at != 0 && ini->mistake_count == 0)
		ini_mistake_at(ini, at > 0 ? (unsigned)at : 0, NULL, NULL, "cannot be read");
	*out = ini;
	return CV_OK;
}

enum cv_err ini_open(
	struct ini_file **out, const char *path, const struct ini_key *schema, size_t key_count)
{
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = file_read(&text, &len, path, INI_FILE_MAX);

	if (err == CV_OK)
		err = parse(out, path, (const char *)text, len, schema, key_count);
	free(text);
	return err;
}

enum cv_err ini_open_text(struct ini_file **out, const char *name, const char *text,
	const struct ini_key *schema, size_t key_count)
{
	size_t len = strlen(text);

	if (len > INI_FILE_MAX)
		return CV_ERR_TOO_LONG;
	return parse(out, name, text, len, schema, key_count);
}

void ini_close(struct ini_file *ini)
{
	if (ini == NULL)
		return;
	for (size_t i = 0; i < ini->entry_count; i++)
		free(ini->entries[i].value);
	for (size_t i = 0; i < ini->mistake_count && i < INI_MISTAKES_MAX; i++)
		free(ini->mistakes[i]);
	free(ini->name);
	free(ini);
}
