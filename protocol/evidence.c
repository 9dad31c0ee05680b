#include "protocol/evidence.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/lp.h"
#include "protocol/place.h"

#define UEID_RAND 0x01 /* RFC 9711 section 4.2.1.1: type RAND */
#define LP_BUF 192

static const char *const debug_names[] = {
	[EVIDENCE_DEBUG_ENABLED] = "enabled",
	[EVIDENCE_DEBUG_DISABLED] = "disabled",
	[EVIDENCE_DEBUG_DISABLED_SINCE_BOOT] = "disabled-since-boot",
	[EVIDENCE_DEBUG_DISABLED_PERMANENTLY] = "disabled-permanently",
	[EVIDENCE_DEBUG_DISABLED_FULLY] = "disabled-fully-and-permanently",
};
#define DEBUG_COUNT (sizeof(debug_names) / sizeof(debug_names[0]))

static const char *const claim_names[] = {"eat_profile", "eat_nonce", "purpose", "ueid", "oemid",
	"hwmodel", "hwversion", "swname", "swversion", "bootcount", "uptime", "dbgstat", "iat",
	"cnf", "volume", "epoch", "share_set", "boot_id", "digests", "place", "region",
	"place_source", "place_receiver", "place_firmware", NULL};

enum cv_err evidence_ueid(
	uint8_t out[EVIDENCE_UEID_BYTES], const char *fleet, const char *device)
{
	uint8_t buf[LP_BUF];
	struct crypto_part part = {buf, 0};
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, buf, sizeof(buf), "conclave-ueid-v1");
	lp_text(&lp, fleet);
	lp_text(&lp, device);
	err = lp_end(&lp, &part.len);
	if (err == CV_OK)
		err = crypto_sha256(out + 1, &part, 1);
	if (err == CV_OK)
		out[0] = UEID_RAND;
	return err;
}

int evidence_text_valid(const char *text)
{
	size_t len = strlen(text);

	if (len < 1 || len > CV_NAME_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e)
			return 0;
	}
	return 1;
}

int evidence_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > CV_NAME_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		int mark = c == '.' || c == '_' || c == '-';

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (mark && i > 0)))
			return 0;
	}
	return 1;
}

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

static int platform_valid(const struct evidence_platform *p)
{
	if (!optional_valid(p->oemid) || !optional_valid(p->hwmodel) ||
		!optional_valid(p->hwversion) || !evidence_text_valid(p->swname) ||
		!evidence_text_valid(p->swversion))
		return 0;
	if (p->digest_count > CV_DIGESTS_MAX || (size_t)p->dbgstat >= DEBUG_COUNT)
		return 0;
	for (size_t i = 0; i < p->digest_count; i++) {
		if (!evidence_name_valid(p->digests[i].name))
			return 0;
		for (size_t j = 0; j < i; j++) {
			if (text_equal(p->digests[i].name, p->digests[j].name))
				return 0;
		}
	}
	return place_valid(p);
}

static void put_optional(struct json_writer *w, const char *name, const char *text)
{
	if (text[0] != '\0')
		json_text(w, name, text);
}

static void put_platform(struct json_writer *w, const struct evidence_platform *p)
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
	json_object_open(w, "digests");
	for (size_t i = 0; i < p->digest_count; i++)
		json_bytes(w, p->digests[i].name, p->digests[i].value, CV_HASH_BYTES);
	json_object_close(w);
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

