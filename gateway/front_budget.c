#include "gateway/front_budget.h"

#include <arpa/inet.h>
#include <string.h>

#include <sodium.h>

#include "protocol/crypto.h"

enum cv_err front_budget_init(struct front_budget *b, uint32_t burst, uint32_t per_minute)
{
	memset(b, 0, sizeof(*b));
	if (pthread_mutex_init(&b->lock, NULL) != 0)
		return CV_ERR_MEMORY;
	b->burst = burst;
	b->per_minute = per_minute;
	return crypto_random(b->key, sizeof(b->key));
}

void front_budget_limits(struct front_budget *b, uint32_t burst, uint32_t per_minute)
{
	pthread_mutex_lock(&b->lock);
	b->burst = burst;
	b->per_minute = per_minute;
	pthread_mutex_unlock(&b->lock);
}

static void address_of(uint8_t out[8], const char *peer)
{
	struct in_addr v4;
	struct in6_addr v6;

	memset(out, 0xff, 8);
	if (inet_pton(AF_INET, peer, &v4) == 1) {
		memset(out, 0, 4);
		memcpy(out + 4, &v4, 4);
		/* 0.0.0.0 is no peer, and all zero marks an unused bucket */
		out[0] = 4;
	} else if (inet_pton(AF_INET6, peer, &v6) == 1) {
		if (IN6_IS_ADDR_V4MAPPED(&v6)) {
			memset(out, 0, 4);
			memcpy(out + 4, &v6.s6_addr[12], 4);
			out[0] = 4;
		} else {
			memcpy(out, &v6, 8);
		}
	}
}

static void refill(const struct front_budget *b, struct front_budget_bucket *bucket, uint64_t now)
{
	uint64_t full = (uint64_t)b->burst * 1000;
	uint64_t passed = now > bucket->updated_ms ? now - bucket->updated_ms : 0;

	/* an hour fills any bucket, and keeps the product small */
	if (passed > 3600000)
		passed = 3600000;
	bucket->tokens_milli += passed * b->per_minute / 60;
	if (bucket->tokens_milli > full)
		bucket->tokens_milli = full;
	bucket->updated_ms = now;
}

/* The address's bucket, refilled; NULL if it has none and `make` is false. */
static struct front_budget_bucket *find(
	struct front_budget *b, const char *peer, uint64_t now, bool make)
{
	static const uint8_t unused[8];
	struct front_budget_bucket *row, *best = NULL;
	uint8_t address[8], hash[crypto_shorthash_BYTES];
	uint64_t index;

	address_of(address, peer);
	crypto_shorthash(hash, address, sizeof(address), b->key);
	memcpy(&index, hash, sizeof(index));
	row = b->rows[index % FRONT_BUDGET_ROWS];
	for (int i = 0; i < FRONT_BUDGET_WAYS; i++)
		if (memcmp(row[i].address, address, sizeof(address)) == 0) {
			refill(b, &row[i], now);
			return &row[i];
		}
	if (!make)
		return NULL;
	for (int i = 0; i < FRONT_BUDGET_WAYS; i++) {
		if (memcmp(row[i].address, unused, sizeof(unused)) == 0) {
			best = &row[i];
			break;
		}
		refill(b, &row[i], now);
		if (best == NULL || row[i].tokens_milli > best->tokens_milli)
			best = &row[i];
	}
	memcpy(best->address, address, sizeof(address));
	best->tokens_milli = (uint64_t)b->burst * 1000;
	best->updated_ms = now;
	return best;
}

bool front_budget_allows(struct front_budget *b, const char *peer, uint64_t now_ms)
{
	struct front_budget_bucket *bucket;
	bool allowed = true;

	pthread_mutex_lock(&b->lock);
	if (b->burst > 0) {
		bucket = find(b, peer, now_ms, false);
		allowed = bucket == NULL || bucket->tokens_milli >= 1000;
	}
	pthread_mutex_unlock(&b->lock);
	return allowed;
}

void front_budget_charge(struct front_budget *b, const char *peer, uint64_t now_ms)
{
	struct front_budget_bucket *bucket;

	pthread_mutex_lock(&b->lock);
	if (b->burst > 0) {
		bucket = find(b, peer, now_ms, true);
		bucket->tokens_milli -= bucket->tokens_milli >= 1000 ? 1000 : bucket->tokens_milli;
	}
	pthread_mutex_unlock(&b->lock);
}
