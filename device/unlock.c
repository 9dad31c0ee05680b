#include "device/unlock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device/unlock_tpm.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/secret.h"
#include "protocol/crypto.h"

static bool has_tpm(const struct unlock *u)
{
	return u->identity.tpm.kind != 0;
}

static enum cv_err start_handshake(struct unlock *u)
{
	uint64_t now = clock_monotonic_ms();
	struct handshake_config config = {
		.fleet = u->identity.fleet,
		.device = u->identity.device,
		.share_set = &u->identity.share_set,
		.mac_keys = (const uint8_t(*)[CV_MAC_KEY_BYTES])u->identity.mac_keys,
		.boot_private = u->boot.private_key,
		.boot_public = u->boot.public_key,
		.platform = &u->platform,
		.signer = jws_key_signer(u->identity.attest_private),
		.make_quote = has_tpm(u) ? unlock_tpm_quote : NULL,
		.quote_context = u,
		.quote = &u->quote,
		.purpose = u->request.purpose,
		.give_up_ms = u->request.timeout_ms != 0 ? now + u->request.timeout_ms : 0,
		.token = u->token,
		.body = u->body,
		.body_cap = sizeof(u->body),
	};

	return handshake_init(&u->handshake, &config, now);
}

enum cv_err unlock_open(struct unlock **out, const struct unlock_request *request)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct unlock *u = secret_alloc(sizeof(*u));

	if (u == NULL) {
		log_error("memory: %s", secret_last_error());
		return CV_ERR_MEMORY;
	}
	u->request = *request;
	u->times.start_us = clock_monotonic_us();
	err = identity_load(&u->identity, request->state_dir);
	if (err != CV_OK)
		goto out;
	err = clock_boot_id(u->kernel_boot);
	memcpy(u->boot_id, u->kernel_boot, CV_BOOT_ID_BYTES);
	if (err == CV_OK && has_tpm(u)) {
		err = unlock_tpm_boot_id(u);
		if (err != CV_OK)
			goto out;
	}
	if (err == CV_OK)
		err = boot_key_load(&u->boot, request->run_dir, request->state_dir, u->kernel_boot);
	if (err == CV_OK)
		err = transport_open(&u->transport, &u->identity);
	/* before anything is sent: gpsd may need longer than a nonce lives */
	if (err == CV_OK)
		place_find(&u->place, request->settings, request->stop_fd);
	if (err == CV_OK && has_tpm(u))
		u->has_events = boot_events_read(&u->events, request->settings->event_log);
	/* the nonce request needs the boot id; the rest is collected while it travels */
	memcpy(u->platform.boot_id, u->boot_id, CV_BOOT_ID_BYTES);
	if (err == CV_OK)
		err = start_handshake(u);
	if (err != CV_OK)
		log_error("unlock: cannot start: %s", cv_err_text(err));
out:
	if (err != CV_OK) {
		unlock_close(u);
		return err;
	}
	u->times.loaded_us = clock_monotonic_us() - u->times.start_us;
	*out = u;
	return CV_OK;
}

void unlock_close(struct unlock *u)
{
	if (u == NULL)
		return;
	transport_close(u->transport);
	handshake_wipe(&u->handshake);
	identity_wipe(&u->identity);
	secret_free(u);
}

bool unlock_told_to_wait(const struct unlock *u, size_t member)
{
	const struct handshake_member *m = &u->handshake.members[member];

	return !m->denied && m->fault == HANDSHAKE_FAULT_NONE &&
	       (m->phase == HANDSHAKE_LATER || m->phase == HANDSHAKE_OUT);
}

