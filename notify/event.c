#include "notify/event.h"

#include <string.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/id.h"

enum value_kind {
	KIND_N,
	KIND_H,
	KIND_I,
	KIND_C,
	KIND_V
};

static const struct {
	const char *name;
	enum event_severity severity;
} types[] = {
	[EVENT_NONE] = {"UNKNOWN", EVENT_CRITICAL},
#define ROW(name, severity) [EVENT_##name] = {#name, severity},
	EVENT_TYPES(ROW)
#undef ROW
};

static const struct {
	const char *name;
	enum value_kind kind;
} keys[] = {
#define ROW(name, kind) [EVENT_KEY_##name] = {#name, KIND_##kind},
	EVENT_DETAIL_KEYS(ROW)
#undef ROW
};

static const char *const severities[] = {
	[EVENT_INFO] = "info", [EVENT_WARNING] = "warning", [EVENT_CRITICAL] = "critical"};

const char *event_type_name(enum event_type type)
{
	return (unsigned)type < EVENT_TYPE_COUNT_ ? types[type].name : "UNKNOWN";
}

const char *event_severity_name(enum event_severity severity)
{
	return severity >= EVENT_INFO && severity <= EVENT_CRITICAL ? severities[severity]
								    : "UNKNOWN";
}

const char *event_key_name(enum event_key key)
{
	return (unsigned)key < EVENT_KEY_COUNT_ ? keys[key].name : "UNKNOWN";
}

enum event_type event_type_by_name(const char *name)
{
	for (int t = EVENT_NONE + 1; t < EVENT_TYPE_COUNT_; t++) {
		if (strcmp(types[t].name, name) == 0)
			return (enum event_type)t;
	}
	return EVENT_NONE;
}

int event_severity_by_name(const char *name)
{
	for (int s = EVENT_INFO; s <= EVENT_CRITICAL; s++) {
		if (strcmp(severities[s], name) == 0)
			return s;
	}
	return 0;
}

/* strspn against an alphabet, and 1 .. EVENT_TOKEN_MAX characters. */
static int of_alphabet(const char *text, const char *alphabet)
{
	size_t len = strnlen(text, EVENT_TOKEN_MAX + 1);

	return len > 0 && len <= EVENT_TOKEN_MAX && strspn(text, alphabet) == len;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int is_id(const char *text)
{
	return id_valid(text, strnlen(text, CV_ID_BUF));
}

static int is_class(const char *text)
{
	return strcmp(text, "tpm") == 0 || strcmp(text, "microcontroller") == 0 ||
	       strcmp(text, "software") == 0;
}

static int token_fits(enum value_kind kind, const char *token)
{
	switch (kind) {
	case KIND_N:
		return 0;
	case KIND_H:
		return of_alphabet(token, DIGITS "abcdef") && strlen(token) == 32;
	case KIND_I:
		return is_id(token);
	case KIND_C:
		return is_class(token);
	case KIND_V:
		return of_alphabet(token, LOWER UPPER DIGITS ".+~-");
	}
	return 0;
}

enum cv_err event_init(struct event_alert *alert, enum event_type type, const char *gateway,
	const char *device, uint64_t time_s)
{
	struct event_alert fresh = {.time_s = time_s, .type = type};
	enum cv_err err = CV_ERR_INTERNAL;

	if (type <= EVENT_NONE || type >= EVENT_TYPE_COUNT_ || time_s > EVENT_TIME_MAX ||
		!is_id(gateway) || (device && device[0] && !is_id(device)))
		return CV_ERR_ARGUMENT;
	err = crypto_random(fresh.id, sizeof(fresh.id));
	if (err)
		return err;
	fresh.severity = types[type].severity;
	strcpy(fresh.gateway, gateway);
	if (device)
		strcpy(fresh.device, device);
	*alert = fresh;
	return CV_OK;
}

enum cv_err event_set_reason(struct event_alert *alert, const char *token)
{
	if (!of_alphabet(token, LOWER "_-"))
		return CV_ERR_ARGUMENT;
	strcpy(alert->reason, token);
	return CV_OK;
}

/* The next free detail, or NULL when the key may not be added. */
static struct event_detail *free_detail(struct event_alert *alert, enum event_key key, int number)
{
	if ((unsigned)key >= EVENT_KEY_COUNT_ || (keys[key].kind == KIND_N) != number ||
		alert->detail_count >= EVENT_DETAILS_MAX)
		return NULL;
	for (size_t i = 0; i < alert->detail_count; i++) {
		if (alert->details[i].key == key)
			return NULL;
	}
	return &alert->details[alert->detail_count];
}

enum cv_err event_add_number(struct event_alert *alert, enum event_key key, uint64_t number)
{
	struct event_detail *d = free_detail(alert, key, 1);

	if (!d || number > CV_JSON_INTEGER_MAX)
		return CV_ERR_ARGUMENT;
	*d = (struct event_detail){.key = key, .number = number};
	alert->detail_count++;
	return CV_OK;
}

enum cv_err event_add_token(struct event_alert *alert, enum event_key key, const char *token)
{
	struct event_detail *d = free_detail(alert, key, 0);

	if (!d || !token_fits(keys[key].kind, token))
		return CV_ERR_ARGUMENT;
	*d = (struct event_detail){.key = key};
	strcpy(d->token, token);
	alert->detail_count++;
	return CV_OK;
}

enum cv_err event_add_hex(struct event_alert *alert, enum event_key key, const uint8_t bytes[16])
{
	char text[33];

	hex_encode(text, bytes, 16);
	return event_add_token(alert, key, text);
}

void event_id_text(char out[EVENT_ID_TEXT], const uint8_t id[EVENT_ID_BYTES])
{
	memcpy(out, "evt_", 4);
	hex_encode(out + 4, id, EVENT_ID_BYTES);
}
