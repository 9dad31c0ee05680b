#include "gateway/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/keeper.h"
#include "gateway/user.h"
#include "host/ini.h"
#include "host/secret.h"
#include "notify/sender.h"
#include "protocol/id.h"

static const struct ini_key schema[] = {
	{ "gateway", "id", false },
	{ "gateway", "fleet", false },
	{ "gateway", "state", false },
	{ "listen", "devices", false },
	{ "listen", "operators", false },
	{ "listen", "metrics", false },
	{ "limits", "threads", false },
	{ "limits", "operator_threads", false },
	{ "limits", "queue", false },
	{ "limits", "request_timeout", false },
	{ "limits", "keeper_timeout", false },
	{ "limits", "keep_alive", false },
	{ "limits", "requests_per_connection", false },
	{ "limits", "failures_burst", false },
	{ "limits", "failures_per_minute", false },
	{ "limits", "device_burst", false },
	{ "limits", "device_per_minute", false },
	{ "limits", "audit_refusals_per_minute", false },
	{ "limits", "batch", false },
	{ "limits", "mount_ok", false },
	{ "store", "reserve_records", false },
	{ "privacy", "location", false },
	{ "privacy", "serials", false },
	{ "log", "level", false },
	{ "sandbox", "mode", false },
	{ "notify", "attempts", false },
	{ "notify", "outbox_max", false },
	{ "notify", "timeout", false },
	{ "notify", "allow_http", false },
	{ "notify", "ca_file", false },
	{ "webhook.*", "file", false },
	{ "webhook.*", "severity", false },
	{ "telegram.*", "file", false },
	{ "telegram.*", "severity", false },
};

static void copy_path(struct ini_file *ini, const char *section, const char *name,
	const char *fallback, char out[FILE_PATH_BUF])
{
	const char *value = ini_path(ini, section, name, fallback);

	snprintf(out, FILE_PATH_BUF, "%s", value != NULL ? value : "");
}

static void read_id(struct ini_file *ini, const char *name, bool required, char out[CV_ID_BUF])
{
	const char *value = ini_id(ini, "gateway", name, required);

	snprintf(out, CV_ID_BUF, "%s", value != NULL ? value : "");
}

static void read_address(struct ini_file *ini, const char *name, const char *fallback,
	bool loopback_only, struct config_address *out)
{
	const char *value = ini_text(ini, "listen", name, fallback);

	if (config_address_parse(out, value) != CV_OK)
		ini_mistake(ini, "listen", name,
			"not ADDRESS:PORT (such as 0.0.0.0:7443 or [::]:7443): %s", value);
	else if (loopback_only && !config_address_is_loopback(out))
		ini_mistake(ini, "listen", name,
			"must be a loopback address (the listener has no TLS): %s", value);
}

static void read_listen(struct ini_file *ini, struct gateway_config *cfg)
{
	const struct config_address *all[] = { &cfg->devices, &cfg->operators, &cfg->metrics };
	static const char *const names[] = { "devices", "operators", "metrics" };

	read_address(ini, "devices", "0.0.0.0:7443", false, &cfg->devices);
	read_address(ini, "operators", "0.0.0.0:7444", false, &cfg->operators);
	read_address(ini, "metrics", "127.0.0.1:7445", true, &cfg->metrics);
	for (size_t i = 1; i < 3; i++)
		for (size_t j = 0; j < i; j++)
			if (all[i]->port != 0 && all[i]->port == all[j]->port &&
				strcmp(all[i]->host, all[j]->host) == 0)
				ini_mistake(ini, "listen", names[i], "the same as %s: %s", names[j],
					all[i]->text);
}

static uint32_t limit(struct ini_file *ini, const char *name, uint32_t fallback, uint32_t min,
	uint32_t max)
{
	return (uint32_t)ini_uint(ini, "limits", name, fallback, min, max);
}

static uint32_t duration(struct ini_file *ini, const char *section, const char *name,
	uint32_t fallback, uint32_t min, uint32_t max)
{
	return (uint32_t)ini_duration_ms(ini, section, name, fallback, min, max);
}