const char *unlock_member_text(const struct unlock *u, size_t member)
{
	static char text[TRANSPORT_DETAIL_BUF + 64];
	const struct handshake_member *m = &u->handshake.members[member];
	bool check = u->request.purpose == EVIDENCE_CHECK;

	if (m->phase == HANDSHAKE_SHARE_HELD)
		return check ? "would release its share" : "released its share";
	if (m->denied) {
		snprintf(text, sizeof(text), "denied%s%s",
			m->has_reason ? ": " : ": it does not say why",
			m->has_reason ? reason_code(m->reason) : "");
		return text;
	}
	switch (m->fault) {
	case HANDSHAKE_FAULT_NONE:
		break;
	case HANDSHAKE_FAULT_REFUSED:
	case HANDSHAKE_FAULT_TIMEOUT:
	case HANDSHAKE_FAULT_TLS:
	case HANDSHAKE_FAULT_TRANSPORT:
		snprintf(text, sizeof(text), "no answer: %s",
			u->detail[member][0] != '\0' ? u->detail[member] :
						       handshake_fault_text(m->fault));
		return text;
	case HANDSHAKE_FAULT_MAC:
		return "no answer: what came was not authentic";
	case HANDSHAKE_FAULT_MESSAGE:
		return "its answer is not what the protocol says";
	case HANDSHAKE_FAULT_LOCAL:
		return "not asked: an error on this device";
	case HANDSHAKE_FAULT_SHARE:
		return "sent a wrong share: the commitment does not hold";
	}
	if (unlock_told_to_wait(u, member)) {
		snprintf(text, sizeof(text), "not now%s%s",
			m->has_reason ? ": " : ": it does not say why, try later",
			m->has_reason ? reason_code(m->reason) : "");
		return text;
	}
	if (u->handshake.attempt_error != CV_OK)
		return "answers; what failed is on this device";
	return u->handshake.outcome == CV_OK && u->handshake.finished ?
		"not needed: others were faster" :
		"answers, but not enough others do";
}

/* One line per gateway, and not the same again at every attempt. */
static void print_members(struct unlock *u)
{
	for (size_t i = 0; i < u->identity.share_set.count; i++) {
		const char *text = unlock_member_text(u, i);
		const char *gateway = u->identity.share_set.members[i].gateway;

		if (u->handshake.members[i].phase == HANDSHAKE_SHARE_HELD)
			log_debug("gateway %s: %s", gateway, text);
		else if (strcmp(text, u->told[i]) != 0)
			log_warning("gateway %s: %s", gateway, text);
		snprintf(u->told[i], sizeof(u->told[i]), "%s", text);
	}
}

enum cv_err unlock_follow_addresses(struct unlock *u)
{
	struct transport *fresh = NULL;
	int changed = 0;
	enum cv_err err;

	if (transport_busy_count(u->transport) > 0 ||
		identity_reload_addresses(&u->identity, &changed) != CV_OK || !changed)
		return CV_OK;
	log_info("gateways.json: other addresses from here on");
	transport_close(u->transport);
	u->transport = NULL;
	err = transport_open(&fresh, &u->identity);
	if (err == CV_OK)
		u->transport = fresh;
	return err;
}

/* What no other attempt will mend: an error on this device; a busy TPM is not one. */
static bool is_hopeless(enum cv_err err)
{
	return err != CV_OK && err != CV_ERR_BUSY && err != CV_ERR_TOO_FEW &&
	       err != CV_ERR_DENIED && err != CV_ERR_TIMEOUT && err != CV_ERR_SHARE_INVALID &&
	       err != CV_ERR_SHARE_SET;
}

static void attempt_report(struct unlock *u)
{
	const struct handshake *h = &u->handshake;
	uint64_t now = clock_monotonic_ms();

	u->reported = h->attempt;
	print_members(u);
	log_warning("attempt %u: %s: next in %.1f s", h->attempt,
		cv_err_text(handshake_outcome(h)),
		h->next_attempt_ms > now ? (double)(h->next_attempt_ms - now) / 1000 : 0.0);
}

static void deliver(struct unlock *u)
{
	struct transport_result r;
	uint64_t now = clock_monotonic_ms();

	while (transport_next(u->transport, &r)) {
		const char *gateway = u->identity.share_set.members[r.member].gateway;

		if (transport_dates_off(u->transport, r.member))
			log_warning("gateway %s: its certificate is outside its dates by this "
				    "clock: tolerated",
				gateway);
		u->detail[r.member][0] = '\0';
		if (r.fault != HANDSHAKE_FAULT_NONE) {
			snprintf(u->detail[r.member], sizeof(u->detail[0]), "%s", r.detail);
			log_debug("gateway %s: %s", gateway, r.detail);
			handshake_no_answer(&u->handshake, r.member, now, r.fault);
			continue;
		}
		log_debug("gateway %s: status %u", gateway, r.status);
		handshake_answer(&u->handshake, r.member, now, r.status, r.mac_header,
			r.mac_header_len, r.body, r.body_len);
	}
}

static enum cv_err send_request(struct unlock *u, const struct handshake_request *request)
{
	enum cv_err err = transport_send(u->transport, request->member, request->target,
		request->mac_header, request->body, request->body_len, request->deadline_ms);

