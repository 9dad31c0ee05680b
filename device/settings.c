#include "device/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "device/mount_words.h"
#include "device/settings_read.h"
#include "host/log.h"

#define STATUS_INTERVAL_MS 300000

static const struct ini_key schema[] = {
	{ "device", "container", false },
	{ "device", "mount_point", false },
	{ "device", "log_level", false },
	{ "mount", "allow_other", false },
	{ "mount", "read_only", false },
	{ "mount", "cache", false },
	{ "mount", "options", false },
	{ "mount", "relock", false },
	{ "mount", "status_interval", false },
	{ "evidence", "oemid", false },
	{ "evidence", "hwmodel", false },
	{ "evidence", "hwversion", false },
	{ "evidence", "iat", false },
	{ "evidence", "measure", true },
	{ "tpm", "tcti", false },
	{ "tpm", "event_log", false },
	{ "evidence", "inventory", false },
	{ "evidence", "root", false },
	{ "place", "region", false },
	{ "place", "state", false },
	{ "place", "city", false },
	{ "place", "latitude", false },
	{ "place", "longitude", false },
	{ "place", "accuracy_m", false },
	{ "place", "source", false },
	{ "place", "from", false },
	{ "place", "file", false },
	{ "place", "gpsd", false },
	{ "place", "wait", false },
};

static bool printable(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return n > 0 && n <= CV_NAME_MAX;
}

/* Text that becomes a claim: 1..63 printable ASCII characters. */
void settings_claim(struct ini_file *ini, const char *section, const char *name,
	char out[EVIDENCE_TEXT_BUF])
{
	const char *text = ini_text(ini, section, name, NULL);

	if (text == NULL)
		return;
	if (printable(text))
		strcpy(out, text);
	else
		ini_mistake(ini, section, name, "not 1 to %d printable ASCII characters",
			CV_NAME_MAX);
}

static bool measure_name_ok(const char *name, size_t len)
{
	if (len == 0 || len > CV_NAME_MAX || strchr("._-", name[0]) != NULL)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") >= len;
}

/* measure.N = NAME /path */
static void read_measures(struct settings *s, struct ini_file *ini)
{
	const char *lines[CV_DIGESTS_MAX - 2];
	size_t n = ini_list(ini, "evidence", "measure", lines, CV_DIGESTS_MAX - 2);

	for (size_t i = 0; i < n; i++) {
		struct settings_measure *m = &s->measures[s->measure_count];
		size_t len = strcspn(lines[i], " \t");
		const char *path = lines[i] + len + strspn(lines[i] + len, " \t");

		if (!measure_name_ok(lines[i], len) || path[0] != '/') {
			ini_mistake(ini, "evidence", NULL, "not `measure.N = NAME /PATH`: %s",
				lines[i]);
			continue;
		}
		memcpy(m->name, lines[i], len);
		snprintf(m->path, sizeof(m->path), "%s", path);
		s->measure_count++;
	}
}

static void read_relock(struct settings *s, struct ini_file *ini)
{
	static const char *const words[] = { "revoked", "lease", "never", NULL };

	s->relock = (enum settings_relock)ini_enum(
		ini, "mount", "relock", words, SETTINGS_RELOCK_REVOKED);
	s->status_interval_s = (uint32_t)(ini_duration_ms(ini, "mount", "status_interval",
		STATUS_INTERVAL_MS, 1000, 86400000) / 1000);
}

static void read_words(struct settings *s, struct ini_file *ini)
{
	const char *list = ini_text(ini, "mount", "options", NULL);
	char bad[MOUNT_WORD_MAX];

	if (list != NULL && mount_words_settings(s, list, false, bad) != CV_OK)
		ini_mistake(ini, "mount", "options", "not understood: %s", bad);
}

static void read_tcti(struct settings *s, struct ini_file *ini)
{
	const char *text = ini_text(ini, "tpm", "tcti", SETTINGS_TCTI_DEFAULT);

	if (strlen(text) < sizeof(s->tcti))
		strcpy(s->tcti, text);
	else
		ini_mistake(ini, "tpm", "tcti", "over %zu characters", sizeof(s->tcti) - 1);
}

static void read_all(struct settings *s, struct ini_file *ini)
{
	static const char *const iat_words[] = { "auto", "always", "never", NULL };
	static const char *const level_words[] = { "error", "warning", "info", "debug", NULL };
	const char *path = ini_path(ini, "device", "container", NULL);

	if (path != NULL)
		snprintf(s->container, sizeof(s->container), "%s", path);
	path = ini_path(ini, "device", "mount_point", NULL);
	if (path != NULL)
		snprintf(s->mount_point, sizeof(s->mount_point), "%s", path);
	if (log_get_level() != LOG_LEVEL_DEBUG) /* -v on the command line wins */
		log_set_level((enum log_level)ini_enum(
			ini, "device", "log_level", level_words, LOG_LEVEL_INFO));
	s->allow_other = ini_bool(ini, "mount", "allow_other", s->allow_other);
	s->read_only = ini_bool(ini, "mount", "read_only", false);
	s->cache_mib = (uint32_t)(ini_size(ini, "mount", "cache", 0, 1 << 20,
					  (uint64_t)4096 << 20) >>
		20);
	read_words(s, ini);
	read_relock(s, ini);
	s->iat = (enum settings_iat)ini_enum(
		ini, "evidence", "iat", iat_words, SETTINGS_IAT_AUTO);
	settings_claim(ini, "evidence", "oemid", s->oemid);
	settings_claim(ini, "evidence", "hwmodel", s->hwmodel);
	settings_claim(ini, "evidence", "hwversion", s->hwversion);
	read_measures(s, ini);
	read_tcti(s, ini);
	path = ini_path(ini, "tpm", "event_log", SETTINGS_EVENT_LOG_DEFAULT);
	if (path != NULL)
		snprintf(s->event_log, sizeof(s->event_log), "%s", path);
	s->inventory = ini_bool(ini, "evidence", "inventory", false);
	path = ini_path(ini, "evidence", "root", NULL);
	if (path != NULL)
		snprintf(s->system_root, sizeof(s->system_root), "%s", path);
	settings_place_read(&s->place, ini);
}

enum cv_err settings_load(struct settings *s, const struct options *o)
{
	struct ini_file *ini = NULL;
	enum cv_err err;

	memset(s, 0, sizeof(*s));
	s->allow_other = true;
	s->mount_flags = MS_NODEV | MS_NOSUID;
	s->status_interval_s = STATUS_INTERVAL_MS / 1000;
	strcpy(s->tcti, SETTINGS_TCTI_DEFAULT);
	strcpy(s->event_log, SETTINGS_EVENT_LOG_DEFAULT);
	err = file_path_join(s->container, sizeof(s->container), o->state_dir, "volume.cv");
	if (err != CV_OK)
		return err;
	err = ini_open(&ini, o->config_file, schema, sizeof(schema) / sizeof(schema[0]));
	if (err == CV_ERR_NOT_FOUND && !o->config_named)
		return CV_OK;
	if (err != CV_OK) {
		log_error("%s: %s", o->config_file, cv_err_text(err));
		return err;
	}
	read_all(s, ini);
	for (size_t i = 0; ini_mistake_text(ini, i) != NULL; i++)
		log_error("%s", ini_mistake_text(ini, i));
	err = ini_finish(ini);
	ini_close(ini);
	return err;
}
