/* Share set and commitments (docs/protocol.md section 5). */
#ifndef CONCLAVE_PROTOCOL_SHARE_SET_H
#define CONCLAVE_PROTOCOL_SHARE_SET_H

#include "protocol/opcert.h"

#define SHARE_SET_TYP "conclave-share-set+jws"

struct share_set_member {
	char gateway[CV_ID_BUF];
	uint8_t x;
	uint8_t commitment[CV_HASH_BYTES];
};

struct share_set {
	char fleet[CV_ID_BUF];
	char device[CV_ID_BUF];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t threshold;
	uint8_t count;
	struct share_set_member members[CV_MEMBERS_MAX];
	uint8_t hash[CV_HASH_BYTES]; /* share_set_hash; set by encode and decode */
};

CV_MUST_CHECK enum cv_err share_commitment(uint8_t out[CV_HASH_BYTES],
	const uint8_t volume_id[CV_VOLUME_ID_BYTES], uint32_t epoch, uint8_t x,
	const uint8_t share[CV_SECRET_BYTES]);
/* CV_ERR_SHARE_INVALID if the commitment of member `index` does not hold for the share. */
CV_MUST_CHECK enum cv_err share_set_check(const struct share_set *set, size_t index,
	const uint8_t share[CV_SECRET_BYTES]);
/* Index of the gateway, or -1. */
int share_set_find(const struct share_set *set, const char *gateway);

/* Signs; sets set->hash. crt is the operator's certificate text. */
CV_MUST_CHECK enum cv_err share_set_encode(char *out, size_t cap, size_t *len,
	struct share_set *set, const char *crt, const struct jws_signer *signer);
CV_MUST_CHECK enum cv_err share_set_decode(struct share_set *set, const char *text, size_t len,
	const struct op_trust *trust);

#endif