	if (err == CV_ERR_BUSY) { /* the machine gave up on an answer that curl still waits for */
		handshake_no_answer(&u->handshake, request->member, clock_monotonic_ms(),
			HANDSHAKE_FAULT_TIMEOUT);
		return CV_OK;
	}
	return err;
}

/* Sends whatever the machine wants sent. */
static enum handshake_action ask_all(struct unlock *u, uint64_t *wake_ms, enum cv_err *err)
{
	struct handshake_request request;
	enum handshake_action action;

	*err = CV_OK;
	while ((action = handshake_next(
			&u->handshake, clock_monotonic_ms(), &request, wake_ms)) ==
			HANDSHAKE_SEND &&
		*err == CV_OK)
		*err = send_request(u, &request);
	if (u->handshake.tokens > 0 && u->times.token_us == 0)
		u->times.token_us = clock_monotonic_us() - u->times.start_us;
	return action;
}

static enum cv_err loop(struct unlock *u)
{
	uint64_t wake_ms = 0;
	enum cv_err err = CV_OK;

	for (;;) {
		if (u->handshake.next_attempt_ms != 0 &&
			clock_monotonic_ms() >= u->handshake.next_attempt_ms) {
			err = unlock_follow_addresses(u);
			place_find(&u->place, u->request.settings, u->request.stop_fd);
		}
		if (err != CV_OK)
			return err;
		place_claim(&u->platform, u->request.settings, &u->place, clock_monotonic_ms());
		enum handshake_action action = ask_all(u, &wake_ms, &err);

		if (err != CV_OK)
			return err;
		if (action == HANDSHAKE_DONE || action == HANDSHAKE_FAILED)
			return handshake_outcome(&u->handshake);
		if (u->handshake.next_attempt_ms != 0 && u->reported != u->handshake.attempt) {
			attempt_report(u);
			if (is_hopeless(handshake_outcome(&u->handshake)))
				return handshake_outcome(&u->handshake);
		}
		/* no use in waiting for an attempt that the deadline will not see */
		if (u->request.timeout_ms != 0 &&
			u->handshake.next_attempt_ms > u->handshake.config.give_up_ms)
			return handshake_outcome(&u->handshake);
		if (transport_wait(u->transport, wake_ms, u->request.stop_fd)) {
			u->stopped = true;
			return CV_ERR_TIMEOUT;
		}
		deliver(u);
	}
}

enum cv_err unlock_run(struct unlock *u)
{
	uint64_t wake_ms = 0;
	enum cv_err err = CV_OK;

	(void)ask_all(u, &wake_ms, &err);
	transport_push(u->transport);
	if (err == CV_OK)
		err = platform_collect(&u->platform, u->request.settings, u->request.state_dir,
			u->request.volumed_path, u->kernel_boot);
	if (err != CV_OK)
		return err;
	memcpy(u->platform.boot_id, u->boot_id, CV_BOOT_ID_BYTES);
	err = loop(u);
	u->times.done_us = clock_monotonic_us() - u->times.start_us;
	if (u->stopped) {
		log_error("unlock: stopped by a signal");
		return err;
	}
	if (u->request.purpose == EVIDENCE_CHECK)
		return err;
	if (err != CV_OK && u->reported != u->handshake.attempt)
		print_members(u);
	if (err != CV_OK)
		log_error("unlock: %s: %zu of %u shares", cv_err_text(err),
			handshake_shares(&u->handshake), u->identity.share_set.threshold);
	return err;
}

enum cv_err unlock_secret(const struct unlock *u, uint8_t secret[CV_SECRET_BYTES])
{
	return handshake_secret(&u->handshake, secret);
}

void unlock_forget_secret(struct unlock *u)
{
	crypto_wipe(u->handshake.secret, sizeof(u->handshake.secret));
	u->handshake.has_secret = 0;
	for (size_t i = 0; i < CV_MEMBERS_MAX; i++)
		crypto_wipe(u->handshake.members[i].share, CV_SECRET_BYTES);
}

void unlock_drain(struct unlock *u)
{
	uint64_t end = clock_monotonic_ms() + CV_GATEWAY_TIMEOUT_MS + UNLOCK_GRACE_MS;

	while (transport_busy_count(u->transport) > 0 && clock_monotonic_ms() < end) {
		(void)transport_wait(u->transport, end, -1);
		deliver(u);
	}
	/* a share that came late is not needed, and nothing is sealed to the boot key any more */
	unlock_forget_secret(u);
	crypto_wipe(&u->boot, sizeof(u->boot));
}
