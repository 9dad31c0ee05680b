/* The keeper's keys: made once, read at start into locked memory. */
#ifndef CONCLAVE_GATEWAY_KEEPER_KEYS_H
#define CONCLAVE_GATEWAY_KEEPER_KEYS_H

#include "gateway/keeper.h"
#include "gateway/record_seal.h"

struct keeper_keys { /* secret_alloc */
	uint8_t keeper_private[CV_ES256_PRIVATE_BYTES];
	uint8_t keeper_public[CV_ES256_PUBLIC_BYTES];
	uint8_t enrolment_private[CV_X25519_BYTES];
	uint8_t enrolment_public[CV_X25519_BYTES];
	struct seal_keys seal;
	uint8_t nonce[CV_MAC_KEY_BYTES];    /* made at start */
	uint8_t op_nonce[CV_MAC_KEY_BYTES]; /* made at start */
};

/* Logs one line on failure. */
CV_MUST_CHECK enum cv_err keeper_keys_load(
	struct keeper_keys *keys, const struct keeper_config *cfg);

#endif
