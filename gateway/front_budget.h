/*
 * How many failed requests one address may make (an IPv6 address stands for its /64). A token
 * bucket for each address, in a table of fixed size: when a row is full, the fullest bucket, which
 * knows least, is forgotten.
 *
 * Threads  any.
 */
#ifndef CONCLAVE_GATEWAY_FRONT_BUDGET_H
#define CONCLAVE_GATEWAY_FRONT_BUDGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/err.h"

#define FRONT_BUDGET_ROWS 1024
#define FRONT_BUDGET_WAYS 4
#define FRONT_BUDGET_KEY_BYTES 16 /* crypto_shorthash */

struct front_budget_bucket {
	uint8_t address[8]; /* IPv4, or the /64; all zero: unused */
	uint64_t tokens_milli;
	uint64_t updated_ms;
};

struct front_budget {
	pthread_mutex_t lock;
	uint8_t key[FRONT_BUDGET_KEY_BYTES]; /* rows cannot be aimed at */
	uint32_t burst;			     /* 0: no budget */
	uint32_t per_minute;
	struct front_budget_bucket rows[FRONT_BUDGET_ROWS][FRONT_BUDGET_WAYS];
};

CV_MUST_CHECK enum cv_err front_budget_init(
	struct front_budget *b, uint32_t burst, uint32_t per_minute);
void front_budget_limits(struct front_budget *b, uint32_t burst, uint32_t per_minute);
/* `peer` is a numeric address as text; anything else shares one bucket. */
bool front_budget_allows(struct front_budget *b, const char *peer, uint64_t now_ms);
void front_budget_charge(struct front_budget *b, const char *peer, uint64_t now_ms);

#endif
