#include "tests/unit/protocol/sim_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "sim_world: %s failed\n", what);
	abort();
}

static void broken(struct sim_world *w, const char *promise)
{
	if (w->violation == NULL)
		w->violation = promise;
}

static void events_drop(struct sim_world *w)
{
	for (size_t i = 0; i < w->event_count; i++)
		free(w->events[i].message);
	w->event_count = 0;
}

void sim_world_close(struct sim_world *w)
{
	events_drop(w);
	for (size_t i = 0; i < CV_MEMBERS_MAX; i++) {
		free(w->stored[i]);
		w->stored[i] = NULL;
	}
}

void sim_world_start(struct sim_world *w, size_t epoch, enum evidence_purpose purpose,
	int sequential, uint64_t give_up_ms)
{
	struct handshake_config config = {
		.fleet = "fleet",
		.device = "edge-1",
		.share_set = &w->epochs[epoch].set,
		.mac_keys = (const uint8_t(*)[CV_MAC_KEY_BYTES])w->mac_keys,
		.boot_private = w->boot_private,
		.boot_public = w->boot_public,
		.platform = &w->platform,
		.signer = jws_key_signer(sim_attestation_private),
		.purpose = purpose,
		.sequential = sequential,
		.give_up_ms = give_up_ms == 0 ? 0 : w->now_ms + give_up_ms,
		.random = sim_random_bytes,
		.random_context = &w->random,
		.token = w->token,
		.body = w->body,
		.body_cap = sizeof(w->body),
	};

	w->epoch = &w->epochs[epoch];
	w->denied_at_ms = 0;
	must(handshake_init(&w->handshake, &config, w->now_ms) == CV_OK, "handshake_init");
}

void sim_world_crash(struct sim_world *w)
{
	handshake_wipe(&w->handshake);
	events_drop(w);
	memset(w->flights, 0, sizeof(w->flights));
}

void sim_schedule(struct sim_world *w, uint64_t delay_ms, enum sim_event_kind kind,
	const struct sim_event *about, const struct sim_message *message)
{
	struct sim_event *e = &w->events[w->event_count];

	must(w->event_count < SIM_EVENTS_MAX, "room for events");
	*e = *about;
	e->at_ms = w->now_ms + delay_ms;
	e->order = w->event_order++;
	e->kind = kind;
	e->message = NULL;
	if (message != NULL) {
		e->message = malloc(sizeof(*message));
		must(e->message != NULL, "malloc");
		*e->message = *message;
	}
	w->event_count++;
}

void sim_world_gateway_restart(struct sim_world *w, size_t gateway, uint64_t at_ms)
{
	struct sim_event about = {.gateway = gateway, .member = gateway};

	sim_schedule(w, at_ms, SIM_GATEWAY_RESTART, &about, NULL);
}

static size_t event_first(const struct sim_world *w)
{
	size_t first = 0;

	for (size_t i = 1; i < w->event_count; i++) {
		const struct sim_event *a = &w->events[i], *b = &w->events[first];

		if (a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order))
			first = i;
	}
	return first;
}

static void send_request(struct sim_world *w, const struct handshake_request *r)
{
	static struct sim_message m;
	struct sim_flight *f = &w->flights[r->member];
	struct sim_event about = {.member = r->member, .gateway = r->member};

	if (f->open && !w->forgetful)
		broken(w, "at most one request is under way per member");
	if (r->deadline_ms <= w->now_ms || r->deadline_ms > w->now_ms + CV_GATEWAY_TIMEOUT_MS)
		broken(w, "each request has its two seconds and no more");
	if (w->denied_at_ms != 0 && w->now_ms < w->denied_at_ms + CV_DENIED_RETRY_MS)
		broken(w, "after N-K+1 refusals the next attempt waits five minutes");
	w->denied_at_ms = 0;
	memset(&m, 0, sizeof(m));
	snprintf(m.target, sizeof(m.target), "%s", r->target);
	snprintf(m.header, sizeof(m.header), "%s", r->mac_header);
	m.header_len = strlen(m.header);
	m.has_header = 1;
	must(r->body_len <= sizeof(m.body), "room for a body");
	memcpy(m.body, r->body, r->body_len);
	m.body_len = r->body_len;
	m.member = r->member;
	f->open = 1;
	about.number = ++f->number;
	memcpy(f->header, m.header, sizeof(f->header));
	if (!w->forgetful)
		sim_schedule(w, r->deadline_ms - w->now_ms, SIM_TIMEOUT, &about, NULL);
	sim_network_request(w, &about, &m);
}

