#include "client.h"

#include <string.h>

#include "counter.h"
#include "link.h"
#include "port.h"
#include "protocol/crypto.h"
#include "report.h"

#define BODY_MAX (CV_EVIDENCE_MAX + 1024)

/* Everything with a secret in it is here, so that one wipe at the end covers it. */
struct boot {
	struct identity identity;
	struct evidence_platform platform;
	uint8_t boot_private[CV_X25519_BYTES];
	uint8_t boot_public[CV_X25519_BYTES];
	struct handshake handshake;
	struct link link;
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

static enum cv_err boot_prepare(struct boot *b, uint64_t give_up_ms)
{
	struct handshake_config config = {.sequential = 1, .purpose = EVIDENCE_UNLOCK};
	const char *problem = NULL;
	enum cv_err err = identity_load(&b->identity, &problem);

	if (err != CV_OK) {
		port_log("error: identity: a stored value cannot be used:");
		port_log(problem);
		return err == CV_ERR_SHARE_SET ? err : CV_ERR_CONFIG;
	}
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
				port_wait_ms((uint32_t)(wake_ms - now > 60000 ? 60000 : wake_ms - now));
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

static enum cv_err settings_load(struct boot *b, size_t *len)
{
	size_t blob_len = 0;
	enum cv_err err = port_nv_get("settings.sealed", b->blob, sizeof(b->blob), &blob_len);

	if (err == CV_OK)
		err = settings_open(b->settings, &b->identity.set, b->secret, b->blob, blob_len);
	if (err != CV_OK)
		return err == CV_ERR_SEAL ? CV_ERR_TAMPERED : err;
	*len = blob_len - SETTINGS_OVERHEAD;
	return CV_OK;
}

static enum cv_err boot_run(struct boot *b, struct client_result *r, uint64_t start_ms)
{
	enum cv_err err = unlock(b);

	r->shares = handshake_shares(&b->handshake);
	r->attempts = b->handshake.attempt;
	r->unlock_ms = port_monotonic_ms() - start_ms;
	r->key_instructions = port_instructions() - r->key_instructions;
	liars_report(b);
	if (err != CV_OK)
		return err;
	err = settings_load(b, &r->settings_len);
	if (err != CV_OK) {
		(void)report_event(
			&b->link, &b->handshake, DEVICE_EVENT_MOUNT_FAIL, "settings", NULL);
		return err;
	}
	port_mount_signal(1);
	r->events_accepted =
		report_event(&b->link, &b->handshake, DEVICE_EVENT_MOUNT_OK, NULL, NULL);
	return CV_OK;
}

void client_boot(struct client_result *result, uint64_t timeout_ms)
{
	struct boot *b = port_secret_memory(sizeof(*b));
	uint64_t start_ms = port_monotonic_ms();

	memset(result, 0, sizeof(*result));
	result->key_instructions = port_instructions();
	port_mount_signal(0);
	result->outcome = CV_ERR_MEMORY;
	if (b == NULL)
		return;
	b->link.tls.fd = -1;
	result->outcome = boot_prepare(b, timeout_ms == 0 ? 0 : start_ms + timeout_ms);
	result->threshold = b->identity.set.threshold;
	result->members = b->identity.set.count;
	if (result->outcome == CV_OK)
		result->outcome = boot_run(b, result, start_ms);
	result->handshakes = b->link.handshakes;
	result->full_instructions = b->link.full_instructions;
	result->resumed_instructions = b->link.resumed_instructions;
	if (result->outcome != CV_OK)
		port_mount_signal(0);
	link_free(&b->link);
	crypto_wipe(b, sizeof(*b));
}
