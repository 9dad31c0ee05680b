#include "notify/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/file.h"
#include "host/log.h"
#include "host/secret.h"
#include "notify/backoff.h"
#include "notify/request.h"
#include "protocol/crypto.h"

#define WAIT_MAX_MS 60000
#define CA_FILE_MAX (1 << 20)
#define PARALLEL_MAX DELIVERY_WEBHOOK_PARALLEL

struct target {
	const struct destination *destination;
	struct destination_secret *secret;
	struct request requests[PARALLEL_MAX];
	size_t request_count;
	size_t active;
	uint32_t failures; /* in a row; above 0 the destination is down */
	uint64_t quiet_until_ms; /* monotonic */
};

struct delivery {
	CURLM *multi;
	struct outbox *outbox;
	struct curl_blob roots; /* data NULL: the system's */
	uint32_t backoff_ms;
	uint32_t backoff_max_ms;
	struct target targets[DESTINATIONS_MAX];
	size_t target_count;
};

/* Jitter only: without randomness a constant does. */
static uint32_t jitter(void)
{
	uint32_t n = 0;

	return crypto_random(&n, sizeof(n)) == CV_OK ? n : 0;
}

/* In memory, since the sandbox closes the file system. */
static enum cv_err read_roots(struct delivery *dl, const char *ca_file)
{
	uint8_t *text = NULL;
	enum cv_err err;

	if (!ca_file)
		return CV_OK;
	err = file_read(&text, &dl->roots.len, ca_file, CA_FILE_MAX);
	if (err) {
		log_error("alerts: roots %s: %s", ca_file, cv_err_text(err));
		return err;
	}
	dl->roots.data = text;
	dl->roots.flags = CURL_BLOB_NOCOPY;
	return CV_OK;
}

static enum cv_err open_target(
	struct target *t, const struct sender_config *cfg, const struct curl_blob *roots)
{
	const struct destination *d = t->destination;
	char why[DESTINATION_WHY_MAX] = "";
	enum cv_err err = CV_ERR_INTERNAL;

	t->secret = secret_alloc(sizeof(*t->secret));
	if (!t->secret) {
		log_error("alerts: %s: %s", d->name, secret_last_error());
		return CV_ERR_MEMORY;
	}
	err = destination_load(t->secret, d, cfg->allow_http, why);
	if (err) {
		log_error("alerts: %s: %s", d->name, why);
		return err;
	}
	t->request_count = d->kind == DESTINATION_TELEGRAM ? DELIVERY_TELEGRAM_PARALLEL
							   : DELIVERY_WEBHOOK_PARALLEL;
	for (size_t i = 0; i < t->request_count && !err; i++)
		err = request_open(&t->requests[i], cfg, roots->data ? roots : NULL, d->kind,
			t->secret);
	return err;
}

enum cv_err delivery_open(
	struct delivery **out, const struct sender_config *cfg, struct outbox *ob)
{
	struct delivery *dl = calloc(1, sizeof(*dl));
	enum cv_err err = CV_ERR_INTERNAL;

	if (!dl)
		return CV_ERR_MEMORY;
	dl->outbox = ob;
	dl->backoff_ms = cfg->backoff_ms ? cfg->backoff_ms : SENDER_BACKOFF_MS_DEFAULT;
	dl->backoff_max_ms =
		cfg->backoff_max_ms ? cfg->backoff_max_ms : SENDER_BACKOFF_MAX_MS_DEFAULT;
	dl->multi = curl_multi_init();
	err = dl->multi ? read_roots(dl, cfg->ca_file) : CV_ERR_MEMORY;
	for (size_t i = 0; i < cfg->destination_count && !err; i++) {
		dl->target_count = i + 1;
		dl->targets[i].destination = &cfg->destinations[i];
		err = open_target(&dl->targets[i], cfg, &dl->roots);
	}
	if (err)
		delivery_close(dl);
	else
		*out = dl;
	return err;
}

