/*
 * The microcontroller client: unlock with the gateways in turn, open the sealed settings and give
 * them to the application, signal the mount, tell the gateways; then stay mounted as long as the
 * gateways' word allows.
 *
 * Nothing is signalled that did not happen: the pin goes up only after the settings opened under
 * the rebuilt secret and were applied, and every failure takes it down and wipes. Once mounted, no
 * share, unlock secret or boot key is kept; the pairwise MAC keys and TLS sessions are, for status.
 */
#ifndef CONCLAVE_MCU_CLIENT_H
#define CONCLAVE_MCU_CLIENT_H

#include "protocol/err.h"

#include <stddef.h>
#include <stdint.h>

#define CLIENT_FOREVER UINT64_MAX

struct client_result {
	enum cv_err outcome;	  /* CV_OK: mounted */
	size_t shares;
	size_t threshold;
	size_t members;
	uint32_t attempts;
	uint64_t unlock_ms;	  /* start to secret */
	size_t events_accepted;	  /* gateways that took MOUNT_OK */
	uint32_t handshakes;	  /* TLS connections made */
	uint32_t full_handshakes; /* of these, without a ticket */
	uint32_t status_calls;	  /* status answers that counted */
	size_t settings_len;
	uint64_t key_instructions;  /* start to secret */
	uint64_t full_instructions; /* of one TLS handshake; 0 if the board does not count */
	uint64_t resumed_instructions;
};

struct client_limits {
	uint64_t timeout_ms; /* of one boot; 0: tries without end, also after it was locked again */
	uint64_t stay_ms;    /* how long to stay mounted; CLIENT_FOREVER on a real board */
};

/*
 * Boots, stays, and boots again as the limits say. It returns mounted when stay_ms passed, locked
 * when the timeout did, and locked when trying again could not help: CV_ERR_CONFIG,
 * CV_ERR_SHARE_SET, CV_ERR_TAMPERED, CV_ERR_TOO_OLD. With a timeout, also when it was locked again:
 * CV_ERR_DENIED (revoked), CV_ERR_EXPIRED (its lease ended).
 */
void client_run(struct client_result *result, const struct client_limits *limits);

#endif
