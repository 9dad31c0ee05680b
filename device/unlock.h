/*
 * Drives the handshake (protocol/handshake.h) over the transport: from the state directory to the
 * unlock secret, or to what the gateways would say (purpose check).
 *
 * Memory   unlock_open allocates locked memory; unlock_close wipes it.
 */
#ifndef CONCLAVE_DEVICE_UNLOCK_H
#define CONCLAVE_DEVICE_UNLOCK_H

#include "device/boot_events.h"
#include "device/boot_key.h"
#include "device/identity.h"
#include "device/place.h"
#include "device/platform.h"
#include "device/settings.h"
#include "device/transport.h"
#include "protocol/handshake.h"

#define UNLOCK_BODY_CAP (HANDSHAKE_BODY_MIN + HANDSHAKE_QUOTE_TEXT_MAX)
#define UNLOCK_GRACE_MS 100 /* for libcurl to notice a deadline of its own */

struct unlock_request {
	const struct settings *settings;
	const char *state_dir;
	const char *run_dir;
	const char *volumed_path; /* measured beside our own binary; "" = not there */
	enum evidence_purpose purpose;
	uint64_t timeout_ms; /* 0 = try without end */
	int stop_fd;	     /* readable: give up (a signalfd); -1 = none */
};

/* Microseconds since unlock_open; 0 = not reached. */
struct unlock_times {
	uint64_t start_us; /* absolute */
	uint64_t loaded_us;
	uint64_t token_us;
	uint64_t done_us;
};

struct unlock {
	struct unlock_request request;
	struct identity identity;
	struct boot_key boot;
	uint8_t kernel_boot[CV_BOOT_ID_BYTES]; /* whose boot key it is: RAM outlives a suspend */
	uint8_t boot_id[CV_BOOT_ID_BYTES];     /* as the evidence claims it: a TPM's, or the kernel's */
	struct evidence_platform platform;
	struct place_fix place;
	struct handshake handshake;
	struct transport *transport;
	struct unlock_times times;
	bool stopped;		 /* by stop_fd */
	uint32_t reported;	 /* attempt whose failures were printed */
	char detail[CV_MEMBERS_MAX][TRANSPORT_DETAIL_BUF]; /* last transport fault */
	char told[CV_MEMBERS_MAX][TRANSPORT_DETAIL_BUF];   /* last line printed */
	struct tpm_quote quote; /* of the token; trust class tpm */
	bool has_events;
	struct eventlog events; /* of this boot */
	char token[CV_EVIDENCE_MAX + 1];
	char body[UNLOCK_BODY_CAP];
};

/* Reads the state directory; prints what is wrong. `request` is copied. */
CV_MUST_CHECK enum cv_err unlock_open(struct unlock **out, const struct unlock_request *request);
/* Runs to the end; prints a line per gateway when an attempt failed, and a last one. */
CV_MUST_CHECK enum cv_err unlock_run(struct unlock *u);
CV_MUST_CHECK enum cv_err unlock_secret(
	const struct unlock *u, uint8_t secret[CV_SECRET_BYTES]);
/* Wipes the secret and the shares; the identity stays, for events. */
void unlock_forget_secret(struct unlock *u);
/* Lets answers under way arrive (they add sessions) until their deadlines; then wipes the rest. */
void unlock_drain(struct unlock *u);
/* If no request is under way: somebody may have corrected gateways.json. */
CV_MUST_CHECK enum cv_err unlock_follow_addresses(struct unlock *u);
void unlock_close(struct unlock *u);

/*
 * Its last answer was authentic and said: not now (an approval, a closed window, a busy gateway).
 */
bool unlock_told_to_wait(const struct unlock *u, size_t member);
/* What one gateway said or did, for people: "denied: device_revoked". */
const char *unlock_member_text(const struct unlock *u, size_t member);

#endif
