#include "bench/load_fill.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/measure.h"
#include "gateway/keeper.h"
#include "gateway/store.h"
#include "host/file.h"
#include "host/secret.h"
#include "protocol/crypto.h"

#define BATCH 500

static const char policy[] =
	"{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":1000},"
	"\"measurements\":{\"kernel\":[\"" LOAD_KERNEL_DIGEST_HEX "\"]},"
	"\"place\":\"not_required\",\"iat\":\"not_required\",\"lease_seconds\":0,"
	"\"reveal_reason\":true}";

static void make_record(struct record *r, const struct load_device *d)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->device, d->id, sizeof(r->device));
	r->state = DEVICE_ACTIVE;
	r->trust_class = TRUST_SOFTWARE;
	memcpy(r->mac_key, d->mac_key, sizeof(r->mac_key));
	memcpy(r->attestation_key, d->attest_public, sizeof(r->attestation_key));
	r->policy_version = 1;
	r->policy_len = strlen(policy);
	memcpy(r->policy, policy, r->policy_len + 1);
	r->volume_count = 1;
	memcpy(r->volumes[0].volume_id, d->volume_id, sizeof(d->volume_id));
	r->volumes[0].current = (struct record_share){.present = true,
		.epoch = LOAD_EPOCH,
		.x = LOAD_X,
		.threshold = 2,
		.members = 3};
	memcpy(r->volumes[0].current.share, d->share, sizeof(d->share));
	memcpy(r->volumes[0].current.share_set_hash, d->share_set_hash, sizeof(d->share_set_hash));
	r->enrolled_s = (uint64_t)time(NULL);
}

static void put_all(struct store *store, const char *fleet, const uint8_t seed[LOAD_SEED_BYTES],
	uint32_t count)
{
	struct record *r = secret_alloc(sizeof(*r));
	struct load_device d;
	enum store_room room;

	MUST(!r);
	for (uint32_t first = 0; first < count; first += BATCH) {
		MUST(store_begin(store, &room));
		for (uint32_t n = first; n < count && n < first + BATCH; n++) {
			load_device_make(&d, seed, fleet, n);
			make_record(r, &d);
			MUST(store_device_put(store, r));
		}
		MUST(store_commit(store, (uint64_t)time(NULL), 0));
		store_tidy(store);
	}
	secret_free(r);
}

void load_fill(const char *state, const char *fleet, const char *gateway,
	const uint8_t seed[LOAD_SEED_BYTES], uint32_t count)
{
	char path[FILE_PATH_BUF], why[STORE_WHY_BUF] = "";
	struct seal_keys *keys = secret_alloc(sizeof(*keys));
	uint8_t *raw = secret_alloc(64);
	uint8_t public_key[CV_ES256_PUBLIC_BYTES];
	struct jws_signer signer;
	struct store *store = NULL;
	struct store_config cfg = {.path = path, .gateway = gateway, .keys = keys,
		.signer = &signer, .signer_public = public_key};

	MUST(!keys || !raw);
	snprintf(path, sizeof(path), "%s/keeper/keys/" KEEPER_KEY_FILE, state);
	MUST(file_read_secret_exact(raw, CV_ES256_PRIVATE_BYTES, path));
	MUST(crypto_es256_public(public_key, raw));
	signer = jws_key_signer(raw);
	snprintf(path, sizeof(path), "%s/keeper/store.key", state);
	MUST(file_read_secret_exact(raw + 32, STORE_KEY_BYTES, path));
	MUST(seal_keys_derive(keys, raw + 32));
	snprintf(path, sizeof(path), "%s/keeper/store.db", state);
	if (store_open(&store, &cfg, why))
		measure_die(why);
	put_all(store, fleet, seed, count);
	store_close(store);
	secret_free(raw);
	secret_free(keys);
}
