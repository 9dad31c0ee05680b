#include "protocol/sealed_share.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/lp.h"

#define INFO_MAX 320 /* label, three ids of 63, volume, epoch */
#define AAD_MAX 160

struct bindings {
	uint8_t info[INFO_MAX];
	uint8_t aad[AAD_MAX];
	struct hpke_context_info ci;
};

static enum cv_err bind(struct bindings *b, const struct sealed_share_scope *scope)
{
	struct lp lp;
	enum cv_err e = CV_ERR_INTERNAL;

	memset(&b->ci, 0, sizeof(b->ci));
	lp_begin(&lp, b->info, sizeof(b->info), "conclave-share-v1");
	lp_text(&lp, scope->peers.fleet);
	lp_text(&lp, scope->peers.gateway);
	lp_text(&lp, scope->peers.device);
	lp_bytes(&lp, scope->volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, scope->epoch);
	e = lp_end(&lp, &b->ci.info_len);
	if (e != CV_OK)
		return e;
	lp_begin(&lp, b->aad, sizeof(b->aad), "conclave-share-aad-v1");
	lp_bytes(&lp, scope->nonce, CV_NONCE_BYTES);
	lp_u64(&lp, scope->x);
	lp_bytes(&lp, scope->share_set_hash, CV_HASH_BYTES);
	e = lp_end(&lp, &b->ci.aad_len);
	b->ci.info = b->info;
	b->ci.aad = b->aad;
	return e;
}

enum cv_err sealed_share_seal(uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES],
	const uint8_t boot_public[CV_X25519_BYTES], const struct sealed_share_scope *scope,
	const uint8_t share[CV_SECRET_BYTES])
{
	struct bindings b;
	enum cv_err e = bind(&b, scope);

	if (e != CV_OK)
		return e;
	return hpke_seal(sealed, boot_public, &b.ci, share, CV_SECRET_BYTES);
}

enum cv_err sealed_share_open(uint8_t share[CV_SECRET_BYTES],
	const uint8_t boot_private[CV_X25519_BYTES], const uint8_t boot_public[CV_X25519_BYTES],
	const struct sealed_share_scope *scope, const uint8_t sealed[MESSAGE_SEALED_SHARE_BYTES])
{
	struct bindings b;
	enum cv_err e = bind(&b, scope);

	if (e != CV_OK) {
		memset(share, 0, CV_SECRET_BYTES);
		return e;
	}
	return hpke_open_with(
		share, boot_private, boot_public, &b.ci, sealed, MESSAGE_SEALED_SHARE_BYTES);
}
