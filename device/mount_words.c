#include "device/mount_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "host/log.h"

#define IDLE_MAX_MS (UINT64_C(365) * 86400000)
#define CACHE_MIB_MAX 4096

/* Flags of mount(2): the word that sets it, the word that clears it. */
static const struct {
	const char *set, *clear;
	unsigned long flag;
} flags[] = {
	{ "nodev", "dev", MS_NODEV },
	{ "nosuid", "suid", MS_NOSUID },
	{ "noexec", "exec", MS_NOEXEC },
	{ "sync", "async", MS_SYNCHRONOUS },
};

/* Handed to the volume process as they are. */
static const char *const passed_on[] = { "atime", "noatime", "log_paths", "power=save",
	"power=speed", "writeback=on", "writeback=off" };

/* For mount(8), fstab(5) and systemd; relatime is what atime means here. */
static const char *const ignored[] = { "defaults", "auto", "noauto", "_netdev", "nofail", "user",
	"nouser", "users", "owner", "group", "nodiratime", "diratime", "loud", "silent" };

/* mount(8) keeps words that are its own defaults to itself; these spellings come through. */
static const struct {
	const char *word, *means;
} spelled_out[] = { { "dev=on", "dev" }, { "suid=on", "suid" }, { "atime=on", "atime" } };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool among(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static bool starts(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

static bool is_ignored(const char *word)
{
	return among(ignored, COUNT(ignored), word) || starts(word, "x-") || starts(word, "X-") ||
		starts(word, "comment=");
}

/* The value of `name`, a word that ends in '='; NULL if the word is another one. */
static const char *value_of(const char *word, const char *name)
{
	return starts(word, name) && word[strlen(name)] != '\0' ? word + strlen(name) : NULL;
}

/* False: this word is not one of these, or its value is wrong. */
static bool take_option(struct options *o, const char *word)
{
	const char *value;

	if ((value = value_of(word, "run=")) != NULL)
		o->run_dir = value;
	else if ((value = value_of(word, "state=")) != NULL)
		o->state_dir = value;
	else if ((value = value_of(word, "config=")) != NULL)
		o->config_file = value;
	else if ((value = value_of(word, "timeout=")) != NULL)
		return options_duration(&o->timeout_ms, value);
	else if ((value = value_of(word, "key_fd=")) != NULL)
		return options_descriptor(&o->key_fd, value);
	else if ((value = value_of(word, "recovery_fd=")) != NULL)
		return options_descriptor(&o->recovery_fd, value);
	else if (strcmp(word, "accept_older") == 0)
		o->accept_older = true;
	else
		return false;
	o->config_named |= starts(word, "config=");
	return true;
}

static bool take_flag(struct settings *s, const char *word)
{
	for (size_t i = 0; i < COUNT(flags); i++) {
		if (strcmp(flags[i].set, word) == 0)
			s->mount_flags |= flags[i].flag;
		else if (strcmp(flags[i].clear, word) == 0)
			s->mount_flags &= ~flags[i].flag;
		else
			continue;
		return true;
	}
	return false;
}

static bool pass_on(struct settings *s, const char *word)
{
	size_t len = strlen(s->volume_words);
	int n = snprintf(s->volume_words + len, sizeof(s->volume_words) - len, "%s%s",
		len != 0 ? "," : "", word);

	return n > 0 && (size_t)n < sizeof(s->volume_words) - len;
}

/* Whole MiB: 64M or 64MiB, 1G or 1GiB. */
static bool take_cache(struct settings *s, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || n > CACHE_MIB_MAX)
		return false;
	if (strcmp(end, "G") == 0 || strcmp(end, "GiB") == 0)
		n *= 1024;
	else if (strcmp(end, "M") != 0 && strcmp(end, "MiB") != 0)
		return false;
	s->cache_mib = (uint32_t)n;
	return n >= 1 && n <= CACHE_MIB_MAX;
}

static bool take_idle(struct settings *s, const char *value)
{
	char word[48];
	uint64_t ms;

	if (!options_duration(&ms, value) || ms < 1000 || ms > IDLE_MAX_MS)
		return false;
	snprintf(word, sizeof(word), "idle=%llu", (unsigned long long)(ms / 1000));
	return pass_on(s, word);
}

static bool take_setting(struct settings *s, const char *word)
{
	const char *value;

	for (size_t i = 0; i < COUNT(spelled_out); i++)
		if (strcmp(spelled_out[i].word, word) == 0)
			word = spelled_out[i].means;
	if (strcmp(word, "ro") == 0 || strcmp(word, "rw") == 0)
		s->read_only = word[1] == 'o';
	else if (strcmp(word, "allow_other") == 0 || strcmp(word, "noallow_other") == 0)
		s->allow_other = word[0] == 'a';
	else if (among(passed_on, COUNT(passed_on), word))
		return pass_on(s, word);
	else if (strcmp(word, "relatime") == 0)
		return pass_on(s, "atime");
	else if ((value = value_of(word, "cache=")) != NULL)
		return take_cache(s, value);
	else if ((value = value_of(word, "idle=")) != NULL)
		return take_idle(s, value);
	else
		return take_flag(s, word) || is_ignored(word);
	return true;
}

enum cv_err mount_words_options(struct options *o, char *list)
{
	struct settings unused = { .cache_mib = 0 };
	char *rest;

	for (char *word = strtok_r(list, ",", &rest); word != NULL;
		word = strtok_r(NULL, ",", &rest)) {
		if (strcmp(word, "remount") == 0) {
			log_error("mount: -o remount: unmount and mount again");
			return CV_ERR_ARGUMENT;
		}
		unused.volume_words[0] = '\0';
		if (!take_option(o, word) && !take_setting(&unused, word)) {
			log_error("mount: -o %s: not understood (see conclave-device(8))", word);
			return CV_ERR_ARGUMENT;
		}
	}
	return CV_OK;
}

enum cv_err mount_words_settings(struct settings *s, const char *list, bool command_line,
	char bad[MOUNT_WORD_MAX])
{
	struct options unused = { .timeout_ms = 0 };

	while (*list != '\0') {
		char word[MOUNT_WORD_MAX];
		size_t len = strcspn(list, ",");
		size_t kept = len < sizeof(word) ? len : sizeof(word) - 1;

		memcpy(word, list, kept);
		word[kept] = '\0';
		if (len > 0 && !take_setting(s, word) &&
			!(command_line && take_option(&unused, word))) {
			memcpy(bad, word, kept + 1);
			return CV_ERR_ARGUMENT;
		}
		list += len;
		list += *list == ',' ? 1 : 0;
	}
	return CV_OK;
}
