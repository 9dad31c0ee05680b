/* The claims about the platform: what runs, on which machine, where. */
#include "protocol/evidence.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/inventory.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/place.h"

static const char *const debug_names[] = {
	[EVIDENCE_DEBUG_ENABLED] = "enabled",
	[EVIDENCE_DEBUG_DISABLED] = "disabled",
	[EVIDENCE_DEBUG_DISABLED_SINCE_BOOT] = "disabled-since-boot",
	[EVIDENCE_DEBUG_DISABLED_PERMANENTLY] = "disabled-permanently",
	[EVIDENCE_DEBUG_DISABLED_FULLY] = "disabled-fully-and-permanently",
};
#define DEBUG_COUNT (sizeof(debug_names) / sizeof(debug_names[0]))

static int optional_valid(const char *text)
{
	return text[0] == '\0' || evidence_text_valid(text);
}

static int place_valid(const struct evidence_platform *p)
{
	if (p->has_place && (p->lat_e7 < -PLACE_LAT_MAX_E7 || p->lat_e7 > PLACE_LAT_MAX_E7 ||
				    p->lon_e7 < -PLACE_LON_MAX_E7 || p->lon_e7 > PLACE_LON_MAX_E7))
		return 0;
	if (p->has_region && !(evidence_text_valid(p->region) && evidence_text_valid(p->state) &&
				     evidence_text_valid(p->city)))
		return 0;
	return optional_valid(p->place_source) && optional_valid(p->place_receiver) &&
		optional_valid(p->place_firmware);
}

static int digests_valid(const struct evidence_digest *digests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!evidence_name_valid(digests[i].name) ||
			inventory_find(digests, i, digests[i].name) != NULL)
			return 0;
	}
	return 1;
}

int evidence_platform_valid(const struct evidence_platform *p)
{
	if (!optional_valid(p->oemid) || !optional_valid(p->hwmodel) ||
		!optional_valid(p->hwversion) || !evidence_text_valid(p->swname) ||
		!evidence_text_valid(p->swversion) || !optional_valid(p->kernel) ||
		!optional_valid(p->boot_state))
		return 0;
	if (p->digest_count > CV_DIGESTS_MAX || p->inventory_count > CV_INVENTORY_MAX ||
		(size_t)p->dbgstat >= DEBUG_COUNT)
		return 0;
	return digests_valid(p->digests, p->digest_count) &&
		digests_valid(p->inventory, p->inventory_count) && place_valid(p);
}

static void put_digests(struct json_writer *w, const char *name,
	const struct evidence_digest *digests, size_t count)
{
	json_object_open(w, name);
	for (size_t i = 0; i < count; i++)
		json_bytes(w, digests[i].name, digests[i].value, CV_HASH_BYTES);
	json_object_close(w);
}

static void put_optional(struct json_writer *w, const char *name, const char *text)
{
	if (text[0] != '\0')
		json_text(w, name, text);
}

void evidence_platform_put(struct json_writer *w, const struct evidence_platform *p)
{
	put_optional(w, "oemid", p->oemid);
	put_optional(w, "hwmodel", p->hwmodel);
	put_optional(w, "hwversion", p->hwversion);
	json_text(w, "swname", p->swname);
	json_text(w, "swversion", p->swversion);
	json_u64(w, "bootcount", p->bootcount);
	json_u64(w, "uptime", p->uptime_s);
	json_text(w, "dbgstat", debug_names[p->dbgstat]);
	if (p->iat_s != 0)
		json_u64(w, "iat", p->iat_s);
	json_bytes(w, "boot_id", p->boot_id, sizeof(p->boot_id));
	put_digests(w, "digests", p->digests, p->digest_count);
	put_optional(w, "kernel", p->kernel);
	put_optional(w, "boot_state", p->boot_state);
	if (p->has_cmdline)
		json_bytes(w, "cmdline", p->cmdline, sizeof(p->cmdline));
	if (p->inventory_count > 0)
		put_digests(w, "inventory", p->inventory, p->inventory_count);
	if (p->has_place) {
		json_object_open(w, "place");
		json_i64(w, "lat_e7", p->lat_e7);
		json_i64(w, "lon_e7", p->lon_e7);
		json_u64(w, "accuracy_mm", p->accuracy_mm);
		if (p->has_place_age)
			json_u64(w, "age_s", p->place_age_s);
		json_object_close(w);
	}
	if (p->has_region) {
		json_object_open(w, "region");
		json_text(w, "region", p->region);
		json_text(w, "state", p->state);
		json_text(w, "city", p->city);
		json_object_close(w);
	}
	put_optional(w, "place_source", p->place_source);
	put_optional(w, "place_receiver", p->place_receiver);
	put_optional(w, "place_firmware", p->place_firmware);
}

static enum cv_err get_text(const struct cJSON *tree, const char *name, char *out)
{
	enum cv_err err = json_get_text(tree, name, out, EVIDENCE_TEXT_BUF);

	if (err == CV_OK && !evidence_text_valid(out))
		err = CV_ERR_FORMAT;
	return err;
}

static enum cv_err get_optional(const struct cJSON *tree, const char *name, char *out)
{
	return json_has(tree, name) ? get_text(tree, name, out) : CV_OK;
}

static enum cv_err get_digests(const struct cJSON *tree, struct evidence_platform *p)
{
	const struct cJSON *object;
	enum cv_err err = json_get_object(tree, "digests", &object);

