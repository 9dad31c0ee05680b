/*
 * The keeper: the one process that opens the store, checks MACs, decides, records, seals shares
 * and obeys operators. It has no network; it talks through gateway/ipc.h with front and monitor
 * and through notify/channel.h with the sender, and never waits for any of them.
 *
 * Keys (32 raw bytes each, files of mode 0600)
 *   <keys_dir>/keeper.key     P-256 private key, signs replies to operators and audit heads
 *   <keys_dir>/enrolment.key  X25519 private key, opens enrolment packages
 *   <store_key_path>          seals the records; $CREDENTIALS_DIRECTORY/store.key, if there,
 *                             comes first (systemd's LoadCredentialEncrypted=)
 */
#ifndef CONCLAVE_GATEWAY_KEEPER_H
#define CONCLAVE_GATEWAY_KEEPER_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/ipc.h"
#include "gateway/privacy.h"
#include "host/sandbox.h"
#include "protocol/err.h"
#include "protocol/limits.h"

#define KEEPER_KEY_FILE "keeper.key"
#define KEEPER_ENROLMENT_KEY_FILE "enrolment.key"
#define KEEPER_STORE_KEY_CREDENTIAL "store.key"

#define KEEPER_DEVICE_BURST 40
#define KEEPER_DEVICE_PER_MINUTE 120
#define KEEPER_AUDIT_REFUSALS_PER_MINUTE 6
#define KEEPER_BATCH_MAX 128
#define KEEPER_MOUNT_OK_MS 300000
#define KEEPER_RESERVE_RECORDS 100000

/*
 * Releases are still made when the disk is full, from space set aside in the store's file:
 * about this much for each release record.
 */
#define KEEPER_RESERVE_RECORD_BYTES 640

struct keeper_config {
	const char *gateway;	    /* id */
	const char *fleet;	    /* id */
	const uint8_t *fleet_root;  /* CV_ES256_PUBLIC_BYTES */
	const char *store_path;	    /* .../keeper/store.db; the directory is the keeper's alone */
	const char *store_key_path; /* .../keeper/store.key */
	const char *keys_dir;	    /* .../keeper/keys */
	uint32_t reserve_records;   /* 0: KEEPER_RESERVE_RECORDS; fixed when the store is made */
	struct keeper_limits limits; /* any 0: the default above */
	uint32_t nonce_ttl_ms;	    /* 0: CV_NONCE_TTL_S */
	int front_fd;		    /* ends of socket pairs; borrowed */
	int control_fd;		    /* -1: none (SIGTERM then drains) */
	int sender_fd;		    /* -1: no alerts */
	enum sandbox_mode sandbox;
	struct privacy privacy;	    /* all zero: the defaults */
	const char *user;	    /* switch to this user; NULL: stay */
};

/*
 * Runs until ipc-drain, SIGTERM or SIGINT, or until every holder of the front's end is gone;
 * returns the exit code (host/exit_code.h). secret_process_init and log_init were called before. A
 * store that is missing, damaged, of another schema or under another key ends it with one line and
 * EXIT_CODE_CONFIG, EXIT_CODE_TAMPERED or EXIT_CODE_VERSION, before it is ready.
 */
int keeper_run(const struct keeper_config *cfg);

/* `conclave-gateway init` and the request to join need these; limits and descriptors are unused. */
struct keeper_public {
	uint8_t keeper_key[CV_ES256_PUBLIC_BYTES];
	uint8_t enrolment_key[CV_X25519_BYTES];
};

/*
 * Makes keys and an empty store (gateway, store_path, store_key_path, keys_dir; the directories
 * must exist). Keys that are there are kept; a store that is there is left alone, so a second call
 * is harmless. One line to the log on failure. fleet and fleet_root may be NULL here.
 */
CV_MUST_CHECK enum cv_err keeper_init(const struct keeper_config *cfg, struct keeper_public *out);

#endif
