#include "gateway/keeper_state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/exit_code.h"
#include "host/file.h"
#include "host/log.h"
#include "host/process.h"
#include "host/secret.h"
#include "protocol/crypto.h"

#define TICK_MS 1000
#define OP_REFUSALS_BURST 60 /* audit records and alerts of refused commands, */
#define OP_REFUSALS_PER_MINUTE 12
#define FOLD_TICK_MS 10000
#define SENDER_TICK_MS 5000
#define BATCH_MIN_US 2000 /* a batch is collected at least this long, */
#define BATCH_MAX_US 20000 /* at most this long, and else twice the last commit */

/* Fills the limits that are 0. */
static void limits_default(struct keeper_limits *limits)
{
	if (limits->device_burst == 0)
		limits->device_burst = KEEPER_DEVICE_BURST;
	if (limits->device_per_minute == 0)
		limits->device_per_minute = KEEPER_DEVICE_PER_MINUTE;
	if (limits->audit_refusals_per_minute == 0)
		limits->audit_refusals_per_minute = KEEPER_AUDIT_REFUSALS_PER_MINUTE;
	if (limits->batch_max == 0)
		limits->batch_max = KEEPER_BATCH_MAX;
	if (limits->mount_ok_ms == 0)
		limits->mount_ok_ms = KEEPER_MOUNT_OK_MS;
	if (limits->batch_max > STORE_BATCH_MAX)
		limits->batch_max = STORE_BATCH_MAX;
}

static void on_packet(struct keeper *k, size_t len)
{
	static struct ipc_request request;

	if (ipc_request_decode(&request, k->packet, len) != CV_OK) {
		log_error("front: a packet of %zu bytes is not a request: dropped", len);
		return;
	}
	switch (request.type) {
	case IPC_DEVICE:
		keeper_on_device(k, &request);
		break;
	case IPC_OPERATOR:
		keeper_on_operator(k, &request);
		break;
	case IPC_HEALTH:
		keeper_on_health(k, &request);
		break;
	}
}

/* Takes what waits, up to a batch, and commits it. False when the front's end is closed. */
static bool serve_batch(struct keeper *k)
{
	const uint64_t start_us = clock_monotonic_us();
	uint64_t budget_us = 2 * k->last_commit_us;
	enum cv_err err = CV_OK;
	size_t len = 0;

	if (budget_us < BATCH_MIN_US)
		budget_us = BATCH_MIN_US;
	if (budget_us > BATCH_MAX_US)
		budget_us = BATCH_MAX_US;
	keeper_clock_read(k);
	for (uint32_t n = 0; n < k->limits.batch_max; n++) {
		err = ipc_receive(k->cfg->front_fd, k->packet, IPC_PACKET_MAX, &len, false);
		if (err != CV_OK)
			break;
		on_packet(k, len);
		if (k->deferred.first != NULL && clock_monotonic_us() - start_us > budget_us)
			break;
	}
	keeper_batch_end(k);
	if (err == CV_ERR_TOO_LONG)
		log_error("front: a packet over %d bytes: dropped", IPC_PACKET_MAX);
	return err != CV_ERR_UNREACHABLE && err != CV_ERR_IO;
}

static void on_control(struct keeper *k, int *control_fd)
{
	struct ipc_control control;
	size_t len = 0;
	const enum cv_err err = ipc_receive(*control_fd, k->packet, IPC_PACKET_MAX, &len, false);

	if (err == CV_ERR_UNREACHABLE || err == CV_ERR_IO) {
		log_warning("monitor: gone: draining");
		*control_fd = -1;
		k->draining = true;
		return;
	}
	if (err != CV_OK || ipc_control_decode(&control, k->packet, len) != CV_OK) {
		if (err != CV_ERR_BUSY)
			log_error("monitor: a packet that is no control message: dropped");
		return;
	}
	if (control.type == IPC_DRAIN) {
		k->draining = true;
	} else if (control.type == IPC_RELOAD) {
		log_set_level(control.log_level);
		k->limits = control.limits;
		limits_default(&k->limits);
		log_info("keeper: limits and log level reloaded");
	}
}

static void tell_monitor(struct keeper *k, int control_fd, enum ipc_control_type type)
{
	struct ipc_control control = {0};
	size_t len = 0;

	control.type = type;
	if (control_fd < 0)
		return;
	if (ipc_control_encode(k->encoded, IPC_PACKET_MAX, &len, &control) != CV_OK ||
		ipc_send(control_fd, k->encoded, len, false) != CV_OK)
		log_warning("monitor: does not take messages");
}

