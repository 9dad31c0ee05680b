#include "notify/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "host/clock.h"
#include "host/exit_code.h"
#include "host/log.h"
#include "host/process.h"
#include "notify/delivery.h"
#include "notify/intake.h"
#include "notify/outbox.h"
#include "notify/sender_metrics.h"

#define OUTBOX_RETRY_MS 1000 /* after a full disk, say */
#define BATCHES_PER_TURN 8   /* so that a flood of alerts does not hold up deliveries */

struct sender {
	const struct sender_config *cfg;
	struct outbox *outbox;
	struct delivery *delivery;
	struct intake intake;
	int signal_fd;
	bool ending;
	uint64_t end_at_ms;
	uint64_t pause_until_ms; /* the outbox failed: leave it alone until then */
	bool trouble;		 /* it failed and that was said */
};

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static enum cv_err open_outbox(struct sender *s)
{
	const struct sender_config *cfg = s->cfg;
	const struct outbox_limits limits = {
		.max = or_default(cfg->outbox_max, SENDER_OUTBOX_MAX_DEFAULT),
		.attempts_max = or_default(cfg->attempts_max, SENDER_ATTEMPTS_DEFAULT),
		.backoff_ms = or_default(cfg->backoff_ms, SENDER_BACKOFF_MS_DEFAULT),
		.backoff_max_ms = or_default(cfg->backoff_max_ms, SENDER_BACKOFF_MAX_MS_DEFAULT),
	};
	char why[DESTINATION_WHY_MAX] = "";
	enum cv_err err = outbox_open(&s->outbox, cfg->outbox_path, cfg->destinations,
		cfg->destination_count, &limits, why);

	if (err) {
		log_error("alerts: outbox %s: %s", cfg->outbox_path, why);
		return err;
	}
	if (outbox_orphans(s->outbox) > 0)
		log_warning("alerts: outbox %s: %" PRIu64 " alerts wait for destinations that are"
			    " not configured any more",
			cfg->outbox_path, outbox_orphans(s->outbox));
	return CV_OK;
}

static enum cv_err sender_open(struct sender *s)
{
	static const int signals[] = {SIGTERM, SIGINT, 0};
	enum cv_err err = CV_ERR_INTERNAL;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return CV_ERR_INTERNAL;
	err = process_signal_fd(&s->signal_fd, signals);
	if (!err)
		err = open_outbox(s);
	if (!err)
		err = delivery_open(&s->delivery, s->cfg, s->outbox);
	if (!err && s->cfg->enter_sandbox)
		err = s->cfg->enter_sandbox(s->cfg->context);
	if (err)
		return err;
	intake_init(&s->intake, s->cfg->channel_fd, s->outbox);
	return CV_OK;
}

static void sender_close(struct sender *s)
{
	delivery_close(s->delivery);
	outbox_close(s->outbox);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	curl_global_cleanup();
}

/*
 * A full or failing disk must not end the process: the channel holds the alerts meanwhile. Nothing
 * is delivered either, since a delivery that cannot be recorded would be repeated without end.
 */
static void note_outbox(struct sender *s, enum cv_err err, uint64_t now_ms)
{
	if (err && !s->trouble)
		log_error("alerts: outbox %s: %s: alerts wait in the channel",
			s->cfg->outbox_path, cv_err_text(err));
	if (!err && s->trouble)
		log_info("alerts: outbox %s: works again", s->cfg->outbox_path);
	if (err)
		s->pause_until_ms = now_ms + OUTBOX_RETRY_MS;
	s->trouble = err != CV_OK;
}

static enum cv_err take_alerts(struct sender *s)
{
	bool more = true;

	for (int i = 0; more && (i < BATCHES_PER_TURN || s->ending); i++) {
		enum cv_err err = intake_step(&s->intake, (uint64_t)clock_wall_ms(), &more);

		if (err)
			return err;
	}
	if (s->intake.metrics_asked) {
		char text[CHANNEL_METRICS_MAX + 1];

		sender_metrics(text, s->cfg, &s->intake, s->outbox, s->delivery);
		intake_answer_metrics(&s->intake, text);
	}
	return CV_OK;
}

static void begin_to_end(struct sender *s, uint64_t now_ms)
{
	if (s->ending)
		return;
	s->ending = true;
	s->end_at_ms = now_ms + or_default(s->cfg->drain_ms, SENDER_DRAIN_MS_DEFAULT);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool paused(const struct sender *s)
{
	return clock_monotonic_ms() < s->pause_until_ms;
}

/* One turn; *wait_ms is how long nothing will happen by itself. */
static void turn(struct sender *s, uint64_t *wait_ms)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (process_signal_read(s->signal_fd) != 0)
		begin_to_end(s, now_ms);
	*wait_ms = OUTBOX_RETRY_MS;
	if (!paused(s)) {
		enum cv_err err = take_alerts(s);

		if (!err)
			err = delivery_step(s->delivery, wait_ms);
		note_outbox(s, err, now_ms);
	}
	if (s->intake.ended)
		begin_to_end(s, now_ms);
	if (s->pause_until_ms > now_ms)
		*wait_ms = smaller(*wait_ms, s->pause_until_ms - now_ms);
	if (s->ending)
		*wait_ms = now_ms < s->end_at_ms ? smaller(*wait_ms, s->end_at_ms - now_ms) : 0;
}

static enum cv_err wait_for_work(struct sender *s, uint64_t wait_ms)
{
	struct curl_waitfd extra[2] = {
		{s->signal_fd, CURL_WAIT_POLLIN, 0},
		{s->cfg->channel_fd, CURL_WAIT_POLLIN, 0},
	};
	struct pollfd only_signals = {s->signal_fd, POLLIN, 0};

	/* Everything else is readable all the time while nobody reads it. */
	if (paused(s))
		return poll(&only_signals, 1, (int)wait_ms) >= 0 || errno == EINTR ? CV_OK
										    : CV_ERR_IO;
	return delivery_wait(s->delivery, extra, s->intake.ended ? 1 : 2, wait_ms);
}

static enum cv_err loop(struct sender *s)
{
	enum cv_err err = CV_OK;

	while (!err) {
		uint64_t wait_ms = 0;

		turn(s, &wait_ms);
		if (s->ending && (delivery_active(s->delivery) == 0 ||
					 clock_monotonic_ms() >= s->end_at_ms))
			return CV_OK;
		err = wait_for_work(s, wait_ms);
	}
	return err;
}

int sender_run(const struct sender_config *cfg)
{
	struct sender s = {.cfg = cfg, .signal_fd = -1};
	enum cv_err err = CV_ERR_INTERNAL;
	sigset_t before;

	if (sigprocmask(SIG_SETMASK, NULL, &before) != 0)
		return exit_code_of(CV_ERR_INTERNAL);
	err = sender_open(&s);
	if (!err) {
		if (cfg->ready)
			cfg->ready(cfg->context);
		err = loop(&s);
	}
	sender_close(&s);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return exit_code_of(err);
}
