/*
 * Between ini.c (reading) and ini_get.c (typed getters).
 */
#ifndef CONCLAVE_HOST_INI_INTERNAL_H
#define CONCLAVE_HOST_INI_INTERNAL_H

#include "host/ini.h"

#define INI_WORD_MAX 48 /* the library cuts section and key names at 50 */
#define INI_SECTIONS_MAX 64
#define INI_ENTRIES_MAX 512

struct ini_entry {
	char section[INI_WORD_MAX + 1];
	char name[INI_WORD_MAX + 1]; /* as given: "place.2" */
	char *value;
	unsigned line;
};

struct ini_section {
	char name[INI_WORD_MAX + 1];
	unsigned line;
	bool known;
};

struct ini_file {
	char *name; /* for messages */
	const struct ini_key *schema;
	size_t key_count;
	struct ini_section sections[INI_SECTIONS_MAX];
	size_t section_count;
	struct ini_entry entries[INI_ENTRIES_MAX];
	size_t entry_count;
	char *mistakes[INI_MISTAKES_MAX];
	size_t mistake_count; /* may exceed INI_MISTAKES_MAX: only the first are kept */
};

const struct ini_entry *ini_find(
	const struct ini_file *ini, const char *section, const char *name);
void ini_mistake_at(struct ini_file *ini, unsigned line, const char *section, const char *name,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
