/*
 * Rules for operators that the fleet's root signs (docs/protocol.md section 2): what takes two of
 * them. Kept by gateways, which take only a newer version.
 */
#ifndef CONCLAVE_PROTOCOL_FLEET_RULES_H
#define CONCLAVE_PROTOCOL_FLEET_RULES_H


#include "protocol/jws.h"

#define FLEET_RULES_TYP "conclave-fleet-rules+jws"
#define FLEET_RULES_MAX 4096 /* compact JWS text */

struct fleet_rules {
	char fleet[CV_ID_BUF];
	uint64_t version;
	uint64_t iat_s;
	uint8_t two_for_policy; /* a group's policy needs a second operator's signature */
};

CV_MUST_CHECK enum cv_err fleet_rules_encode(char *out, size_t cap, size_t *len,
	const struct fleet_rules *rules, const struct jws_signer *root);
/* CV_ERR_MISMATCH for another fleet. */
CV_MUST_CHECK enum cv_err fleet_rules_decode(struct fleet_rules *rules, const char *text,
	size_t len, const char *fleet, const uint8_t root_key[CV_ES256_PUBLIC_BYTES]);

#endif