static void put_claims(struct json_writer *w, const struct evidence *ev)
{
	json_object_open(w, NULL);
	json_text(w, "eat_profile", EVIDENCE_PROFILE);
	json_array_open(w, "eat_nonce");
	for (size_t i = 0; i < ev->nonce_count; i++)
		json_bytes(w, NULL, ev->nonces[i], CV_NONCE_BYTES);
	json_array_close(w);
	json_text(w, "purpose", ev->purpose == EVIDENCE_CHECK ? "check" : "unlock");
	json_bytes(w, "ueid", ev->ueid, sizeof(ev->ueid));
	json_object_open(w, "cnf");
	json_object_open(w, "jwk");
	json_text(w, "kty", "OKP");
	json_text(w, "crv", "X25519");
	json_bytes(w, "x", ev->boot_key, sizeof(ev->boot_key));
	json_object_close(w);
	json_object_close(w);
	json_bytes(w, "volume", ev->volume_id, sizeof(ev->volume_id));
	json_u64(w, "epoch", ev->epoch);
	json_bytes(w, "share_set", ev->share_set_hash, sizeof(ev->share_set_hash));
	put_platform(w, &ev->platform);
	json_object_close(w);
}

enum cv_err evidence_encode(char *out, size_t cap, size_t *len, const struct evidence *ev,
	const struct jws_signer *signer, char *work, size_t work_len)
{
	struct json_writer w;
	size_t claims_len;
	enum cv_err err;

	if (ev->nonce_count < 1 || ev->nonce_count > CV_MEMBERS_MAX || ev->epoch < 1 ||
		(ev->purpose != EVIDENCE_UNLOCK && ev->purpose != EVIDENCE_CHECK) ||
		!platform_valid(&ev->platform))
		return CV_ERR_ARGUMENT;
	if (cap > CV_EVIDENCE_MAX + 1)
		cap = CV_EVIDENCE_MAX + 1;
	json_begin(&w, work, work_len);
	put_claims(&w, ev);
	err = json_end(&w, &claims_len);
	if (err != CV_OK)
		return err;
	return jws_sign(out, cap, len, EVIDENCE_TYP, NULL, work, claims_len, signer);
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

/* The index of the member's text in `names`. */
static enum cv_err get_choice(const struct cJSON *tree, const char *name,
	const char *const *names, size_t count, size_t *index)
{
	const char *text;
	size_t len;
	enum cv_err err = json_get_text_ref(tree, name, &text, &len);

	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < count; i++) {
		if (text_equal(text, names[i])) {
			*index = i;
			return CV_OK;
		}
	}
	return CV_ERR_TYPE;
}

static enum cv_err get_nonces(const struct cJSON *tree, struct evidence *ev)
{
	const struct cJSON *array;
	const cJSON *item;
	size_t count;
	enum cv_err err = json_get_array(tree, "eat_nonce", &array, &count);

	if (err != CV_OK)
		return err;
	if (count < 1 || count > CV_MEMBERS_MAX)
		return CV_ERR_RANGE;
	cJSON_ArrayForEach(item, array)
	{
		if (!cJSON_IsString(item))
			return CV_ERR_TYPE;
		err = base64url_decode_exact(ev->nonces[ev->nonce_count++], CV_NONCE_BYTES,
			item->valuestring, strlen(item->valuestring));
		if (err != CV_OK)
			return err;
	}
	return CV_OK;
}

static enum cv_err get_boot_key(const struct cJSON *tree, struct evidence *ev)
{
	static const char *const cnf_names[] = {"jwk", NULL};
	static const char *const jwk_names[] = {"kty", "crv", "x", NULL};
	static const char *const kty[] = {"OKP"};
	static const char *const crv[] = {"X25519"};
	const struct cJSON *cnf;
	const struct cJSON *jwk;
	size_t index;
	enum cv_err err = json_get_object(tree, "cnf", &cnf);

	if (err == CV_OK)
		err = json_only(cnf, cnf_names);
	if (err == CV_OK)
		err = json_get_object(cnf, "jwk", &jwk);
	if (err == CV_OK)
		err = json_only(jwk, jwk_names);
	if (err == CV_OK)
		err = get_choice(jwk, "kty", kty, 1, &index);
	if (err == CV_OK)
		err = get_choice(jwk, "crv", crv, 1, &index);
	if (err == CV_OK)
		err = json_get_bytes(jwk, "x", ev->boot_key, sizeof(ev->boot_key));
	return err;
}

