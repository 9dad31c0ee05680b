#include "protocol/evidence.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/json_get.h"
#include "protocol/json_write.h"
#include "protocol/line.h"
#include "protocol/lp.h"

#define UEID_RAND 0x01 /* RFC 9711 section 4.2.1.1: type RAND */
#define LP_BUF 192

static const char *const claim_names[] = {"eat_profile", "eat_nonce", "purpose", "ueid", "oemid",
	"hwmodel", "hwversion", "swname", "swversion", "bootcount", "uptime", "dbgstat", "iat",
	"cnf", "volume", "epoch", "share_set", "boot_id", "digests", "kernel", "boot_state", "cmdline",
	"inventory", "place", "region", "place_source", "place_receiver", "place_firmware", NULL};

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
	evidence_platform_put(w, &ev->platform);
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
		!evidence_platform_valid(&ev->platform))
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
		err = evidence_platform_get(tree, &ev->platform);
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
