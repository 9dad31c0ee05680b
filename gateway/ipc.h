/*
 * The seams of the keeper: with the front (requests, answers) and with the monitor (control).
 *
 * Each is a SOCK_SEQPACKET socket pair, made by the monitor. One packet is one message, an lp()
 * string whose label says what it is (protocol/lp.h), at most IPC_PACKET_MAX bytes.
 *
 *   front to keeper    ipc-device     a device's request, raw
 *                      ipc-operator   an operator's request, raw
 *                      ipc-health     asks for the numbers behind /readyz and /metrics
 *   keeper to front    ipc-answer     to any of these
 *   monitor to keeper  ipc-reload     log level and limits
 *                      ipc-drain      finish what is there, then end
 *   keeper to monitor  ipc-ready      the store is checked and requests are being answered
 *                      ipc-drained    the last message before an orderly end
 *
 * A request carries an id of the front's choice; answers come in any order, exactly one for each
 * request (none after the keeper died: the front answers 503 by itself after its deadline). Ids
 * start at a random number and count up, so that an answer to a front that died is unknown to the
 * next one, which drops it. The monitor keeps both ends open and hands the same end to a restarted
 * front or keeper.
 *
 * Threads  sending one packet is atomic: any number of threads may ipc_send on one descriptor. One
 *          thread receives.
 * Errors   decoders: CV_ERR_FORMAT for anything but the form; outputs are then unspecified.
 */
#ifndef CONCLAVE_GATEWAY_IPC_H
#define CONCLAVE_GATEWAY_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/log.h"
#include "protocol/err.h"
#include "protocol/limits.h"
#include "protocol/mac.h"
#include "protocol/op.h"

#define IPC_PACKET_MAX 196608
#define IPC_PEER_BUF 64		/* text of an address */
#define IPC_METHOD_BUF 16
#define IPC_CONTENT_TYPE_BUF 48
#define IPC_HEADER_NAME_BUF 32
#define IPC_ANSWER_BODY_MAX CV_OP_BODY_MAX

enum ipc_request_type {
	IPC_DEVICE = 1,
	IPC_OPERATOR,
	IPC_HEALTH
};

/* Unused fields are "" or 0: a health request has only type and id. */
struct ipc_request {
	enum ipc_request_type type;
	uint64_t id;
	char peer[IPC_PEER_BUF];	       /* for the log only */
	char operator_id[CV_ID_BUF];	       /* IPC_OPERATOR: from the TLS certificate's URI */
	char method[IPC_METHOD_BUF];
	char target[CV_TARGET_MAX + 1];
	char mac[MAC_REQUEST_HEADER_BUF];      /* IPC_DEVICE: value of Conclave-MAC, or "" */
	char op[OP_HEADER_BUF];		       /* IPC_OPERATOR: value of Conclave-Op, or "" */
	char op_cert[CV_OPCERT_MAX + 1];       /* IPC_OPERATOR: value of Conclave-Op-Cert, or "" */
	const uint8_t *body;		       /* borrowed; after decode it points into the packet */
	size_t body_len;
};

struct ipc_answer {
	uint64_t id;
	unsigned int status;
	char content_type[IPC_CONTENT_TYPE_BUF];
	char header_name[IPC_HEADER_NAME_BUF]; /* "" when there is none */
	char header_value[OP_REPLY_HEADER_BUF];
	const uint8_t *body; /* borrowed; after decode it points into the packet */
	size_t body_len;
};

/* What SIGHUP may change while the keeper runs (defaults in gateway/keeper.h). */
struct keeper_limits {
	uint32_t device_burst;		 /* requests that one device may make at once */
	uint32_t device_per_minute;	 /* and how fast that fills again */
	uint32_t audit_refusals_per_minute; /* audit records of refusals, per device */
	uint32_t batch_max;		 /* requests in one transaction */
	uint32_t mount_ok_ms;		 /* a release without MOUNT_OK for so long is an alert */
};

enum ipc_control_type {
	IPC_RELOAD = 1,
	IPC_DRAIN,
	IPC_READY,
	IPC_DRAINED
};

struct ipc_control {
	enum ipc_control_type type;
	enum log_level log_level;     /* IPC_RELOAD */
	struct keeper_limits limits;  /* IPC_RELOAD */
};

/* Both ends close-on-exec, with buffers for several packets of the largest size; CV_ERR_IO. */
CV_MUST_CHECK enum cv_err ipc_pair(int fds[2]);

/*
 * One packet. Waits as the descriptor does (O_NONBLOCK or not) unless `wait` is false.
 * CV_ERR_BUSY: it would have waited; CV_ERR_UNREACHABLE: the other end is closed; CV_ERR_IO.
 */
CV_MUST_CHECK enum cv_err ipc_send(int fd, const uint8_t *packet, size_t len, bool wait);
/* A packet over `cap` is CV_ERR_TOO_LONG and gone. */
CV_MUST_CHECK enum cv_err ipc_receive(int fd, uint8_t *packet, size_t cap, size_t *len, bool wait);

CV_MUST_CHECK enum cv_err ipc_request_encode(
	uint8_t *out, size_t cap, size_t *len, const struct ipc_request *m);
CV_MUST_CHECK enum cv_err ipc_request_decode(
	struct ipc_request *m, const uint8_t *packet, size_t len);
CV_MUST_CHECK enum cv_err ipc_answer_encode(
	uint8_t *out, size_t cap, size_t *len, const struct ipc_answer *m);
CV_MUST_CHECK enum cv_err ipc_answer_decode(
	struct ipc_answer *m, const uint8_t *packet, size_t len);
CV_MUST_CHECK enum cv_err ipc_control_encode(
	uint8_t *out, size_t cap, size_t *len, const struct ipc_control *m);
CV_MUST_CHECK enum cv_err ipc_control_decode(
	struct ipc_control *m, const uint8_t *packet, size_t len);

/*
 * Body of the answer to IPC_HEALTH, status 200, application/json:
 *
 * {"store_revision":N,"devices":N,"audit_seq":N,"queue":N,"clock_trusted":BOOL,"uptime_ms":N,
 *  "reserve_left":N,"store_writable":BOOL,"batches":N,"released":N,
 *  "audit_lost":N,"alerts_sent":N,"alerts_dropped":N,"unknown_device":N,"bad_mac":N,"op_commands":N,
 *  "op_refused":N,"fleet_frozen":BOOL,"policy_groups":N,"reasons":{CODE:N,...},
 *  "policies":[{"group":ID,"in_force":N,"canary":N},...],"sender":TEXT}
 *
 * `reasons` counts verdicts by the codes of docs/protocol.md section 9, zeros left out.
 * `store_writable` is false after a commit failed and until one succeeded: /readyz is then 503.
 * `queue` is the number of requests taken and not yet answered.
 */

#endif
