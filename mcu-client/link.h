/*
 * The one connection to a gateway at a time: connects when the gateway changes, keeps the
 * connection for the next request, remembers one TLS session per gateway for its ticket.
 */
#ifndef CONCLAVE_MCU_LINK_H
#define CONCLAVE_MCU_LINK_H

#include "http.h"
#include "identity.h"
#include "protocol/handshake.h"

struct link {
	struct tls tls;
	const struct identity *identity;
	size_t member; /* of the open connection */
	uint32_t handshakes;
	uint32_t full_handshakes; /* of these, without a ticket */
	uint64_t full_instructions; /* of the last handshake of its kind */
	uint64_t resumed_instructions;
	mbedtls_ssl_session sessions[CV_MEMBERS_MAX];
	struct tls_peer peers[CV_MEMBERS_MAX];
	struct http_answer answer;
};

CV_MUST_CHECK enum cv_err link_init(struct link *l, const struct identity *identity);
void link_free(struct link *l);
/* Closes the connection; sessions stay, for the next one's ticket. */
void link_rest(struct link *l);

/*
 * One request and its answer (in l->answer) before deadline_ms. HANDSHAKE_FAULT_NONE: an answer
 * came, authentic or not. A kept connection that the gateway had closed is opened again, once.
 */
enum handshake_fault link_exchange(struct link *l, size_t member, const char *target,
	const char *mac_header, const char *body, size_t body_len, uint64_t deadline_ms);

#endif
