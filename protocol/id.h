/* Ids of fleets, gateways, devices and operators: [a-z0-9][a-z0-9-]{0,62}. */
#ifndef CONCLAVE_PROTOCOL_ID_H
#define CONCLAVE_PROTOCOL_ID_H

#include <stddef.h>

#include "protocol/err.h"
#include "protocol/limits.h"

/* 1 if `text` of `len` characters is an id. */
int id_valid(const char *text, size_t len);
/* Checks and copies with a NUL; CV_ERR_FORMAT leaves out untouched. */
CV_MUST_CHECK enum cv_err id_copy(char out[CV_ID_BUF], const char *text, size_t len);

/* DNS name of a gateway's certificate, "g-<16 hex>.conclave.internal" (docs/protocol.md 3). */
#define GATEWAY_DNS_BUF 64
CV_MUST_CHECK enum cv_err gateway_dns_name(
	char out[GATEWAY_DNS_BUF], const char *fleet, const char *gateway);
/* "spiffe://FLEET/gateway/ID" or ".../operator/ID"; kind is "gateway" or "operator". */
#define SPIFFE_URI_BUF 160
CV_MUST_CHECK enum cv_err spiffe_uri(
	char out[SPIFFE_URI_BUF], const char *fleet, const char *kind, const char *id);

#endif
