/*
 * Who this device is: the files of its state directory (docs/protocol.md section 11), checked
 * against each other and, where they are signed, against the fleet's root.
 *
 * Memory   the struct holds keys: secret_alloc it, identity_wipe it.
 */
#ifndef CONCLAVE_DEVICE_IDENTITY_H
#define CONCLAVE_DEVICE_IDENTITY_H

#include "device/tpm_state.h"
#include "host/file.h"
#include "protocol/share_set.h"

#define IDENTITY_ADDRESS_BUF 280 /* HOST:PORT */
#define IDENTITY_TLS_ROOT_MAX 8192

struct identity {
	char state_dir[FILE_PATH_BUF];
	char fleet[CV_ID_BUF];
	char device[CV_ID_BUF];
	char trust_class[32];
	struct share_set share_set;
	/* in the order of share_set.members; "" = gateways.json does not name it */
	char addresses[CV_MEMBERS_MAX][IDENTITY_ADDRESS_BUF];
	uint8_t fleet_root[CV_ES256_PUBLIC_BYTES];
	char tls_root[IDENTITY_TLS_ROOT_MAX + 1]; /* PEM */
	struct tpm_identity tpm; /* trust class tpm only: kind is 0 for the others */
	/* secret */
	uint8_t mac_root[CV_MAC_ROOT_BYTES];
	uint8_t mac_keys[CV_MEMBERS_MAX][CV_MAC_KEY_BYTES];
	uint8_t attest_private[CV_ES256_PRIVATE_BYTES];
};

/*
 * Reads everything; prints what is wrong with which file. CV_ERR_NOT_FOUND: not installed;
 * CV_ERR_CONFIG: a damaged file; CV_ERR_PERMISSION: a key that others can read.
 * CV_ERR_SHARE_SET: the share set is for another device, or not signed for this fleet.
 */
CV_MUST_CHECK enum cv_err identity_load(struct identity *id, const char *state_dir);
/* The same without the private keys and pairwise keys: what `status` may show offline. */
CV_MUST_CHECK enum cv_err identity_load_public(struct identity *id, const char *state_dir);
/*
 * Reads gateways.json again: gateways may move while a device waits for them. *changed tells
 * whether addresses are other ones now; on an error (one line) they stay as they were.
 */
CV_MUST_CHECK enum cv_err identity_reload_addresses(struct identity *id, int *changed);
void identity_wipe(struct identity *id);

/* A host name or address with a port: "10.0.0.1:7443", "[::1]:7443", "gw.example:7443". */
int identity_address_ok(const char *address);

#endif
