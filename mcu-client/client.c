#include "client.h"

#include <string.h>

#include "counter.h"
#include "floors.h"
#include "link.h"
#include "port.h"
#include "protocol/crypto.h"
#include "protocol/settings.h"
#include "report.h"
#include "watch.h"

#define BODY_MAX (CV_EVIDENCE_MAX + 1024)
#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_DOUBLINGS 5 /* to 30 s */
#define BACKOFF_MAX_MS 30000u

/* Everything with a secret in it is here, so that one wipe at the end covers it. */
struct boot {
	struct identity identity;
	struct evidence_platform platform;
	uint8_t boot_private[CV_X25519_BYTES];
	uint8_t boot_public[CV_X25519_BYTES];
	struct handshake handshake;
	struct link link;
	struct watch watch;
	uint8_t secret[CV_SECRET_BYTES];
	uint8_t settings[SETTINGS_PLAIN_MAX];
	char token[CV_EVIDENCE_MAX + 1];
	union { /* the last request is answered before the settings are opened */
		char body[BODY_MAX];
		uint8_t blob[SETTINGS_BLOB_MAX];
	};
};

/* The counter is durable before anything goes out, so that no boot id is used twice. */
static enum cv_err boot_id_next(struct evidence_platform *platform)
{
	enum cv_err err = counter_next("boot-counter", &platform->bootcount);

	if (err != CV_OK)
		return err;
	memset(platform->boot_id, 0, sizeof(platform->boot_id));
	counter_bytes(platform->boot_id + 8, platform->bootcount);
	return CV_OK;
}

/* What is stored wrongly stays so; what this board could not do now may work the next time. */
static enum cv_err identity_error(enum cv_err err)
{
	return err == CV_ERR_SHARE_SET || err == CV_ERR_TAMPERED || err == CV_ERR_MEMORY ||
			       err == CV_ERR_CRYPTO || err == CV_ERR_IO || err == CV_ERR_INTERNAL
		? err
		: CV_ERR_CONFIG;
}

static enum cv_err boot_prepare(struct boot *b, uint64_t give_up_ms)
{
	struct handshake_config config = {.sequential = 1, .purpose = EVIDENCE_UNLOCK};
	const char *problem = NULL;
	enum cv_err err = identity_load(&b->identity, &problem);

	if (err != CV_OK) {
		port_log("error: identity: a stored value cannot be used:");
		port_log(problem);
		return identity_error(err);
	}
	err = floors_check();
	if (err == CV_OK)
		err = port_platform(&b->platform);
	if (err == CV_OK)
		err = boot_id_next(&b->platform);
	if (err == CV_OK)
		err = crypto_x25519_keypair(b->boot_private, b->boot_public);
	if (err == CV_OK)
		err = link_init(&b->link, &b->identity);
	if (err != CV_OK)
		return err;
	config.fleet = b->identity.fleet;
	config.device = b->identity.device;
	config.share_set = &b->identity.set;
	config.mac_keys = (const uint8_t(*)[CV_MAC_KEY_BYTES])b->identity.mac_keys;
	config.boot_private = b->boot_private;
	config.boot_public = b->boot_public;
	config.platform = &b->platform;
	config.signer.sign = port_sign;
	config.give_up_ms = give_up_ms;
	config.token = b->token;
	config.body = b->body;
	config.body_cap = sizeof(b->body);
	return handshake_init(&b->handshake, &config, port_monotonic_ms());
}

/* What went wrong with a gateway, for whoever reads the board's console. */
static void answer_log(const struct handshake_member *m)
{
	if (m->denied) {
		port_log("warning: a gateway refused:");
		port_log(m->has_reason ? reason_code(m->reason) : "no reason given");
	} else if (m->fault != HANDSHAKE_FAULT_NONE) {
		port_log("warning: a gateway gave no usable answer:");
		port_log(handshake_fault_text(m->fault));
	}
}

