#include "link.h"

#include <string.h>

#include "port.h"
#include "protocol/scratch.h"

#define ROOT_PEM_MAX 2048

enum cv_err link_init(struct link *l, const struct identity *identity)
{
	uint8_t *pem = NULL;
	size_t len = 0;
	enum cv_err err = CV_ERR_INTERNAL;

	memset(l, 0, sizeof(*l));
	l->tls.fd = -1;
	l->identity = identity;
	for (size_t i = 0; i < CV_MEMBERS_MAX; i++) {
		mbedtls_ssl_session_init(&l->sessions[i]);
		l->peers[i] = (struct tls_peer){.address = identity->addresses[i],
			.fleet = identity->fleet,
			.gateway = identity->set.members[i].gateway,
			.session = &l->sessions[i]};
	}
	pem = scratch_alloc(ROOT_PEM_MAX);
	if (pem == NULL)
		return CV_ERR_MEMORY;
	err = port_nv_get("roots/tls.pem", pem, ROOT_PEM_MAX - 1, &len);
	if (err == CV_OK) {
		pem[len] = 0;
		err = tls_init(&l->tls, pem, len + 1);
	}
	scratch_free(pem, ROOT_PEM_MAX);
	return err;
}

void link_free(struct link *l)
{
	tls_free(&l->tls);
	for (size_t i = 0; i < CV_MEMBERS_MAX; i++)
		mbedtls_ssl_session_free(&l->sessions[i]);
}

void link_rest(struct link *l)
{
	tls_disconnect(&l->tls);
}

static enum handshake_fault fault_of(enum cv_err err)
{
	if (err == CV_OK)
		return HANDSHAKE_FAULT_NONE;
	if (err == CV_ERR_TIMEOUT)
		return HANDSHAKE_FAULT_TIMEOUT;
	if (err == CV_ERR_SIGNATURE || err == CV_ERR_CRYPTO || err == CV_ERR_MEMORY)
		return HANDSHAKE_FAULT_TLS;
	return HANDSHAKE_FAULT_TRANSPORT;
}

static enum handshake_fault connect_member(struct link *l, size_t member, uint64_t deadline_ms)
{
	uint64_t connect_ms = port_monotonic_ms() + CV_CONNECT_TIMEOUT_MS;
	uint64_t start = port_instructions();
	int ticket = l->peers[member].has_session;
	enum cv_err err;

	if (l->identity->addresses[member][0] == 0)
		return HANDSHAKE_FAULT_REFUSED;
	err = tls_connect(&l->tls, &l->peers[member],
		connect_ms < deadline_ms ? connect_ms : deadline_ms, deadline_ms);
	if (err == CV_ERR_UNREACHABLE && l->tls.io_error == CV_OK)
		return HANDSHAKE_FAULT_REFUSED;
	if (err != CV_OK)
		return fault_of(err);
	l->member = member;
	l->handshakes++;
	if (ticket) {
		l->resumed_instructions = port_instructions() - start;
	} else {
		l->full_handshakes++;
		l->full_instructions = port_instructions() - start;
	}
	if (l->tls.dates_bad)
		port_log("warning: a gateway's certificate dates do not fit this clock");
	return HANDSHAKE_FAULT_NONE;
}

enum handshake_fault link_exchange(struct link *l, size_t member, const char *target,
	const char *mac_header, const char *body, size_t body_len, uint64_t deadline_ms)
{
	int kept = l->tls.fd >= 0 && l->member == member;

	for (;;) {
		enum cv_err err;

		if (!kept) {
			enum handshake_fault fault = connect_member(l, member, deadline_ms);

			if (fault != HANDSHAKE_FAULT_NONE)
				return fault;
		}
		err = http_post(&l->tls, l->peers[member].gateway, target, mac_header, body,
			body_len, deadline_ms, &l->answer);
		if (err != CV_OK || l->answer.closes)
			tls_disconnect(&l->tls);
		if (err != CV_ERR_UNREACHABLE || !kept)
			return fault_of(err);
		kept = 0;
	}
}
