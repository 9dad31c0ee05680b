/*
 * A device's record: everything that a gateway knows about one device. Plaintext codec; sealing is
 * record_seal.h, keeping is store.h.
 *
 * Holds secrets (MAC key, shares): a struct record lives in memory of secret_alloc.
 *
 * Form     lp("conclave-device-v1", device, state, trust class, ...), docs/operations.md. Records
 *          that were written before there were groups decode as such without one.
 * Errors   decode: CV_ERR_FORMAT for anything but what encode writes.
 */
#ifndef CONCLAVE_GATEWAY_RECORD_H
#define CONCLAVE_GATEWAY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/enrol.h"
#include "protocol/err.h"
#include "protocol/evidence.h"
#include "protocol/limits.h"
#include "protocol/message.h"

#define RECORD_VOLUMES_MAX 4
#define RECORD_BOOT_KEYS_MAX 16	 /* X25519 keys remembered in one boot */
#define RECORD_BOOT_HISTORY 4	 /* boot ids before the last one */
#define RECORD_NOTE_BUF 161	 /* an operator's reason */
#define RECORD_PLAIN_MAX 16384	 /* encoded */

/* The row that requests of unknown devices read; no device can have this name. */
#define RECORD_DUMMY_ID "-"

struct record_share {
	bool present;
	uint32_t epoch;
	uint8_t x;
	uint8_t threshold;
	uint8_t members;
	uint8_t share[CV_SECRET_BYTES];
	uint8_t share_set_hash[CV_HASH_BYTES];
	uint8_t package_hash[CV_HASH_BYTES]; /* SHA-256 of the enrolment package it came in */
};

struct record_volume {
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	struct record_share current;
	struct record_share pending; /* of the next epoch */
	char anchor[MESSAGE_ANCHOR_MAX + 1];
};

struct record_boot {
	bool known; /* something was released */
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	uint8_t key_count;
	uint8_t keys[RECORD_BOOT_KEYS_MAX][CV_X25519_BYTES];
	uint8_t history_count;
	uint8_t history[RECORD_BOOT_HISTORY][CV_BOOT_ID_BYTES]; /* newest first */
};

/* An operator's leave for one release: this volume, epoch and boot key, once, and not for long. */
struct record_grant {
	bool present;
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t boot_key[CV_X25519_BYTES];
	uint64_t given_s;
};

struct record {
	char device[CV_ID_BUF];
	uint64_t revision; /* of the store, when it was written; not part of the encoding */
	enum device_state state;
	enum trust_class trust_class;
	uint8_t mac_key[CV_MAC_KEY_BYTES];
	uint8_t attestation_key[CV_ES256_PUBLIC_BYTES];
	struct enrolment_tpm tpm; /* class tpm only, and only then part of the encoding */
	uint64_t policy_version;
	size_t policy_len;
	char policy[CV_POLICY_MAX + 1]; /* JSON text */
	uint8_t volume_count;
	struct record_volume volumes[RECORD_VOLUMES_MAX];
	struct record_boot boot;
	uint64_t enrolled_s;
	uint64_t last_release_s; /* 0: never */
	uint8_t last_session[CV_SESSION_BYTES];
	bool event_seen;
	uint64_t event_counter;
	uint8_t event_hash[CV_HASH_BYTES];
	char note[RECORD_NOTE_BUF];
	/* Only records in which one of these is set carry them. */
	char group[CV_ID_BUF]; /* "": none, the device's own policy is all there is */
	struct record_grant grant;
	uint64_t quota_day; /* since 1970-01-01 */
	uint32_t quota_used;
	/* The machine's parts as an operator enrolled them; records without carry none. */
	uint8_t inventory_count;
	struct evidence_digest inventory[CV_INVENTORY_MAX];
};

CV_MUST_CHECK enum cv_err record_encode(
	uint8_t out[RECORD_PLAIN_MAX], size_t *len, const struct record *rec);
CV_MUST_CHECK enum cv_err record_decode(struct record *rec, const uint8_t *data, size_t len);

/* NULL if the device has no such volume. To be changed only where the record may be. */
struct record_volume *record_volume_find(
	const struct record *rec, const uint8_t volume_id[CV_VOLUME_ID_BYTES]);
/* `current` or `pending`, whichever has the epoch; NULL if neither. */
const struct record_share *record_share_find(const struct record_volume *volume, uint32_t epoch);

#endif