	return err == CV_OK ? inventory_get(object, p->digests, CV_DIGESTS_MAX, &p->digest_count)
			    : err;
}

static enum cv_err get_residency(const struct cJSON *tree, struct evidence_platform *p)
{
	const struct cJSON *object;
	enum cv_err err = get_optional(tree, "kernel", p->kernel);

	if (err == CV_OK)
		err = get_optional(tree, "boot_state", p->boot_state);
	if (err == CV_OK && json_has(tree, "cmdline")) {
		err = json_get_bytes(tree, "cmdline", p->cmdline, sizeof(p->cmdline));
		p->has_cmdline = 1;
	}
	if (err != CV_OK || !json_has(tree, "inventory"))
		return err;
	err = json_get_object(tree, "inventory", &object);
	return err == CV_OK
		? inventory_get(object, p->inventory, CV_INVENTORY_MAX, &p->inventory_count)
		: err;
}

static enum cv_err get_debug(const struct cJSON *tree, enum evidence_debug *out)
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(tree, "dbgstat", &text, &len);

	*out = EVIDENCE_DEBUG_ENABLED;
	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < DEBUG_COUNT; i++) {
		if (text_equal(text, debug_names[i])) {
			*out = (enum evidence_debug)i;
			return CV_OK;
		}
	}
	return CV_ERR_TYPE;
}

static enum cv_err get_place(const struct cJSON *tree, struct evidence_platform *p)
{
	static const char *const names[] = {"lat_e7", "lon_e7", "accuracy_mm", "age_s", NULL};
	const struct cJSON *place;
	uint64_t accuracy = 0;
	uint64_t age = 0;
	int64_t lat = 0;
	int64_t lon = 0;
	enum cv_err err;

	if (!json_has(tree, "place"))
		return CV_OK;
	err = json_get_object(tree, "place", &place);
	if (err == CV_OK)
		err = json_only(place, names);
	if (err == CV_OK)
		err = json_get_i64(place, "lat_e7", -PLACE_LAT_MAX_E7, PLACE_LAT_MAX_E7, &lat);
	if (err == CV_OK)
		err = json_get_i64(place, "lon_e7", -PLACE_LON_MAX_E7, PLACE_LON_MAX_E7, &lon);
	if (err == CV_OK)
		err = json_get_u64(place, "accuracy_mm", 0, UINT32_MAX, &accuracy);
	if (err == CV_OK && json_has(place, "age_s")) {
		err = json_get_u64(place, "age_s", 0, UINT32_MAX, &age);
		p->has_place_age = 1;
	}
	p->place_age_s = (uint32_t)age;
	p->has_place = 1;
	p->lat_e7 = (int32_t)lat;
	p->lon_e7 = (int32_t)lon;
	p->accuracy_mm = (uint32_t)accuracy;
	return err;
}

static enum cv_err get_region(const struct cJSON *tree, struct evidence_platform *p)
{
	static const char *const names[] = {"region", "state", "city", NULL};
	const struct cJSON *region;
	enum cv_err err;

	if (!json_has(tree, "region"))
		return CV_OK;
	err = json_get_object(tree, "region", &region);
	if (err == CV_OK)
		err = json_only(region, names);
	if (err == CV_OK)
		err = get_text(region, "region", p->region);
	if (err == CV_OK)
		err = get_text(region, "state", p->state);
	if (err == CV_OK)
		err = get_text(region, "city", p->city);
	p->has_region = 1;
	return err;
}

static enum cv_err get_software(const struct cJSON *tree, struct evidence_platform *p)
{
	enum cv_err err = get_optional(tree, "oemid", p->oemid);

	if (err == CV_OK)
		err = get_optional(tree, "hwmodel", p->hwmodel);
	if (err == CV_OK)
		err = get_optional(tree, "hwversion", p->hwversion);
	if (err == CV_OK)
		err = get_text(tree, "swname", p->swname);
	if (err == CV_OK)
		err = get_text(tree, "swversion", p->swversion);
	if (err == CV_OK)
		err = get_debug(tree, &p->dbgstat);
	return err;
}

enum cv_err evidence_platform_get(const struct cJSON *tree, struct evidence_platform *p)
{
	enum cv_err err = get_software(tree, p);

	if (err == CV_OK)
		err = json_get_bytes(tree, "boot_id", p->boot_id, sizeof(p->boot_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "bootcount", 0, CV_JSON_INTEGER_MAX, &p->bootcount);
	if (err == CV_OK)
		err = json_get_u64(tree, "uptime", 0, CV_JSON_INTEGER_MAX, &p->uptime_s);
	if (err == CV_OK && json_has(tree, "iat"))
		err = json_get_u64(tree, "iat", 1, CV_JSON_INTEGER_MAX, &p->iat_s);
	if (err == CV_OK)
		err = get_digests(tree, p);
	if (err == CV_OK)
		err = get_residency(tree, p);
	if (err == CV_OK)
		err = get_place(tree, p);
	if (err == CV_OK)
		err = get_region(tree, p);
	if (err == CV_OK)
		err = get_optional(tree, "place_source", p->place_source);
	if (err == CV_OK)
		err = get_optional(tree, "place_receiver", p->place_receiver);
	if (err == CV_OK)
		err = get_optional(tree, "place_firmware", p->place_firmware);
	return err;
}