static void at_gateway(struct sim_world *w, const struct sim_event *e)
{
	static struct sim_message answer;
	struct sim_gateway *g = &w->gateways[e->gateway];
	unsigned int authentic = g->authentic;

	if (!sim_gateway_serve(g, w->now_ms, e->message, &answer))
		return;
	if (g->authentic != authentic && (e->message->changed || e->message->member != e->gateway))
		broken(w, "a changed request, or one for another gateway, is refused");
	answer.member = e->gateway;
	sim_network_answer(w, e, &answer);
}

/* What an answer that nobody can have made may do: count as none. */
static void check_unauthentic(struct sim_world *w, const struct handshake_member *before,
	const struct handshake_member *after)
{
	struct handshake_member expected = *before;

	expected.phase = HANDSHAKE_OUT;
	expected.fault = HANDSHAKE_FAULT_MAC;
	if (memcmp(&expected, after, sizeof(expected)) != 0)
		broken(w, "an answer that is not authentic counts as no answer");
}

static void check_authentic(struct sim_world *w, const struct sim_message *m,
	const struct handshake_member *before, const struct handshake_member *after)
{
	int lie = m->lie && before->phase == HANDSHAKE_AUTHORIZE_SENT &&
		w->handshake.config.purpose == EVIDENCE_UNLOCK;

	if (lie && (!after->share_invalid || after->fault != HANDSHAKE_FAULT_SHARE))
		broken(w, "a liar is named");
	if (!lie && after->share_invalid != before->share_invalid)
		broken(w, "nobody else is named");
	if (after->phase == HANDSHAKE_LATER &&
		after->not_before_ms > w->now_ms + (CV_RETRY_AFTER_MAX_S + 1) * 1000)
		broken(w, "a year of Retry-After is capped");
}

static void hear(struct sim_world *w, const struct sim_event *e)
{
	static struct handshake before;
	struct sim_flight *f = &w->flights[e->member];
	const struct sim_message *m = e->message;
	int expected = f->open && f->number == e->number;
	int over = w->handshake.finished && w->handshake.outcome != CV_OK;
	int authentic = m->has_header && !m->changed && m->member == e->member &&
		strcmp(m->answers, f->header) == 0;

	/* A careful driver drops what it does not wait for; this one shows it to the machine. */
	if (!expected && f->open)
		return;
	before = w->handshake;
	handshake_answer(&w->handshake, e->member, w->now_ms, m->status,
		m->has_header ? m->header : NULL, m->header_len, m->body, m->body_len);
	f->open = 0;
	if (!expected || over || (before.members[e->member].phase != HANDSHAKE_NONCE_SENT &&
				 before.members[e->member].phase != HANDSHAKE_AUTHORIZE_SENT)) {
		if (memcmp(&before, &w->handshake, sizeof(before)) != 0)
			broken(w, "an answer that nobody waits for changes nothing");
		return;
	}
	if (authentic)
		check_authentic(w, m, &before.members[e->member], &w->handshake.members[e->member]);
	else
		check_unauthentic(
			w, &before.members[e->member], &w->handshake.members[e->member]);
}

static void event_happen(struct sim_world *w, const struct sim_event *e)
{
	struct sim_flight *f = &w->flights[e->member];
	static const char *const names[] = {"at gateway", "at device", "connection refused",
		"timeout", "gateway restart"};

	if (w->trace)
		fprintf(stderr, "%8llu %s member %zu gateway %zu #%u %s\n",
			(unsigned long long)w->now_ms, names[e->kind], e->member, e->gateway,
			e->number, sim_conduct_name(w->gateways[e->gateway].conduct));
	switch (e->kind) {
	case SIM_AT_GATEWAY:
		at_gateway(w, e);
		break;
	case SIM_AT_DEVICE:
		hear(w, e);
		break;
	case SIM_CONNECTION_REFUSED:
	case SIM_TIMEOUT:
		if (!f->open || f->number != e->number)
			break;
		f->open = 0;
		handshake_no_answer(&w->handshake, e->member, w->now_ms,
			e->kind == SIM_TIMEOUT ? HANDSHAKE_FAULT_TIMEOUT : HANDSHAKE_FAULT_REFUSED);
		break;
	case SIM_GATEWAY_RESTART:
		sim_gateway_restart(&w->gateways[e->gateway]);
		break;
	}
}

static void event_pop(struct sim_world *w)
{
	size_t first = event_first(w);
	struct sim_event e = w->events[first];

	w->events[first] = w->events[--w->event_count];
	w->now_ms = e.at_ms;
	w->steps++;
	event_happen(w, &e);
	free(e.message);
}

