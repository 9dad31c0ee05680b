#include "device/anchor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/lp.h"

#define TAG_BYTES 32
#define INFO_MAX 256

static enum cv_err make_tag(
	uint8_t tag[TAG_BYTES], const struct identity *id, uint64_t generation)
{
	uint8_t info[INFO_MAX];
	size_t len = 0;
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, info, sizeof(info), "conclave-anchor-v1");
	lp_text(&lp, id->fleet);
	lp_text(&lp, id->device);
	lp_bytes(&lp, id->share_set.volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, generation);
	err = lp_end(&lp, &len);
	if (err == CV_OK)
		err = hkdf(tag, TAG_BYTES, NULL, 0, id->mac_root, CV_MAC_ROOT_BYTES, info, len);
	return err;
}

enum cv_err anchor_make(
	char out[MESSAGE_ANCHOR_MAX + 1], const struct identity *id, uint64_t generation)
{
	char text[BASE64URL_BUF(TAG_BYTES)];
	uint8_t tag[TAG_BYTES];
	enum cv_err err = make_tag(tag, id, generation);

	if (err == CV_OK)
		err = base64url_encode(text, sizeof(text), tag, sizeof(tag));
	if (err == CV_OK)
		snprintf(out, MESSAGE_ANCHOR_MAX + 1, "1.%llu.%s", (unsigned long long)generation,
			text);
	return err;
}

enum cv_err anchor_read(uint64_t *generation, const struct identity *id, const char *text)
{
	char again[MESSAGE_ANCHOR_MAX + 1];
	char *end;
	unsigned long long value;
	enum cv_err err;

	if (strncmp(text, "1.", 2) != 0 || text[2] < '1' || text[2] > '9')
		return CV_ERR_FORMAT;
	value = strtoull(text + 2, &end, 10);
	if (*end != '.' || value > CV_JSON_INTEGER_MAX)
		return CV_ERR_FORMAT;
	err = anchor_make(again, id, value);
	if (err != CV_OK)
		return err;
	if (strlen(text) != strlen(again) || !crypto_equal(text, again, strlen(again)))
		return CV_ERR_MAC;
	*generation = value;
	return CV_OK;
}