void delivery_close(struct delivery *dl)
{
	if (!dl)
		return;
	for (size_t i = 0; i < dl->target_count; i++) {
		struct target *t = &dl->targets[i];

		for (size_t j = 0; j < t->request_count; j++) {
			if (t->requests[j].busy)
				curl_multi_remove_handle(dl->multi, t->requests[j].easy);
			request_close(&t->requests[j]);
		}
		secret_free(t->secret);
	}
	curl_multi_cleanup(dl->multi);
	free(dl->roots.data);
	free(dl);
}

static struct request *idle_request(struct target *t)
{
	for (size_t i = 0; i < t->request_count; i++) {
		if (!t->requests[i].busy)
			return &t->requests[i];
	}
	return NULL;
}

static enum cv_err start(struct delivery *dl, struct target *t, const struct outbox_entry *entry)
{
	struct request *rq = idle_request(t);
	enum cv_err err = CV_ERR_INTERNAL;

	rq->entry = *entry;
	err = request_prepare(
		rq, t->destination->kind, t->secret, (uint64_t)clock_wall_ms() / 1000);
	if (err)
		return err;
	if (curl_multi_add_handle(dl->multi, rq->easy) != CURLM_OK)
		return CV_ERR_INTERNAL;
	rq->busy = true;
	t->active++;
	return CV_OK;
}

/* An alert that cannot even be made into a request is charged as a failed attempt. */
static enum cv_err record_failure(
	struct delivery *dl, size_t index, int64_t seq, uint64_t at_least_ms)
{
	bool buried = false;
	enum cv_err err = outbox_failed(dl->outbox, index, seq, (uint64_t)clock_wall_ms(),
		at_least_ms, jitter(), &buried);

	if (!err && buried)
		log_warning("alerts: %s: an alert is now a dead letter: too many attempts failed",
			dl->targets[index].destination->name);
	return err;
}

/* How many more may start: one at a time, and only after the backoff, while it is down. */
static size_t allowance(const struct target *t, uint64_t now_ms)
{
	if (t->failures == 0)
		return t->request_count - t->active;
	return now_ms >= t->quiet_until_ms && t->active == 0 ? 1 : 0;
}

static enum cv_err start_due(struct delivery *dl, size_t index, uint64_t now_ms,
	uint64_t *wait_ms, size_t *started)
{
	struct target *t = &dl->targets[index];
	struct outbox_entry entries[PARALLEL_MAX];
	int64_t skip[PARALLEL_MAX];
	size_t skip_count = 0, count = 0, may = allowance(t, now_ms);
	uint64_t next_ms = UINT64_MAX;
	enum cv_err err = CV_ERR_INTERNAL;

	if (may == 0) {
		if (t->active == 0 && t->quiet_until_ms - now_ms < *wait_ms)
			*wait_ms = t->quiet_until_ms - now_ms;
		return CV_OK;
	}
	for (size_t i = 0; i < t->request_count; i++) {
		if (t->requests[i].busy)
			skip[skip_count++] = t->requests[i].entry.seq;
	}
	err = outbox_due(dl->outbox, index, (uint64_t)clock_wall_ms(), skip, skip_count, entries,
		may, &count, &next_ms);
	for (size_t i = 0; i < count && !err; i++) {
		if (start(dl, t, &entries[i]) == CV_OK)
			++*started;
		else
			err = record_failure(dl, index, entries[i].seq, 0);
	}
	if (next_ms < *wait_ms)
		*wait_ms = next_ms;
	return err;
}

static void target_up(struct target *t)
{
	if (t->failures > 0)
		log_info("alerts: %s: delivering again after %u failures", t->destination->name,
			t->failures);
	t->failures = 0;
}