/* Shares may be in the handshake only while an attempt is open. */
static void check_no_share_is_left(struct sim_world *w)
{
	for (size_t e = 0; e < SIM_EPOCHS; e++) {
		for (size_t i = 0; i < w->n; i++) {
			if (w->k > 1 && memmem(&w->handshake, sizeof(w->handshake),
						w->epochs[e].shares[i], CV_SECRET_BYTES) != NULL)
				broken(w, "shares are wiped when an attempt ends");
		}
		if (w->handshake.has_secret == 0 &&
			memmem(&w->handshake, sizeof(w->handshake), w->epochs[e].secret,
				CV_SECRET_BYTES) != NULL &&
			w->k > 1)
			broken(w, "no secret stays behind without success");
	}
}

static void check_wait(struct sim_world *w, uint64_t wake_ms)
{
	const struct handshake *h = &w->handshake;

	if (wake_ms <= w->now_ms)
		broken(w, "a wait ends in the future");
	if (wake_ms == UINT64_MAX)
		broken(w, "a wait ends");
	if (h->next_attempt_ms == 0)
		return;
	check_no_share_is_left(w);
	if (handshake_denials(h) >= w->n - w->k + 1 && w->denied_at_ms == 0)
		w->denied_at_ms = w->now_ms;
}

static void check_done(struct sim_world *w)
{
	uint8_t secret[CV_SECRET_BYTES];
	size_t released = 0;

	if (w->handshake.config.purpose == EVIDENCE_CHECK) {
		if (handshake_secret(&w->handshake, secret) == CV_OK)
			broken(w, "a check gives no secret");
		return;
	}
	for (size_t i = 0; i < w->n; i++)
		released += w->gateways[i].releases > 0 &&
			w->gateways[i].release_epoch == w->epoch->set.epoch &&
			w->gateways[i].release_ms >= w->handshake.attempt_start_ms;
	if (released < w->k)
		broken(w, "fewer than K releases never give the secret");
	if (handshake_secret(&w->handshake, secret) != CV_OK ||
		memcmp(secret, w->epoch->secret, sizeof(secret)) != 0)
		broken(w, "what is given is the secret of this epoch");
	if (handshake_outcome(&w->handshake) != CV_OK)
		broken(w, "success is called success");
	check_no_share_is_left(w);
}

static void check_failed(struct sim_world *w)
{
	uint8_t secret[CV_SECRET_BYTES], zero[CV_SECRET_BYTES] = {0};

	if (w->now_ms < w->handshake.config.give_up_ms)
		broken(w, "nobody gives up before the deadline");
	if (handshake_secret(&w->handshake, secret) == CV_OK ||
		memcmp(secret, zero, sizeof(zero)) != 0)
		broken(w, "a failure gives no secret");
	if (handshake_outcome(&w->handshake) == CV_OK)
		broken(w, "a failure is called a failure");
	check_no_share_is_left(w);
}

/* Steps the machine until it waits or ends. */
static enum handshake_action drive(struct sim_world *w, uint64_t *wake_ms)
{
	struct handshake_request request;
	enum handshake_action action;
	unsigned int sent = 0;

	while ((action = handshake_next(&w->handshake, w->now_ms, &request, wake_ms)) ==
			HANDSHAKE_SEND &&
		w->violation == NULL) {
		size_t flying = 0;

		send_request(w, &request);
		for (size_t i = 0; i < w->n; i++)
			flying += w->handshake.members[i].phase == HANDSHAKE_NONCE_SENT ||
				w->handshake.members[i].phase == HANDSHAKE_AUTHORIZE_SENT;
		if (w->handshake.config.sequential && flying > 1)
			broken(w, "a sequential client talks to one gateway at a time");
		if (++sent > CV_MEMBERS_MAX)
			broken(w, "no more requests than members without an event between");
	}
	return action;
}

enum handshake_action sim_world_run(struct sim_world *w, unsigned int steps)
{
	uint64_t wake_ms = 0;
	unsigned int last = w->steps + steps;

	while (w->violation == NULL && w->steps < last) {
		enum handshake_action action = drive(w, &wake_ms);

		if (action == HANDSHAKE_DONE || action == HANDSHAKE_FAILED) {
			uint64_t ended_ms = w->now_ms;

			while (w->event_count > 0)
				event_pop(w);
			w->now_ms = ended_ms;
			if (action == HANDSHAKE_DONE)
				check_done(w);
			else
				check_failed(w);
			return action;
		}
		check_wait(w, wake_ms);
		if (w->event_count > 0 && w->events[event_first(w)].at_ms <= wake_ms)
			event_pop(w);
		else
			w->now_ms = wake_ms;
	}
	return HANDSHAKE_WAIT;
}
