#include "call.h"

#include <string.h>

#include "port.h"
#include "protocol/crypto.h"

static enum cv_err answer_check(const struct link *l, size_t member, const struct mac_scope *scope,
	const uint8_t request_mac[CV_MAC_BYTES])
{
	uint8_t got[CV_MAC_BYTES], want[CV_MAC_BYTES];
	enum cv_err err;

	if (!l->answer.has_mac)
		return CV_ERR_MAC;
	err = mac_response_header_parse(l->answer.mac_header, strlen(l->answer.mac_header), got);
	if (err == CV_OK)
		err = mac_response(want, l->identity->mac_keys[member], scope, request_mac,
			l->answer.status, l->answer.body, l->answer.body_len);
	if (err != CV_OK)
		return err;
	return crypto_equal(got, want, sizeof(got)) ? CV_OK : CV_ERR_MAC;
}

enum cv_err call_make(
	struct link *l, size_t member, const char *target, const char *body, size_t body_len)
{
	const struct identity *id = l->identity;
	struct mac_scope scope = {id->fleet, id->set.members[member].gateway, id->device};
	char header[MAC_REQUEST_HEADER_BUF];
	uint8_t mac[CV_MAC_BYTES];
	enum cv_err err =
		mac_request(mac, id->mac_keys[member], &scope, "POST", target, body, body_len);

	if (err == CV_OK)
		err = mac_request_header(header, id->device, mac);
	if (err != CV_OK)
		return err;
	if (link_exchange(l, member, target, header, body, body_len,
		    port_monotonic_ms() + CV_GATEWAY_TIMEOUT_MS) != HANDSHAKE_FAULT_NONE)
		return CV_ERR_UNREACHABLE;
	err = answer_check(l, member, &scope, mac);
	if (err == CV_OK && l->answer.status != 200)
		err = CV_ERR_DENIED;
	return err;
}
