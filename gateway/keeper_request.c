#include "gateway/keeper_request.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/keeper_state.h"
#include "protocol/crypto.h"
#include "protocol/lp.h"

struct keeper_requests {
	struct keeper_request list[KEEPER_REQUESTS_MAX];
};

enum cv_err keeper_requests_open(struct keeper_requests **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? CV_ERR_MEMORY : CV_OK;
}

void keeper_requests_close(struct keeper_requests *all)
{
	free(all);
}

static enum cv_err make_number(uint64_t *number, const struct keeper *k, const char *device,
	const struct authorize_input *in)
{
	uint8_t text[512], hash[CV_HASH_BYTES];
	struct crypto_part part = { text, 0 };
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, text, sizeof(text), "conclave-approval-v1");
	lp_text(&lp, k->cfg->fleet);
	lp_text(&lp, device);
	lp_bytes(&lp, in->request->volume_id, CV_VOLUME_ID_BYTES);
	lp_u64(&lp, in->request->epoch);
	lp_bytes(&lp, in->evidence->boot_key, CV_X25519_BYTES);
	err = lp_end(&lp, &part.len);
	if (err == CV_OK)
		err = crypto_sha256(hash, &part, 1);
	if (err != CV_OK)
		return err;
	*number = 0;
	for (size_t i = 0; i < 8; i++)
		*number = *number << 8 | hash[i];
	*number = *number % (KEEPER_REQUEST_DIGITS - 1) + 1;
	return CV_OK;
}

static bool is_about(const struct keeper_request *r, const char *device,
	const struct authorize_input *in)
{
	return r->number != 0 && strcmp(r->device, device) == 0 &&
		r->epoch == in->request->epoch &&
		crypto_equal(r->volume_id, in->request->volume_id, CV_VOLUME_ID_BYTES) &&
		crypto_equal(r->boot_key, in->evidence->boot_key, CV_X25519_BYTES);
}

static bool is_over(const struct keeper *k, const struct keeper_request *r)
{
	return r->number != 0 && k->now_ms - r->seen_ms > KEEPER_REQUEST_MS;
}

/*
 * One place for each volume of a device: a new boot key makes what waited before pointless, and a
 * device with many keys crowds out nobody. Else a free place, or the one idle longest.
 */
static struct keeper_request *place(
	struct keeper *k, const char *device, const struct authorize_input *in)
{
	struct keeper_request *best = &k->requests->list[0];

	for (size_t i = 0; i < KEEPER_REQUESTS_MAX; i++) {
		struct keeper_request *r = &k->requests->list[i];

		if (r->number != 0 && strcmp(r->device, device) == 0 &&
			crypto_equal(r->volume_id, in->request->volume_id, CV_VOLUME_ID_BYTES))
			return r;
		if (best->number != 0 && (r->number == 0 || r->seen_ms < best->seen_ms))
			best = r;
	}
	return best;
}

/* Only the number: who asks, and for what, is told to operators who ask the gateway. */
static void alert(struct keeper *k, uint64_t number)
{
	struct event_alert alert;

	if (event_init(&alert, EVENT_APPROVAL_NEEDED, k->cfg->gateway, NULL, k->clock.now_s) ==
			CV_OK &&
		event_add_number(&alert, EVENT_KEY_request, number) == CV_OK)
		channel_alert(&k->alerts, &alert);
}

static void begin(struct keeper *k, struct keeper_request *r, const char *device,
	const struct authorize_input *in, uint64_t number)
{
	const uint64_t alerted_ms = strcmp(r->device, device) == 0 ? r->alerted_ms : 0;

	memset(r, 0, sizeof(*r));
	r->number = number;
	memcpy(r->device, device, strlen(device) + 1);
	memcpy(r->volume_id, in->request->volume_id, sizeof(r->volume_id));
	r->epoch = in->request->epoch;
	memcpy(r->boot_key, in->evidence->boot_key, sizeof(r->boot_key));
	r->first_s = k->clock.now_s;
	r->alerted_ms = alerted_ms;
	r->alert_due = true;
}

void keeper_request_note(
	struct keeper *k, const char *device, const struct authorize_input *in)
{
	struct keeper_request *r = place(k, device, in);
	uint64_t number = 0;

	if (!is_about(r, device, in) || is_over(k, r)) {
		if (make_number(&number, k, device, in) != CV_OK)
			return;
		begin(k, r, device, in, number);
	}
	r->seen_ms = k->now_ms;
	/* What is held back now comes with a later try. */
	if (!r->alert_due ||
		(r->alerted_ms != 0 && k->now_ms - r->alerted_ms < KEEPER_REQUEST_ALERT_MS))
		return;
	r->alert_due = false;
	r->alerted_ms = k->now_ms;
	alert(k, r->number);
}

void keeper_request_done(
	struct keeper *k, const char *device, const struct authorize_input *in)
{
	struct keeper_request *r = place(k, device, in);

	if (is_about(r, device, in))
		memset(r, 0, sizeof(*r));
}

const struct keeper_request *keeper_request_find(struct keeper *k, uint64_t number)
{
	const struct keeper_request *found = NULL, *r;
	size_t cursor = 0;

	while ((r = keeper_request_next(k, &cursor)) != NULL) {
		if (r->number != number)
			continue;
		if (found != NULL)
			return NULL;
		found = r;
	}
	return found;
}

const struct keeper_request *keeper_request_next(struct keeper *k, size_t *cursor)
{
	while (*cursor < KEEPER_REQUESTS_MAX) {
		struct keeper_request *r = &k->requests->list[(*cursor)++];

		if (is_over(k, r))
			memset(r, 0, sizeof(*r));
		if (r->number != 0)
			return r;
	}
	return NULL;
}