/* Answers of the sender: nobody in the keeper waits for one. */
static void on_sender(struct keeper *k)
{
	static char body[CHANNEL_PACKET_MAX];
	enum channel_type type;
	size_t len;
	enum cv_err err = channel_receive(&k->alerts, &type, body, sizeof(body), &len);

	if (err == CV_ERR_UNREACHABLE)
		k->alerts.fd = -1;
	if (err == CV_OK && type == CHANNEL_METRICS && len < sizeof(k->sender_metrics))
		memcpy(k->sender_metrics, body, len + 1);
}

/* What the sender says of itself goes into /metrics a little late, so that nobody waits for it. */
static void ask_sender(struct keeper *k)
{
	if (k->alerts.fd < 0 || k->now_ms < k->sender_due_ms)
		return;
	k->sender_due_ms = k->now_ms + SENDER_TICK_MS;
	if (channel_ask_metrics(&k->alerts) != CV_OK)
		log_debug("sender: its channel is full");
}

static void tick(struct keeper *k)
{
	keeper_clock_read(k);
	keeper_alert_tick(k);
	keeper_confirm_tick(k);
	ask_sender(k);
	if (k->now_ms < k->fold_due_ms)
		return;
	k->fold_due_ms = k->now_ms + FOLD_TICK_MS;
	keeper_audit_folded(k, false);
	keeper_batch_end(k);
}

/* What is in the socket is still answered; then the last repeats are written. */
static void drain(struct keeper *k)
{
	struct pollfd front = { k->cfg->front_fd, POLLIN, 0 };

	while (poll(&front, 1, 0) == 1 && (front.revents & POLLIN) != 0 && serve_batch(k))
		front.revents = 0;
	keeper_clock_read(k);
	keeper_audit_folded(k, true);
	keeper_batch_end(k);
	front.events = POLLOUT;
	while (k->out.first != NULL && poll(&front, 1, TICK_MS) == 1 &&
		(front.revents & POLLOUT) != 0)
		keeper_flush(k);
}

static void loop(struct keeper *k, int signal_fd)
{
	int control_fd = k->cfg->control_fd;

	tell_monitor(k, control_fd, IPC_READY);
	while (!k->draining) {
		const bool read_front = k->out.count < KEEPER_OUT_MAX;
		struct pollfd fds[] = {
			{ k->cfg->front_fd, (short)((read_front ? POLLIN : 0) |
						    (k->out.first != NULL ? POLLOUT : 0)), 0 },
			{ control_fd, POLLIN, 0 },
			{ k->alerts.fd, POLLIN, 0 },
			{ signal_fd, POLLIN, 0 },
		};

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), TICK_MS) < 0 && errno != EINTR) {
			log_error("keeper: poll: %s", strerror(errno));
			break;
		}
		if (fds[0].revents & POLLOUT)
			keeper_flush(k);
		if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && read_front &&
			!serve_batch(k)) {
			log_info("front: gone");
			break;
		}
		if (fds[1].revents != 0)
			on_control(k, &control_fd);
		if (fds[2].revents != 0)
			on_sender(k);
		if (fds[3].revents != 0 && process_signal_read(signal_fd) != 0)
			k->draining = true;
		tick(k);
	}
	drain(k);
	tell_monitor(k, control_fd, IPC_DRAINED);
}

static enum cv_err allocate(struct keeper *k)
{
	enum cv_err err = CV_ERR_MEMORY;

	k->keys = secret_alloc(sizeof(*k->keys));
	k->rec = secret_alloc(sizeof(*k->rec));
	k->enrolment = secret_alloc(sizeof(*k->enrolment));
	if (k->keys == NULL || k->rec == NULL || k->enrolment == NULL) {
		log_error("keeper: %s", secret_last_error());
		return err;
	}
	k->policy = calloc(1, sizeof(*k->policy));
	k->evidence = calloc(1, sizeof(*k->evidence));
	k->revoked = calloc(1, sizeof(*k->revoked));
	k->body = malloc(IPC_ANSWER_BODY_MAX + 1);
	k->packet = malloc(IPC_PACKET_MAX);
	k->encoded = malloc(IPC_PACKET_MAX);
	k->batch_alerts = calloc(KEEPER_BATCH_ALERTS, sizeof(*k->batch_alerts));
	if (k->policy != NULL && k->evidence != NULL && k->revoked != NULL && k->body != NULL &&
		k->packet != NULL && k->encoded != NULL && k->batch_alerts != NULL)
		err = spent_open(&k->spent);
	if (err == CV_OK)
		err = budget_open(&k->budget);
	if (err == CV_OK)
		err = keeper_groups_open(&k->groups);
	if (err == CV_OK)
		err = keeper_requests_open(&k->requests);
	if (err != CV_OK)
		log_error("keeper: no memory");
	return err;
}

