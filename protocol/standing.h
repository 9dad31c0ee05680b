/*
 * Whether a device that is unlocked may stay so: what the gateways' authentic status answers
 * (docs/protocol.md section 7) add up to, and when to ask again. The caller asks, verifies MACs and
 * keeps the time.
 *
 * Revoked  N-K+1 gateways said so: fewer than K are left that could ever release again. One
 *          gateway's word, or K-1 bad gateways, lock nobody out who has N >= 2K-1.
 * Lease    a gateway's lease runs from its last `active`. The device's lease ends when fewer than
 *          K gateways' leases run: the K-th latest end. A lease of 0 seconds has no end.
 *
 * Units    milliseconds of a clock that counts through suspend and is never set back.
 * Threads  one per struct. No secrets.
 */
#ifndef CONCLAVE_PROTOCOL_STANDING_H
#define CONCLAVE_PROTOCOL_STANDING_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/limits.h"
#include "protocol/message.h"

#define STANDING_NO_END UINT64_MAX

struct standing {
	size_t count, threshold;
	uint8_t revoked[CV_MEMBERS_MAX];
	uint64_t lease_end_ms[CV_MEMBERS_MAX]; /* 0: this gateway has granted none */
};

void standing_init(struct standing *s, size_t count, size_t threshold);
/* Gateway `member` released its share with this lease. */
void standing_released(struct standing *s, size_t member, uint32_t lease_s, uint64_t now_ms);
/* An authentic status answer of gateway `member`. A later one takes back `revoked`. */
void standing_answered(
	struct standing *s, size_t member, const struct status_answer *a, uint64_t now_ms);
/* N-K+1 gateways hold the revocation. */
int standing_is_revoked(const struct standing *s);
/* When the device's lease ends; STANDING_NO_END if it does not. */
uint64_t standing_lease_end_ms(const struct standing *s);
/*
 * When to ask again: after `interval_ms`, or sooner so that a lease is asked for several times
 * before it ends, but hardly more often than once a second. Up to a quarter earlier by chance, so
 * that a fleet does not ask in step. `lease_end_ms`: STANDING_NO_END where no lease counts.
 */
uint64_t standing_ask_at_ms(uint64_t now_ms, uint64_t interval_ms, uint64_t lease_end_ms);

#endif