static void exchange(struct boot *b, const struct handshake_request *r)
{
	const struct http_answer *a = &b->link.answer;
	enum handshake_fault fault = link_exchange(&b->link, r->member, r->target, r->mac_header,
		r->body, r->body_len, r->deadline_ms);

	if (fault == HANDSHAKE_FAULT_NONE)
		handshake_answer(&b->handshake, r->member, port_monotonic_ms(), a->status,
			a->has_mac ? a->mac_header : NULL, strlen(a->mac_header), a->body,
			a->body_len);
	else
		handshake_no_answer(&b->handshake, r->member, port_monotonic_ms(), fault);
	answer_log(&b->handshake.members[r->member]);
}

static void platform_refresh(struct boot *b)
{
	b->platform.uptime_s = port_monotonic_ms() / 1000;
	b->platform.iat_s = port_unix_s();
}

static enum cv_err unlock(struct boot *b)
{
	struct handshake_request request;
	uint64_t wake_ms = 0, now;

	for (;;) {
		platform_refresh(b);
		switch (handshake_next(&b->handshake, port_monotonic_ms(), &request, &wake_ms)) {
		case HANDSHAKE_SEND:
			exchange(b, &request);
			break;
		case HANDSHAKE_WAIT:
			tls_disconnect(&b->link.tls);
			now = port_monotonic_ms();
			if (wake_ms > now)
				port_wait_ms(
					(uint32_t)(wake_ms - now > 60000 ? 60000 : wake_ms - now));
			break;
		case HANDSHAKE_DONE:
			return handshake_secret(&b->handshake, b->secret);
		case HANDSHAKE_FAILED:
			return handshake_outcome(&b->handshake);
		}
	}
}

static void liars_report(struct boot *b)
{
	for (size_t i = 0; i < b->identity.set.count; i++)
		if (b->handshake.members[i].share_invalid)
			(void)report_event(&b->link, &b->handshake, DEVICE_EVENT_SHARE_INVALID,
				NULL, b->identity.set.members[i].gateway);
}

/* Opens the settings, checks them against what was seen before, gives them to the application. */
static enum cv_err settings_use(struct boot *b, struct settings_rules *rules, size_t *len)
{
	size_t blob_len = 0;
	enum cv_err err = port_nv_get("settings.sealed", b->blob, sizeof(b->blob), &blob_len);

	if (err == CV_OK)
		err = settings_open(b->settings, &b->identity.set, b->secret, b->blob, blob_len);
	if (err == CV_ERR_SEAL || err == CV_ERR_FORMAT || err == CV_ERR_TOO_LONG)
		err = CV_ERR_TAMPERED;
	if (err != CV_OK)
		return err;
	*len = blob_len - SETTINGS_OVERHEAD;
	err = settings_rules_decode(rules, (const char *)b->settings, *len);
	if (err == CV_ERR_FORMAT || err == CV_ERR_TYPE || err == CV_ERR_RANGE)
		return CV_ERR_CONFIG;
	if (err == CV_OK)
		err = floors_raise(rules);
	if (err == CV_OK)
		err = port_settings_apply((const char *)b->settings, *len);
	return err;
}

/* Mounted: from here on only what a status call needs is kept. */
static void secrets_drop(struct boot *b)
{
	handshake_wipe(&b->handshake);
	crypto_wipe(b->boot_private, sizeof(b->boot_private));
	crypto_wipe(b->secret, sizeof(b->secret));
	crypto_wipe(b->settings, sizeof(b->settings));
	crypto_wipe(b->token, sizeof(b->token));
	crypto_wipe(b->body, sizeof(b->body));
}

static enum cv_err boot_run(struct boot *b, struct client_result *r, uint64_t start_ms)
{
	struct settings_rules rules;
	enum cv_err err = unlock(b);

