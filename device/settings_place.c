/* The section [place] of device.ini. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/settings_read.h"

#define E7 10000000

enum cv_err settings_degrees(int32_t *out, const char *text, int limit)
{
	bool negative = text[0] == '-';
	int64_t value = 0;
	int digits = 0, decimals = -1;

	for (const char *c = text + negative; *c != '\0'; c++) {
		if (*c == '.' && decimals < 0 && digits > 0) {
			decimals = 0;
			continue;
		}
		if (*c < '0' || *c > '9' || digits == 10 || decimals == 7)
			return CV_ERR_FORMAT;
		value = value * 10 + (*c - '0');
		digits++;
		if (decimals >= 0)
			decimals++;
	}
	if (digits == 0 || decimals == 0)
		return CV_ERR_FORMAT;
	for (int i = decimals < 0 ? 0 : decimals; i < 7; i++)
		value *= 10;
	if (value > (int64_t)limit * E7)
		return CV_ERR_RANGE;
	*out = (int32_t)(negative ? -value : value);
	return CV_OK;
}

static void read_names(struct settings_place *s, struct ini_file *ini)
{
	settings_claim(ini, "place", "region", s->region);
	settings_claim(ini, "place", "state", s->state);
	settings_claim(ini, "place", "city", s->city);
	s->has_region = s->region[0] != '\0' && s->state[0] != '\0' && s->city[0] != '\0';
	if (!s->has_region && (s->region[0] != '\0' || s->state[0] != '\0' || s->city[0] != '\0'))
		ini_mistake(ini, "place", NULL, "region, state and city go together");
}

static void read_position(struct settings_place *s, struct ini_file *ini)
{
	const char *lat = ini_text(ini, "place", "latitude", NULL);
	const char *lon = ini_text(ini, "place", "longitude", NULL);

	settings_claim(ini, "place", "source", s->source);
	if (lat != NULL && settings_degrees(&s->lat_e7, lat, 90) != CV_OK)
		ini_mistake(ini, "place", "latitude", "not decimal degrees: %s", lat);
	if (lon != NULL && settings_degrees(&s->lon_e7, lon, 180) != CV_OK)
		ini_mistake(ini, "place", "longitude", "not decimal degrees: %s", lon);
	if ((lat == NULL) != (lon == NULL))
		ini_mistake(ini, "place", NULL, "latitude and longitude go together");
	s->has_position = lat != NULL && lon != NULL;
	s->accuracy_mm =
		(uint32_t)ini_uint(ini, "place", "accuracy_m", 1000, 0, 1000000) * 1000;
	if (s->from != SETTINGS_PLACE_HERE && (s->has_position || s->source[0] != '\0'))
		ini_mistake(ini, "place", "from",
			"latitude, longitude and source are for `from = settings`");
}

/* "127.0.0.1:2947", "[::1]:2947" */
static void read_gpsd(struct settings_place *s, struct ini_file *ini)
{
	const char *text = ini_text(ini, "place", "gpsd", "127.0.0.1:2947");
	const bool bracket = text[0] == '[';
	const char *end = bracket ? strstr(text, "]:") : strrchr(text, ':');
	const char *port = end != NULL ? end + 1 + bracket : "";
	const size_t len = end != NULL ? (size_t)(end - text) - bracket : 0;
	char *rest = NULL;
	const unsigned long number = strtoul(port, &rest, 10);

	if (len == 0 || len >= sizeof(s->gpsd_host) || port[0] < '0' || port[0] > '9' ||
		*rest != '\0' || number < 1 || number > UINT16_MAX) {
		ini_mistake(ini, "place", "gpsd", "not ADDRESS:PORT: %s", text);
		return;
	}
	memcpy(s->gpsd_host, text + bracket, len);
	s->gpsd_host[len] = '\0';
	s->gpsd_port = (uint16_t)number;
}

void settings_place_read(struct settings_place *s, struct ini_file *ini)
{
	static const char *const words[] = { "settings", "file", "gpsd", NULL };
	const char *path = ini_path(ini, "place", "file", NULL);

	s->from = (enum settings_place_from)ini_enum(
		ini, "place", "from", words, SETTINGS_PLACE_HERE);
	read_names(s, ini);
	read_position(s, ini);
	read_gpsd(s, ini);
	s->wait_ms = (uint32_t)ini_duration_ms(ini, "place", "wait", 10000, 100, 600000);
	if (path != NULL)
		snprintf(s->file, sizeof(s->file), "%s", path);
	if ((s->from == SETTINGS_PLACE_FILE) != (path != NULL))
		ini_mistake(ini, "place", "file", "goes with `from = file`, and only with it");
}