static void read_limits(struct ini_file *ini, struct gateway_config *cfg)
{
	struct front_limits *f = &cfg->front;
	struct keeper_limits *k = &cfg->keeper;

	f->threads = limit(ini, "threads", 256, 4, 512);
	f->operator_threads = limit(ini, "operator_threads", 8, 2, 64);
	f->queue = limit(ini, "queue", 240, 1, 4096);
	f->request_timeout_ms = duration(ini, "limits", "request_timeout", 2000, 100, 60000);
	f->keeper_timeout_ms = duration(ini, "limits", "keeper_timeout", 2000, 100, 60000);
	f->keep_alive_ms = duration(ini, "limits", "keep_alive", 2000, 100, 60000);
	f->requests_per_connection = limit(ini, "requests_per_connection", 1000, 1, 1000000);
	f->failures_burst = limit(ini, "failures_burst", 1000, 0, 1000000);
	f->failures_per_minute = limit(ini, "failures_per_minute", 3000, 1, 10000000);
	k->device_burst = limit(ini, "device_burst", KEEPER_DEVICE_BURST, 1, 1000000);
	k->device_per_minute =
		limit(ini, "device_per_minute", KEEPER_DEVICE_PER_MINUTE, 1, 10000000);
	k->audit_refusals_per_minute = limit(
		ini, "audit_refusals_per_minute", KEEPER_AUDIT_REFUSALS_PER_MINUTE, 1, 10000);
	k->batch_max = limit(ini, "batch", KEEPER_BATCH_MAX, 1, 4096);
	k->mount_ok_ms = duration(
		ini, "limits", "mount_ok", KEEPER_MOUNT_OK_MS, 1000, 86400000);
	cfg->reserve_records = (uint32_t)ini_uint(
		ini, "store", "reserve_records", KEEPER_RESERVE_RECORDS, 1, 100000000);
}

static void read_words(struct ini_file *ini, struct gateway_config *cfg)
{
	static const char *const levels[] = { "error", "warning", "info", "debug", NULL };
	static const char *const modes[] = { "best-effort", "require", NULL };
	static const char *const privacy[] = { "coarse", "exact", "redacted", NULL };

	cfg->log_level = (enum log_level)ini_enum(ini, "log", "level", levels, LOG_LEVEL_INFO);
	cfg->privacy.location = (enum privacy_level)ini_enum(
		ini, "privacy", "location", privacy, PRIVACY_COARSE);
	cfg->privacy.serials = (enum privacy_level)ini_enum(
		ini, "privacy", "serials", privacy, PRIVACY_COARSE);
	cfg->sandbox = (enum sandbox_mode)ini_enum(ini, "sandbox", "mode", modes, SANDBOX_REQUIRE);
}

struct destination_check {
	const struct destination *destination;
	bool allow_http;
};

struct destination_verdict {
	enum cv_err err;
	char why[DESTINATION_WHY_MAX];
};

static enum cv_err try_destination(void *argument, void *result)
{
	const struct destination_check *check = argument;
	struct destination_verdict *verdict = result;
	struct destination_secret *secret = secret_alloc(sizeof(*secret));

	memset(verdict, 0, sizeof(*verdict));
	verdict->err = CV_ERR_MEMORY;
	if (secret == NULL)
		snprintf(verdict->why, sizeof(verdict->why), "%s", secret_last_error());
	else
		verdict->err = destination_load(
			secret, check->destination, check->allow_http, verdict->why);
	secret_free(secret);
	return CV_OK;
}

/* By whom it will be read: the file is the sender's user's and closed to everyone else. */
static void check_destination(struct ini_file *ini, const char *section,
	const struct destination *d, const struct gateway_config *cfg)
{
	struct destination_check check = { d, cfg->sender.allow_http };
	struct destination_verdict verdict = { .err = CV_ERR_INTERNAL };
	const char *user = user_for_role(cfg->state, CONFIG_USER_SENDER);
	enum cv_err err = user == NULL ?
		try_destination(&check, &verdict) :
		user_run(user, try_destination, &check, &verdict, sizeof(verdict));

	if (err == CV_OK && verdict.err != CV_OK)
		ini_mistake(ini, section, "file", "%s", verdict.why);
	else if (err != CV_OK)
		ini_mistake(ini, section, "file", "cannot be read as %s: %s", user,
			cv_err_text(err));
}

