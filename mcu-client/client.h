/*
 * One boot of a microcontroller: unlock with the gateways in turn, open the sealed settings, signal
 * the mount, tell the gateways.
 *
 * Nothing is signalled that did not happen: the pin goes up only after the settings opened under
 * the rebuilt secret, and every failure takes it down and wipes.
 */
#ifndef CONCLAVE_MCU_CLIENT_H
#define CONCLAVE_MCU_CLIENT_H

#include "protocol/handshake.h"
#include "protocol/settings.h"

struct client_result {
	enum cv_err outcome;	  /* CV_OK: mounted */
	size_t shares;
	size_t threshold;
	size_t members;
	uint32_t attempts;
	uint64_t unlock_ms;	  /* start to secret */
	size_t events_accepted;	  /* gateways that took MOUNT_OK */
	uint32_t handshakes;	  /* TLS connections made */
	size_t settings_len;
	uint64_t key_instructions;  /* start to secret */
	uint64_t full_instructions; /* of one TLS handshake; 0 if the board does not count */
	uint64_t resumed_instructions;
};

/* timeout_ms 0: tries without end. The result is always filled. */
void client_boot(struct client_result *result, uint64_t timeout_ms);

#endif
