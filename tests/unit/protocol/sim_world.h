/*
 * One device, its gateways and the network between them, in virtual time. Everything that happens
 * follows from the seed. The real state machine runs here; what it does is checked at each step and
 * the first broken promise is kept in `violation`.
 */
#ifndef CONCLAVE_TESTS_SIM_WORLD_H
#define CONCLAVE_TESTS_SIM_WORLD_H

#include "protocol/handshake.h"
#include "tests/unit/protocol/sim_gateway.h"

#define SIM_EPOCHS 2
#define SIM_EVENTS_MAX 512
#define SIM_LATENCY_MS 150 /* one way, on a path that is not slow */

enum sim_path {
	SIM_CLEAN = 0,
	SIM_FLAKY,   /* clean once its budget of faults is spent */
	SIM_HOSTILE, /* anything may happen to any message */
	SIM_DEAD     /* nothing comes through */
};

struct sim_epoch {
	uint8_t secret[CV_SECRET_BYTES];
	uint8_t shares[CV_MEMBERS_MAX][CV_SECRET_BYTES];
	struct share_set set;
};

enum sim_event_kind {
	SIM_AT_GATEWAY,
	SIM_AT_DEVICE,
	SIM_CONNECTION_REFUSED,
	SIM_TIMEOUT,
	SIM_GATEWAY_RESTART
};

struct sim_event {
	uint64_t at_ms;
	uint64_t order; /* among events of one ms */
	enum sim_event_kind kind;
	size_t member;	     /* the request's */
	size_t gateway;	     /* where it arrives */
	unsigned int number; /* of the request */
	struct sim_message *message;
};

struct sim_flight { /* the driver's view of one member */
	int open;
	unsigned int number;
	char header[MAC_REQUEST_HEADER_BUF];
};

struct sim_world {
	uint64_t seed;
	struct sim_random random;
	int trace;
	const char *violation;
	uint64_t now_ms;
	size_t n, k;
	struct sim_epoch epochs[SIM_EPOCHS];
	struct sim_gateway gateways[CV_MEMBERS_MAX];
	enum sim_path paths[CV_MEMBERS_MAX];
	unsigned int fault_budget[CV_MEMBERS_MAX];
	struct sim_message *stored[CV_MEMBERS_MAX]; /* an answer heard earlier, to replay */
	/* the device */
	uint8_t mac_keys[CV_MEMBERS_MAX][CV_MAC_KEY_BYTES];
	uint8_t boot_private[CV_X25519_BYTES], boot_public[CV_X25519_BYTES];
	struct evidence_platform platform;
	struct handshake handshake;
	struct sim_epoch *epoch;
	int forgetful; /* this driver never reports a timeout */
	char token[CV_EVIDENCE_MAX + 1];
	char body[SIM_BODY_MAX];
	struct sim_flight flights[CV_MEMBERS_MAX];
	struct sim_event events[SIM_EVENTS_MAX];
	size_t event_count;
	uint64_t event_order;
	unsigned int steps;
	uint64_t denied_at_ms; /* end of an attempt that N-K+1 refused; 0 = none */
};

/* Honest gateways on clean paths; the test changes them before it starts. */
void sim_world_init(struct sim_world *w, uint64_t seed, size_t n, size_t k);
void sim_world_close(struct sim_world *w);
/* A new boot id and boot key. */
void sim_world_reboot(struct sim_world *w);
/* A handshake for epoch 0 or 1; give_up_ms is relative, 0 = never. */
void sim_world_start(struct sim_world *w, size_t epoch, enum evidence_purpose purpose,
	int sequential, uint64_t give_up_ms);
/*
 * Runs until the handshake ends, or `steps` events happened (then HANDSHAKE_WAIT), or a promise is
 * broken. After DONE the answers under way are heard too.
 */
enum handshake_action sim_world_run(struct sim_world *w, unsigned int steps);
/* The device loses power: handshake and connections are gone. */
void sim_world_crash(struct sim_world *w);
void sim_world_gateway_restart(struct sim_world *w, size_t gateway, uint64_t at_ms);
/* Sends MOUNT_OK for the epoch to one gateway, without faults; 1 if it was accepted. */
int sim_world_mount_ok(struct sim_world *w, size_t gateway, size_t epoch, uint64_t counter);

/* between sim_setup.c, sim_world.c and sim_network.c */
extern uint8_t sim_attestation_private[CV_ES256_PRIVATE_BYTES];
void sim_schedule(struct sim_world *w, uint64_t delay_ms, enum sim_event_kind kind,
	const struct sim_event *about, const struct sim_message *message);
void sim_network_request(
	struct sim_world *w, const struct sim_event *about, const struct sim_message *request);
void sim_network_answer(
	struct sim_world *w, const struct sim_event *about, const struct sim_message *answer);

#endif