static void read_destinations(struct ini_file *ini, struct gateway_config *cfg,
	const char *pattern, enum destination_kind kind, bool check_files)
{
	struct config_sender *s = &cfg->sender;
	static const char *const severities[] = { "info", "warning", "critical", NULL };
	const char *section;
	size_t cursor = 0;

	while ((section = ini_next_section(ini, pattern, &cursor)) != NULL) {
		const char *name = strchr(section, '.') + 1;
		const char *file = ini_text_required(ini, section, "file");
		struct destination *d = &s->destinations[s->count];

		if (s->count == DESTINATIONS_MAX) {
			ini_mistake(
				ini, section, NULL, "more than %d destinations", DESTINATIONS_MAX);
			return;
		}
		memset(d, 0, sizeof(*d));
		d->kind = kind;
		d->least = (enum event_severity)(EVENT_INFO +
			ini_enum(ini, section, "severity", severities, 0));
		if (id_copy(d->name, name, strlen(name)) != CV_OK)
			ini_mistake(ini, section, NULL,
				"the name must be lower case, digits and dashes: %s", name);
		for (size_t i = 0; i < s->count; i++)
			if (strcmp(s->destinations[i].name, d->name) == 0)
				ini_mistake(ini, section, NULL, "the name is taken: %s", name);
		if (file == NULL)
			continue;
		copy_path(ini, section, "file", NULL, d->file);
		if (check_files && d->file[0] != '\0')
			check_destination(ini, section, d, cfg);
		s->count++;
	}
}

static void read_notify(struct ini_file *ini, struct gateway_config *cfg, bool check_files)
{
	struct config_sender *s = &cfg->sender;

	s->attempts = (uint32_t)ini_uint(
		ini, "notify", "attempts", SENDER_ATTEMPTS_DEFAULT, 1, 1000);
	s->outbox_max = (uint32_t)ini_uint(
		ini, "notify", "outbox_max", SENDER_OUTBOX_MAX_DEFAULT, 1, 10000000);
	s->timeout_ms = duration(ini, "notify", "timeout", SENDER_TIMEOUT_MS_DEFAULT, 100, 300000);
	s->allow_http = ini_bool(ini, "notify", "allow_http", false);
	copy_path(ini, "notify", "ca_file", NULL, s->ca_file);
	if (check_files && s->ca_file[0] != '\0' && access(s->ca_file, R_OK) != 0)
		ini_mistake(ini, "notify", "ca_file", "cannot be read: %s", s->ca_file);
	read_destinations(ini, cfg, "webhook.*", DESTINATION_WEBHOOK, check_files);
	read_destinations(ini, cfg, "telegram.*", DESTINATION_TELEGRAM, check_files);
}

enum cv_err config_parse(struct gateway_config *cfg, const char *name, const char *text,
	size_t len, bool check_files, config_say say, void *context)
{
	struct ini_file *ini = NULL;
	const char *line;
	char first[256];
	enum cv_err err = CV_ERR_INTERNAL;

	memset(cfg, 0, sizeof(*cfg));
	if (memchr(text, '\0', len) != NULL) {
		snprintf(first, sizeof(first), "%.200s: has a NUL byte", name);
		say(context, first);
		return CV_ERR_CONFIG;
	}
	err = ini_open_text(&ini, name, text, schema, sizeof(schema) / sizeof(schema[0]));
	if (err != CV_OK) {
		snprintf(first, sizeof(first), "%.160s: %s", name, cv_err_text(err));
		say(context, first);
		return err;
	}
	read_id(ini, "id", true, cfg->id);
	read_id(ini, "fleet", false, cfg->fleet);
	copy_path(ini, "gateway", "state", CONFIG_STATE_DEFAULT, cfg->state);
	if (strlen(cfg->state) > FILE_PATH_BUF - 64)
		ini_mistake(ini, "gateway", "state", "the path is too long");
	read_listen(ini, cfg);
	read_limits(ini, cfg);
	read_words(ini, cfg);
	read_notify(ini, cfg, check_files);
	for (size_t i = 0; (line = ini_mistake_text(ini, i)) != NULL; i++)
		say(context, line);
	err = ini_finish(ini);
	ini_close(ini);
	return err;
}

enum cv_err config_read_text(char **text, size_t *len, const char *path)
{
	uint8_t *data = NULL;
	enum cv_err err = file_read(&data, len, path, INI_FILE_MAX);

	if (err == CV_OK)
		*text = (char *)data;
	return err;
}