static void release(struct keeper *k)
{
	keeper_queue_wipe(&k->deferred);
	keeper_queue_wipe(&k->out);
	store_close(k->store);
	spent_close(k->spent);
	budget_close(k->budget);
	keeper_groups_close(k->groups);
	keeper_requests_close(k->requests);
	free(k->policy);
	free(k->evidence);
	free(k->revoked);
	free(k->body);
	free(k->packet);
	free(k->encoded);
	free(k->batch_alerts);
	secret_free(k->enrolment);
	secret_free(k->rec);
	secret_free(k->keys);
}

static enum cv_err enter_sandbox(const struct keeper_config *cfg)
{
	char dir[FILE_PATH_BUF];
	struct sandbox_path path = { dir, true };
	const struct sandbox_spec spec = { cfg->sandbox, SANDBOX_KEEPER, cfg->user, &path, 1 };
	const size_t len = strlen(cfg->store_path);
	char *slash;
	enum cv_err err;

	if (len >= sizeof(dir))
		return CV_ERR_TOO_LONG;
	memcpy(dir, cfg->store_path, len + 1);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		memcpy(dir, ".", 2);
	else
		slash[slash == dir ? 1 : 0] = '\0';
	err = sandbox_enter(&spec);
	if (err != CV_OK)
		log_error("sandbox: %s",
			sandbox_warning() != NULL ? sandbox_warning() : cv_err_text(err));
	else if (sandbox_warning() != NULL)
		log_warning("sandbox: %s", sandbox_warning());
	return err;
}

static enum cv_err open_store(struct keeper *k)
{
	const struct store_config cfg = { k->cfg->store_path, k->cfg->gateway, &k->keys->seal,
		&k->signer, k->keys->keeper_public, 0 };
	char why[STORE_WHY_BUF];
	enum cv_err err = store_open(&k->store, &cfg, why);

	if (err == CV_ERR_NOT_FOUND)
		log_error("store: %s: not there: run \"conclave-gateway init\" first",
			k->cfg->store_path);
	else if (err != CV_OK)
		log_error("store: %s: refused: %s", k->cfg->store_path, why);
	return err;
}

static enum cv_err start(struct keeper *k)
{
	enum cv_err err = crypto_init();

	if (err == CV_OK)
		err = allocate(k);
	if (err == CV_OK)
		err = keeper_keys_load(k->keys, k->cfg);
	/* The keys may lie with root; the store is opened by who will keep it. */
	if (err == CV_OK)
		err = enter_sandbox(k->cfg);
	if (err != CV_OK)
		return err;
	k->signer = jws_key_signer(k->keys->keeper_private);
	err = open_store(k);
	if (err == CV_OK)
		err = keeper_load_revocations(k);
	if (err == CV_OK)
		err = keeper_load_groups(k);
	if (err == CV_OK)
		err = keeper_load_fleet(k);
	if (err != CV_OK)
		return err;
	k->store_writable = true;
	k->op_limits.device_burst = OP_REFUSALS_BURST;
	k->op_limits.device_per_minute = OP_REFUSALS_PER_MINUTE;
	k->op_budget.request_milli = OP_REFUSALS_BURST * 1000;
	k->op_budget.request_ms = clock_monotonic_ms();
	k->started_ms = clock_monotonic_ms();
	k->sender_due_ms = k->started_ms + SENDER_TICK_MS;
	keeper_clock_read(k);
	if (!k->clock.trusted)
		log_warning("clock: not trusted: expiry of operators is judged by the build date");
	keeper_alert(k, EVENT_GATEWAY_STARTED, NULL, NULL);
	if (!k->clock.trusted)
		keeper_alert(k, EVENT_CLOCK_UNTRUSTED, NULL, NULL);
	return CV_OK;
}

static int exit_code(enum cv_err err)
{
	if (err == CV_ERR_SEAL)
		return EXIT_CODE_TAMPERED;
	if (err == CV_ERR_NOT_FOUND || err == CV_ERR_MISMATCH || err == CV_ERR_PERMISSION ||
		err == CV_ERR_FORMAT)
		return EXIT_CODE_CONFIG;
	return exit_code_of(err);
}

int keeper_run(const struct keeper_config *cfg)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	struct keeper *k = calloc(1, sizeof(*k));
	int signal_fd = -1;
	enum cv_err err = CV_ERR_MEMORY;

	if (k == NULL)
		return exit_code(err);
	k->cfg = cfg;
	k->limits = cfg->limits;
	limits_default(&k->limits);
	k->nonce_ttl_ms = cfg->nonce_ttl_ms != 0 ? cfg->nonce_ttl_ms : CV_NONCE_TTL_S * 1000;
	channel_init(&k->alerts, cfg->sender_fd);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is a full disk, not an end */
	err = process_signal_fd(&signal_fd, signals);
	if (err == CV_OK)
		err = start(k);
	if (err == CV_OK)
		loop(k, signal_fd);
	release(k);
	free(k);
	return exit_code(err);
}