static enum cv_err get_digests(const struct cJSON *tree, struct evidence_platform *p)
{
	const struct cJSON *object;
	const cJSON *item;
	enum cv_err err = json_get_object(tree, "digests", &object);

	if (err != CV_OK)
		return err;
	cJSON_ArrayForEach(item, object)
	{
		struct evidence_digest *digest = &p->digests[p->digest_count];

		if (p->digest_count >= CV_DIGESTS_MAX)
			return CV_ERR_TOO_LONG;
		if (!evidence_name_valid(item->string))
			return CV_ERR_FORMAT;
		if (!cJSON_IsString(item))
			return CV_ERR_TYPE;
		memcpy(digest->name, item->string, strlen(item->string) + 1);
		err = base64url_decode_exact(digest->value, CV_HASH_BYTES, item->valuestring,
			strlen(item->valuestring));
		if (err != CV_OK)
			return err;
		p->digest_count++;
	}
	return CV_OK;
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
	size_t debug = EVIDENCE_DEBUG_ENABLED;
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
		err = get_choice(tree, "dbgstat", debug_names, DEBUG_COUNT, &debug);
	p->dbgstat = (enum evidence_debug)debug;
	return err;
}

static enum cv_err get_platform(const struct cJSON *tree, struct evidence_platform *p)
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

static enum cv_err get_claims(const struct cJSON *tree, struct evidence *ev)
{
	static const char *const purposes[] = {"unlock", "check"};
	uint64_t epoch = 0;
	size_t purpose = 0;
	enum cv_err err = json_only(tree, claim_names);

	if (err == CV_OK)
		err = get_nonces(tree, ev);
	if (err == CV_OK)
		err = get_choice(tree, "purpose", purposes, 2, &purpose);
	if (err == CV_OK)
		err = json_get_bytes(tree, "ueid", ev->ueid, sizeof(ev->ueid));
	if (err == CV_OK)
		err = get_boot_key(tree, ev);
	if (err == CV_OK)
		err = json_get_bytes(tree, "volume", ev->volume_id, sizeof(ev->volume_id));
	if (err == CV_OK)
		err = json_get_u64(tree, "epoch", 1, UINT32_MAX, &epoch);
	if (err == CV_OK)
		err = json_get_bytes(
			tree, "share_set", ev->share_set_hash, sizeof(ev->share_set_hash));
	ev->epoch = (uint32_t)epoch;
	ev->purpose = purpose == 0 ? EVIDENCE_UNLOCK : EVIDENCE_CHECK;
	if (err == CV_OK)
		err = get_platform(tree, &ev->platform);
	return err;
}

enum cv_err evidence_decode(struct evidence *ev, const char *text, size_t len,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES])
{
	struct cJSON *tree = NULL;
	const char *profile;
	size_t profile_len;
	enum cv_err err;

	memset(ev, 0, sizeof(*ev));
	err = jws_verify_json(&tree, text, len, CV_EVIDENCE_MAX, EVIDENCE_TYP, public_key);
	if (err == CV_OK)
		err = json_get_text_ref(tree, "eat_profile", &profile, &profile_len);
	if (err == CV_OK && !text_equal(profile, EVIDENCE_PROFILE))
		ev->other_profile = 1;
	else if (err == CV_OK)
		err = get_claims(tree, ev);
	if (err != CV_OK)
		memset(ev, 0, sizeof(*ev));
	json_free(tree);
	return err;
}

int evidence_names_nonce(const struct evidence *ev, const uint8_t nonce[CV_NONCE_BYTES])
{
	int found = 0;

	for (size_t i = 0; i < ev->nonce_count && i < CV_MEMBERS_MAX; i++)
		found |= crypto_equal(ev->nonces[i], nonce, CV_NONCE_BYTES);
	return found;
}
