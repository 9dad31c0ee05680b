/* The board's network card under lwIP. */
#ifndef CONCLAVE_MCU_NETWORK_H
#define CONCLAVE_MCU_NETWORK_H

#include <stdint.h>

#include "protocol/err.h"

/* Starts lwIP, asks DHCP for an address. CV_ERR_NOT_FOUND (no card), CV_ERR_TIMEOUT. */
CV_MUST_CHECK enum cv_err network_up(uint32_t timeout_ms);

/*
 * Packets to harm, for tests: of 256 packets each way, so many are lost, sent twice, cut short or
 * held back until the next one. All 0 at start.
 */
struct network_faults {
	uint8_t lose;
	uint8_t twice;
	uint8_t cut;
	uint8_t hold;
	uint32_t seed; /* of the generator that picks; tests repeat themselves */
};
extern struct network_faults network_faults;

#endif
