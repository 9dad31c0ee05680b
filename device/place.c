#include "device/place.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cjson/cJSON.h>

#include "host/clock.h"
#include "host/file.h"
#include "host/log.h"
#include "protocol/json_get.h"
#include "protocol/place.h"

#define E7 10000000.0

enum cv_err place_degrees(int32_t *out, double degrees, int limit)
{
	if (!(degrees >= -limit && degrees <= limit))
		return CV_ERR_RANGE;
	*out = (int32_t)(degrees * E7 + (degrees < 0 ? -0.5 : 0.5));
	return CV_OK;
}

void place_text(char out[EVIDENCE_TEXT_BUF], const char *text)
{
	size_t n = 0;

	for (; text[n] != '\0' && n < CV_NAME_MAX; n++)
		out[n] = text[n] >= 0x20 && text[n] <= 0x7e ? text[n] : '?';
	out[n] = '\0';
}

static void set_age(struct place_fix *fix, int64_t age_s)
{
	const uint64_t now_ms = clock_monotonic_ms();

	/*
	 * a date in the future says that one of the clocks is off: no age is better than a wrong
	 * one
	 */
	fix->has_age = age_s >= 0 && age_s <= UINT32_MAX;
	if (!fix->has_age)
		return;
	/* below 0 for what is older than this boot: unsigned, so the difference still is the age */
	fix->taken_ms = now_ms - (uint64_t)age_s * 1000;
}

static enum cv_err file_texts(struct place_fix *fix, const struct cJSON *tree)
{
	static const char *const names[] = {"lat_e7", "lon_e7", "accuracy_mm", "taken", "receiver",
		"firmware", NULL};
	enum cv_err err = json_only(tree, names);

	if (err == CV_OK && json_has(tree, "receiver"))
		err = json_get_text(tree, "receiver", fix->receiver, sizeof(fix->receiver));
	if (err == CV_OK && json_has(tree, "firmware"))
		err = json_get_text(tree, "firmware", fix->firmware, sizeof(fix->firmware));
	if (err == CV_OK &&
		((fix->receiver[0] != '\0' && !evidence_text_valid(fix->receiver)) ||
			(fix->firmware[0] != '\0' && !evidence_text_valid(fix->firmware))))
		err = CV_ERR_FORMAT;
	return err;
}

static enum cv_err file_values(struct place_fix *fix, const struct cJSON *tree, int64_t mtime_s)
{
	uint64_t accuracy = EVIDENCE_ACCURACY_UNKNOWN;
	uint64_t taken = 0;
	int64_t lat = 0, lon = 0;
	enum cv_err err =
		json_get_i64(tree, "lat_e7", -PLACE_LAT_MAX_E7, PLACE_LAT_MAX_E7, &lat);

	if (err == CV_OK)
		err = json_get_i64(tree, "lon_e7", -PLACE_LON_MAX_E7, PLACE_LON_MAX_E7, &lon);
	if (err == CV_OK && json_has(tree, "accuracy_mm"))
		err = json_get_u64(tree, "accuracy_mm", 0, UINT32_MAX, &accuracy);
	if (err == CV_OK && json_has(tree, "taken"))
		err = json_get_u64(tree, "taken", 1, CV_JSON_INTEGER_MAX, &taken);
	if (err != CV_OK)
		return err;
	fix->lat_e7 = (int32_t)lat;
	fix->lon_e7 = (int32_t)lon;
	fix->accuracy_mm = (uint32_t)accuracy;
	set_age(fix, clock_wall_s() - (taken != 0 ? (int64_t)taken : mtime_s));
	return CV_OK;
}

static enum cv_err from_file(struct place_fix *fix, const char *path)
{
	struct cJSON *tree = NULL;
	uint8_t *text = NULL;
	struct stat st;
	size_t len = 0;
	enum cv_err err = file_read(&text, &len, path, PLACE_FILE_MAX);

	if (err != CV_OK)
		return err;
	err = stat(path, &st) == 0 ? CV_OK : CV_ERR_IO;
	if (err == CV_OK)
		err = json_parse(&tree, (const char *)text, len, PLACE_FILE_MAX);
	if (err == CV_OK)
		err = file_texts(fix, tree);
	if (err == CV_OK)
		err = file_values(fix, tree, (int64_t)st.st_mtime);
	strcpy(fix->source, "file");
	json_free(tree);
	free(text);
	return err;
}

static void from_settings(struct place_fix *fix, const struct settings_place *s)
{
	fix->known = s->has_position;
	fix->lat_e7 = s->lat_e7;
	fix->lon_e7 = s->lon_e7;
	fix->accuracy_mm = s->accuracy_mm;
	strcpy(fix->source, s->source);
	if (fix->source[0] == '\0' && (s->has_region || s->has_position))
		strcpy(fix->source, "configuration");
}

void place_find(struct place_fix *fix, const struct settings *s, int stop_fd)
{
	const struct settings_place *place = &s->place;
	enum cv_err err = CV_OK;

	memset(fix, 0, sizeof(*fix));
	switch (place->from) {
	case SETTINGS_PLACE_HERE:
		from_settings(fix, place);
		return;
	case SETTINGS_PLACE_FILE:
		err = from_file(fix, place->file);
		if (err != CV_OK)
			log_warning("place: %s: %s: no position in the evidence", place->file,
				cv_err_text(err));
		break;
	case SETTINGS_PLACE_GPSD:
		err = place_gpsd(fix, place, stop_fd);
		if (err != CV_OK)
			log_warning("place: gpsd at %s port %u: %s: no position in the evidence",
				place->gpsd_host, place->gpsd_port,
				err == CV_ERR_TIMEOUT ? "no position in time" : cv_err_text(err));
		break;
	}
	if (err != CV_OK)
		memset(fix, 0, sizeof(*fix));
	fix->known = err == CV_OK;
}

void place_claim(struct evidence_platform *p, const struct settings *s,
	const struct place_fix *fix, uint64_t now_ms)
{
	const struct settings_place *place = &s->place;

	p->has_region = place->has_region;
	strcpy(p->region, place->region);
	strcpy(p->state, place->state);
	strcpy(p->city, place->city);
	p->has_place = fix->known;
	p->lat_e7 = fix->lat_e7;
	p->lon_e7 = fix->lon_e7;
	p->accuracy_mm = fix->accuracy_mm;
	p->has_place_age = fix->known && fix->has_age;
	p->place_age_s = p->has_place_age ? (uint32_t)((now_ms - fix->taken_ms) / 1000) : 0;
	strcpy(p->place_source, fix->source);
	strcpy(p->place_receiver, fix->receiver);
	strcpy(p->place_firmware, fix->firmware);
}
