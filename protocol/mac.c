#include "protocol/mac.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/hkdf.h"
#include "protocol/id.h"
#include "protocol/line.h"
#include "protocol/lp.h"

/* Labels, three ids, method, target and hashes, each with its length. */
#define SCOPE_BUF 448

static void lp_scope(struct lp *lp, const struct mac_scope *scope)
{
	lp_text(lp, scope->fleet);
	lp_text(lp, scope->gateway);
	lp_text(lp, scope->device);
}

static enum cv_err lp_mac(
	uint8_t mac[CV_MAC_BYTES], const uint8_t key[CV_MAC_KEY_BYTES], const struct lp *lp)
{
	struct crypto_part part = {lp->buf, 0};
	enum cv_err err = lp_end(lp, &part.len);

	if (err == CV_OK)
		err = crypto_hmac_sha256(mac, key, CV_MAC_KEY_BYTES, &part, 1);
	return err;
}

enum cv_err mac_key_derive(uint8_t key[CV_MAC_KEY_BYTES], const uint8_t root[CV_MAC_ROOT_BYTES],
	const struct mac_scope *scope)
{
	uint8_t buf[SCOPE_BUF];
	struct lp lp;
	size_t len;
	enum cv_err err;

	lp_begin(&lp, buf, sizeof(buf), "conclave-mac-v1");
	lp_text(&lp, scope->fleet);
	lp_text(&lp, scope->device);
	lp_text(&lp, scope->gateway);
	err = lp_end(&lp, &len);
	if (err == CV_OK)
		err = hkdf(key, CV_MAC_KEY_BYTES, NULL, 0, root, CV_MAC_ROOT_BYTES, buf, len);
	if (err != CV_OK)
		crypto_wipe(key, CV_MAC_KEY_BYTES);
	return err;
}

enum cv_err mac_request(uint8_t mac[CV_MAC_BYTES], const uint8_t key[CV_MAC_KEY_BYTES],
	const struct mac_scope *scope, const char *method, const char *target, const void *body,
	size_t body_len)
{
	struct crypto_part part = {body, body_len};
	uint8_t hash[CV_HASH_BYTES];
	uint8_t buf[SCOPE_BUF];
	struct lp lp;
	enum cv_err err = crypto_sha256(hash, &part, 1);

	if (err != CV_OK)
		return err;
	lp_begin(&lp, buf, sizeof(buf), "conclave-req-v1");
	lp_scope(&lp, scope);
	lp_text(&lp, method);
	lp_text(&lp, target);
	lp_bytes(&lp, hash, sizeof(hash));
	return lp_mac(mac, key, &lp);
}

enum cv_err mac_response(uint8_t mac[CV_MAC_BYTES], const uint8_t key[CV_MAC_KEY_BYTES],
	const struct mac_scope *scope, const uint8_t request_mac[CV_MAC_BYTES],
	unsigned int status, const void *body, size_t body_len)
{
	struct crypto_part part = {body, body_len};
	uint8_t hash[CV_HASH_BYTES];
	uint8_t buf[SCOPE_BUF];
	struct lp lp;
	enum cv_err err = crypto_sha256(hash, &part, 1);

	if (err != CV_OK)
		return err;
	lp_begin(&lp, buf, sizeof(buf), "conclave-resp-v1");
	lp_scope(&lp, scope);
	lp_bytes(&lp, request_mac, CV_MAC_BYTES);
	lp_u64(&lp, status);
	lp_bytes(&lp, hash, sizeof(hash));
	return lp_mac(mac, key, &lp);
}

enum cv_err mac_request_header(
	char out[MAC_REQUEST_HEADER_BUF], const char *device, const uint8_t mac[CV_MAC_BYTES])
{
	struct line l;

	if (!id_valid(device, strlen(device)))
		return CV_ERR_ARGUMENT;
	line_begin(&l, out, MAC_REQUEST_HEADER_BUF);
	line_text(&l, "v1 device=");
	line_text(&l, device);
	line_text(&l, " mac=");
	line_hex(&l, mac, CV_MAC_BYTES);
	return line_end(&l);
}

enum cv_err mac_request_header_parse(
	const char *value, size_t len, char device[CV_ID_BUF], uint8_t mac[CV_MAC_BYTES])
{
	uint8_t decoded[CV_MAC_BYTES];
	struct line_reader r;
	const char *id;
	size_t id_len;
	enum cv_err err;

	line_read_begin(&r, value, len);
	line_read_literal(&r, "v1 device=");
	id = line_read_until(&r, ' ', &id_len);
	line_read_literal(&r, " mac=");
	line_read_hex(&r, decoded, sizeof(decoded));
	err = line_read_end(&r);
	if (err == CV_OK)
		err = id_copy(device, id, id_len);
	if (err == CV_OK)
		memcpy(mac, decoded, sizeof(decoded));
	return err;
}

enum cv_err mac_response_header(
	char out[MAC_RESPONSE_HEADER_BUF], const uint8_t mac[CV_MAC_BYTES])
{
	struct line l;

	line_begin(&l, out, MAC_RESPONSE_HEADER_BUF);
	line_text(&l, "v1 mac=");
	line_hex(&l, mac, CV_MAC_BYTES);
	return line_end(&l);
}

enum cv_err mac_response_header_parse(const char *value, size_t len, uint8_t mac[CV_MAC_BYTES])
{
	uint8_t decoded[CV_MAC_BYTES];
	struct line_reader r;
	enum cv_err err;

	line_read_begin(&r, value, len);
	line_read_literal(&r, "v1 mac=");
	line_read_hex(&r, decoded, sizeof(decoded));
	err = line_read_end(&r);
	if (err == CV_OK)
		memcpy(mac, decoded, sizeof(decoded));
	return err;
}
