/* Request and answer authentication (docs/protocol.md sections 3 and 4). */
#ifndef CONCLAVE_PROTOCOL_MAC_H
#define CONCLAVE_PROTOCOL_MAC_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define MAC_HEADER_NAME "Conclave-MAC"
#define MAC_REQUEST_HEADER_BUF 160 /* value of the header, with NUL */
#define MAC_RESPONSE_HEADER_BUF 80

struct mac_scope {
	const char *fleet;
	const char *gateway;
	const char *device;
};

/* Pairwise key from the device's MAC root. */
CV_MUST_CHECK enum cv_err mac_key_derive(uint8_t key[CV_MAC_KEY_BYTES],
	const uint8_t root[CV_MAC_ROOT_BYTES], const struct mac_scope *scope);

CV_MUST_CHECK enum cv_err mac_request(uint8_t mac[CV_MAC_BYTES],
	const uint8_t key[CV_MAC_KEY_BYTES], const struct mac_scope *scope, const char *method,
	const char *target, const void *body, size_t body_len);
CV_MUST_CHECK enum cv_err mac_response(uint8_t mac[CV_MAC_BYTES],
	const uint8_t key[CV_MAC_KEY_BYTES], const struct mac_scope *scope,
	const uint8_t request_mac[CV_MAC_BYTES], unsigned int status, const void *body,
	size_t body_len);

/* Header values: "v1 device=ID mac=HEX" and "v1 mac=HEX". Parsing accepts exactly this form. */
CV_MUST_CHECK enum cv_err mac_request_header(
	char out[MAC_REQUEST_HEADER_BUF], const char *device, const uint8_t mac[CV_MAC_BYTES]);
CV_MUST_CHECK enum cv_err mac_request_header_parse(
	const char *value, size_t len, char device[CV_ID_BUF], uint8_t mac[CV_MAC_BYTES]);
CV_MUST_CHECK enum cv_err mac_response_header(
	char out[MAC_RESPONSE_HEADER_BUF], const uint8_t mac[CV_MAC_BYTES]);
CV_MUST_CHECK enum cv_err mac_response_header_parse(
	const char *value, size_t len, uint8_t mac[CV_MAC_BYTES]);

#endif