	r->shares = handshake_shares(&b->handshake);
	r->attempts = b->handshake.attempt;
	r->unlock_ms = port_monotonic_ms() - start_ms;
	r->key_instructions = port_instructions() - r->key_instructions;
	liars_report(b);
	if (err != CV_OK)
		return err;
	err = settings_use(b, &rules, &r->settings_len);
	if (err != CV_OK) {
		port_settings_forget();
		(void)report_event(&b->link, &b->handshake, DEVICE_EVENT_MOUNT_FAIL,
			err == CV_ERR_TOO_OLD ? "too_old" : "settings", NULL);
		return err;
	}
	port_mount_signal(1);
	r->events_accepted =
		report_event(&b->link, &b->handshake, DEVICE_EVENT_MOUNT_OK, NULL, NULL);
	link_rest(&b->link);
	watch_init(&b->watch, &rules, &b->handshake);
	secrets_drop(b);
	return CV_OK;
}

static void figures_take(struct client_result *r, const struct boot *b)
{
	r->handshakes = b->link.handshakes;
	r->full_handshakes = b->link.full_handshakes;
	r->full_instructions = b->link.full_instructions;
	r->resumed_instructions = b->link.resumed_instructions;
	r->status_calls = b->watch.calls;
}

static void boot_once(struct boot *b, struct client_result *r, uint64_t timeout_ms)
{
	uint64_t start_ms = port_monotonic_ms();

	memset(r, 0, sizeof(*r));
	r->key_instructions = port_instructions();
	b->link.tls.fd = -1;
	r->outcome = boot_prepare(b, timeout_ms == 0 ? 0 : start_ms + timeout_ms);
	r->threshold = b->identity.set.threshold;
	r->members = b->identity.set.count;
	if (r->outcome == CV_OK)
		r->outcome = boot_run(b, r, start_ms);
	figures_take(r, b);
}

static void stay(struct boot *b, struct client_result *r, uint64_t stay_ms)
{
	uint64_t until_ms =
		stay_ms == CLIENT_FOREVER ? CLIENT_FOREVER : port_monotonic_ms() + stay_ms;

	r->outcome = watch_run(&b->watch, &b->link, until_ms);
	figures_take(r, b);
	if (r->outcome == CV_OK)
		return;
	port_settings_forget();
	port_log(r->outcome == CV_ERR_DENIED
			? "locked again: so many gateways say revoked that no unlock can follow"
			: "locked again: the lease ended, too few gateways renewed it");
}

/* Trying again cannot help: somebody has to come. */
static int outcome_is_final(enum cv_err outcome)
{
	return outcome == CV_ERR_CONFIG || outcome == CV_ERR_SHARE_SET ||
	       outcome == CV_ERR_TAMPERED || outcome == CV_ERR_TOO_OLD;
}

/* Full jitter, as between the attempts of one handshake. */
static uint32_t backoff_ms(uint32_t n)
{
	uint32_t max = n < BACKOFF_DOUBLINGS ? BACKOFF_FIRST_MS << n : BACKOFF_MAX_MS, random = 0;

	if (crypto_random(&random, sizeof(random)) != CV_OK)
		return max;
	return random % (max + 1);
}

void client_run(struct client_result *result, const struct client_limits *limits)
{
	struct boot *b = port_secret_memory(sizeof(*b));

	memset(result, 0, sizeof(*result));
	port_mount_signal(0);
	result->outcome = CV_ERR_MEMORY;
	if (b == NULL)
		return;
	for (uint32_t n = 0;; n++) {
		boot_once(b, result, limits->timeout_ms);
		if (result->outcome == CV_OK) {
			n = 0;
			stay(b, result, limits->stay_ms);
		}
		if (result->outcome != CV_OK)
			port_mount_signal(0);
		link_free(&b->link);
		crypto_wipe(b, sizeof(*b));
		if (result->outcome == CV_OK || limits->timeout_ms != 0 ||
			outcome_is_final(result->outcome))
			return;
		port_wait_ms(result->outcome == CV_ERR_DENIED ? CV_DENIED_RETRY_MS : backoff_ms(n));
	}
}
