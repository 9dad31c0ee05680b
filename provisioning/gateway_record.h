/* What the fleet knows of a gateway: gateways/ID.json. Nothing in it is secret. */
#ifndef CONCLAVE_PROVISIONING_GATEWAY_RECORD_H
#define CONCLAVE_PROVISIONING_GATEWAY_RECORD_H

#include "provisioning/fleet.h"

#define ADDRESS_BUF 280 /* HOST:PORT; a host name has at most 253 characters */

struct gateway_record {
	char id[CV_ID_BUF];
	uint8_t keeper_key[CV_ES256_PUBLIC_BYTES];
	uint8_t enrolment_key[CV_X25519_BYTES];
	uint8_t fingerprint[CV_HASH_BYTES];
	char address[ADDRESS_BUF];   /* for devices; "" = not known yet */
	char operators[ADDRESS_BUF]; /* for operators; "" = not known yet */
};

/* Prints its line; CV_ERR_NOT_FOUND if the fleet has no such gateway. */
CV_MUST_CHECK enum cv_err gateway_record_read(
	struct gateway_record *record, const struct fleet *fleet, const char *id);
CV_MUST_CHECK enum cv_err gateway_record_write(
	const struct gateway_record *record, const struct fleet *fleet);

/* "HOST:PORT", "[v6]:PORT"; prints its line. CV_ERR_ARGUMENT. */
CV_MUST_CHECK enum cv_err gateway_address_parse(
	char out[ADDRESS_BUF], const char *text, const char *what);

#endif