static void target_down(struct delivery *dl, struct target *t, CURLcode code, long status,
	uint64_t retry_after_ms)
{
	uint64_t now_ms = clock_monotonic_ms(), wait_ms;

	if (t->failures == 0 && status)
		log_warning("alerts: %s: not delivered, will try again: HTTP status %ld",
			t->destination->name, status);
	else if (t->failures == 0)
		log_warning("alerts: %s: not delivered, will try again: %s", t->destination->name,
			curl_easy_strerror(code));
	/* Several that were under way together are one failure. */
	if (t->failures == 0 || now_ms >= t->quiet_until_ms)
		t->failures += t->failures < UINT32_MAX;
	wait_ms = backoff_ms(t->failures, dl->backoff_ms, dl->backoff_max_ms, jitter());
	if (wait_ms < retry_after_ms)
		wait_ms = retry_after_ms;
	if (wait_ms > dl->backoff_max_ms)
		wait_ms = dl->backoff_max_ms;
	t->quiet_until_ms = now_ms + wait_ms;
}

static enum cv_err finish(struct delivery *dl, size_t index, struct request *rq, CURLcode code)
{
	struct target *t = &dl->targets[index];
	uint64_t retry_after_ms = 0;
	long status = 0;

	enum request_result result =
		request_judge(rq, t->destination->kind, code, &status, &retry_after_ms);
	curl_multi_remove_handle(dl->multi, rq->easy);
	rq->busy = false;
	t->active--;
	switch (result) {
	case REQUEST_DELIVERED:
		target_up(t);
		return outbox_delivered(dl->outbox, index, rq->entry.seq);
	case REQUEST_REFUSED:
		target_up(t);
		log_warning("alerts: %s: an alert was refused: HTTP status %ld",
			t->destination->name, status);
		break;
	case REQUEST_FAILED:
		target_down(dl, t, code, status, retry_after_ms);
		break;
	}
	return record_failure(dl, index, rq->entry.seq, retry_after_ms);
}

static enum cv_err finish_handle(struct delivery *dl, const CURLMsg *message)
{
	CURLcode code = message->data.result;
	CURL *easy = message->easy_handle;

	for (size_t i = 0; i < dl->target_count; i++) {
		struct target *t = &dl->targets[i];

		for (size_t j = 0; j < t->request_count; j++) {
			if (t->requests[j].easy == easy)
				return finish(dl, i, &t->requests[j], code);
		}
	}
	return CV_ERR_INTERNAL;
}

static enum cv_err finish_done(struct delivery *dl)
{
	enum cv_err err = CV_OK;
	const CURLMsg *message;
	int running = 0, left = 0;

	if (curl_multi_perform(dl->multi, &running) != CURLM_OK)
		return CV_ERR_INTERNAL;
	while (!err && (message = curl_multi_info_read(dl->multi, &left)) != NULL) {
		if (message->msg == CURLMSG_DONE)
			err = finish_handle(dl, message);
	}
	return err;
}

/* Goes on until nothing new starts: curl_multi_poll would not wake for what has ended already. */
enum cv_err delivery_step(struct delivery *dl, uint64_t *wait_ms)
{
	enum cv_err err = CV_ERR_INTERNAL;
	uint64_t wait;
	size_t started;

	do {
		started = 0;
		wait = WAIT_MAX_MS;
		err = finish_done(dl);
		for (size_t i = 0; i < dl->target_count && !err; i++)
			err = start_due(dl, i, clock_monotonic_ms(), &wait, &started);
	} while (!err && started > 0);
	*wait_ms = wait;
	return err;
}

enum cv_err delivery_wait(
	struct delivery *dl, struct curl_waitfd *extra, unsigned extra_count, uint64_t wait_ms)
{
	int timeout = wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)wait_ms;
	int ready = 0;

	return curl_multi_poll(dl->multi, extra, extra_count, timeout, &ready) == CURLM_OK
		       ? CV_OK
		       : CV_ERR_INTERNAL;
}

size_t delivery_active(const struct delivery *dl)
{
	size_t n = 0;

	for (size_t i = 0; i < dl->target_count; i++)
		n += dl->targets[i].active;
	return n;
}

bool delivery_is_up(const struct delivery *dl, size_t destination)
{
	return dl->targets[destination].failures == 0;
}
