/*
 * A real keeper in a child process, with a fleet, an operator and a device made for the test. The
 * rig speaks to it as the front does, and as device and operator do: it signs, MACs and verifies.
 */
#ifndef CONCLAVE_TESTS_KEEPER_RIG_H
#define CONCLAVE_TESTS_KEEPER_RIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/ipc.h"
#include "gateway/keeper.h"
#include "notify/event.h"
#include "protocol/enrol.h"
#include "protocol/evidence.h"
#include "protocol/message.h"

#define RIG_FLEET "acme"
#define RIG_GATEWAY "g1"
#define RIG_BODY_MAX CV_OP_BODY_MAX

struct rig_operator {
	char id[CV_ID_BUF];
	uint8_t key[CV_ES256_PRIVATE_BYTES];
	char cert[CV_OPCERT_MAX + 1];
};

struct rig_device {
	char id[CV_ID_BUF];
	uint8_t mac_key[CV_MAC_KEY_BYTES];
	uint8_t attestation_key[CV_ES256_PRIVATE_BYTES];
	uint8_t boot_private[CV_X25519_BYTES];
	uint8_t boot_public[CV_X25519_BYTES];
	uint8_t share[CV_SECRET_BYTES];
	struct enrolment enrolment; /* what its package holds */
	struct evidence evidence;   /* template of its tokens */
	char package[16384];
};

struct rig_answer {
	unsigned int status;
	char header[OP_REPLY_HEADER_BUF];
	char body[RIG_BODY_MAX + 1];
	size_t len;
	bool authentic; /* MAC or signature held */
	uint64_t revision, seq; /* operators: from the signed reply */
	uint8_t head[CV_HASH_BYTES];
};

struct rig {
	char dir[64];
	char store[96], store_key[96], keys[96];
	uint8_t root_private[CV_ES256_PRIVATE_BYTES];
	uint8_t root_public[CV_ES256_PUBLIC_BYTES];
	struct keeper_public keeper;
	struct keeper_config cfg;
	struct rig_operator admin; /* every role */
	struct rig_device device;  /* "d1", enrolled by rig_enrolled */
	void (*in_child)(void *context); /* before keeper_run; may be NULL */
	void *child_context;
	pid_t pid;
	int front, control, sender; /* our ends */
	uint64_t next_id;
};

extern const char rig_policy[];

/* cmocka group set-up: the process's own start. */
int rig_process_init(void **state);

/* A new directory with keys and a store; no keeper is running yet. */
struct rig *rig_new(void);
/* The same with a running keeper and the device "d1" enrolled. */
struct rig *rig_enrolled(void);
/* Ends the keeper, if it runs, and removes the directory. */
void rig_free(struct rig *rig);

/* Starts the keeper; true if it said that it is ready. */
bool rig_start(struct rig *rig);
/* Drains and returns the exit code. */
int rig_stop(struct rig *rig);
/* Waits for its end by itself: exit code, or 128 + signal. */
int rig_wait(struct rig *rig);

void rig_operator_make(
	struct rig *rig, struct rig_operator *op, const char *id, uint32_t roles, uint64_t exp_s);
void rig_device_make(struct rig *rig, struct rig_device *d, const char *id);
/* Seals d->enrolment into d->package. */
void rig_package(struct rig *rig, struct rig_device *d);

/* Sends without waiting; returns the id. */
uint64_t rig_send(struct rig *rig, struct ipc_request *request);
/* The next answer; false if the keeper is gone. */
bool rig_receive(struct rig *rig, struct ipc_answer *answer);
/* The answer to this one request. */
bool rig_exchange(struct rig *rig, struct ipc_request *request, struct ipc_answer *answer);

/* A device's request with a good MAC. */
struct rig_answer *rig_device_call(
	struct rig *rig, const struct rig_device *d, const char *target, const char *body);
/* A fresh nonce; fails the test if there is none. */
void rig_nonce(struct rig *rig, const struct rig_device *d, uint8_t nonce[CV_NONCE_BYTES]);
/* A body for authorize or check, with a token over d->evidence that names the nonce. */
void rig_authorize_body(char *body, size_t cap, const struct rig_device *d,
	const uint8_t nonce[CV_NONCE_BYTES]);
/* Nonce, token, authorize. */
struct rig_answer *rig_authorize(struct rig *rig, const struct rig_device *d);
/* The share in a 200 is the device's. */
bool rig_opens(const struct rig_device *d, const uint8_t nonce[CV_NONCE_BYTES],
	const struct rig_answer *answer);
void rig_event_body(char *body, size_t cap, const struct rig_device *d, uint64_t counter,
	enum device_event event);

/* A command signed by the operator, with a fresh nonce. */
struct rig_answer *rig_op(
	struct rig *rig, const struct rig_operator *op, const char *name, const char *body);
/* Takes alerts from the sender's end; true if one of this type is among them. */
bool rig_alerted(struct rig *rig, enum event_type type);
/* "reason" of a refusal, "" if there is none; static storage. */
const char *rig_reason(const struct rig_answer *answer);
/* A number in the JSON of the health answer. */
uint64_t rig_health(struct rig *rig, const char *name);

#endif
