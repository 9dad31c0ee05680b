/* The network, and whoever sits on it or in a gateway's front: every fault that needs no MAC key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/protocol/sim_world.h"

enum request_fault { REQ_NONE, REQ_DROP, REQ_REFUSE, REQ_SLOW, REQ_DUPLICATE, REQ_CORRUPT,
	REQ_MISROUTE, REQ_FAULTS };

enum answer_fault { ANS_NONE, ANS_DROP, ANS_SLOW, ANS_DUPLICATE, ANS_CORRUPT, ANS_TRUNCATE,
	ANS_APPEND, ANS_REPLAY, ANS_SWAP, ANS_FORGE_NO, ANS_FORGE_LATER, ANS_FORGE_MAC, ANS_STATUS,
	ANS_NO_HEADER, ANS_FAULTS };

static uint64_t latency(struct sim_world *w)
{
	return 1 + sim_below(&w->random, SIM_LATENCY_MS);
}

static int fault_happens(struct sim_world *w, size_t member)
{
	switch (w->paths[member]) {
	case SIM_CLEAN:
	case SIM_DEAD:
		return 0;
	case SIM_HOSTILE:
		return sim_chance(&w->random, 50);
	case SIM_FLAKY:
		if (w->fault_budget[member] == 0 || sim_chance(&w->random, 30))
			return 0;
		w->fault_budget[member]--;
		return 1;
	}
	return 0;
}

/* Flips 1 to 8 bits; says so only if the bytes are really others in the end. */
static void corrupt(struct sim_world *w, struct sim_message *m)
{
	static struct sim_message before;
	size_t flips = 1 + (size_t)sim_below(&w->random, 8);

	before = *m;
	for (size_t i = 0; i < flips; i++) {
		uint8_t bit = (uint8_t)(1u << sim_below(&w->random, 8));
		size_t at = (size_t)sim_below(
			&w->random, m->body_len + m->header_len + strlen(m->target) + 1);

		if (at < m->body_len)
			m->body[at] ^= (char)bit;
		else if (at < m->body_len + m->header_len)
			m->header[at - m->body_len] ^= (char)bit;
		else if (m->target[0] != '\0')
			m->target[sim_below(&w->random, strlen(m->target))] ^= 1;
		else
			m->status ^= bit;
	}
	m->changed |= m->status != before.status || memcmp(m->body, before.body, m->body_len) != 0 ||
		memcmp(m->header, before.header, m->header_len) != 0 ||
		strcmp(m->target, before.target) != 0;
}

void sim_network_request(
	struct sim_world *w, const struct sim_event *about, const struct sim_message *request)
{
	static struct sim_message copy;
	struct sim_event e = *about;
	enum request_fault fault = REQ_NONE;

	copy = *request;
	if (w->paths[about->member] == SIM_DEAD)
		fault = sim_chance(&w->random, 50) ? REQ_DROP : REQ_REFUSE;
	else if (fault_happens(w, about->member))
		fault = (enum request_fault)sim_below(&w->random, REQ_FAULTS);
	switch (fault) {
	case REQ_DROP:
		return;
	case REQ_REFUSE:
		sim_schedule(w, latency(w), SIM_CONNECTION_REFUSED, &e, NULL);
		return;
	case REQ_SLOW:
		sim_schedule(w, sim_below(&w->random, 6000), SIM_AT_GATEWAY, &e, &copy);
		return;
	case REQ_DUPLICATE:
		sim_schedule(w, latency(w) * 2, SIM_AT_GATEWAY, &e, &copy);
		break;
	case REQ_CORRUPT:
		corrupt(w, &copy);
		break;
	case REQ_MISROUTE:
		e.gateway = (size_t)sim_below(&w->random, w->n);
		break;
	case REQ_NONE:
	case REQ_FAULTS:
		break;
	}
	sim_schedule(w, latency(w), SIM_AT_GATEWAY, &e, &copy);
}

static void forge(struct sim_world *w, struct sim_message *m, enum answer_fault fault)
{
	static const char no[] = "{\"type\":\"about:blank\",\"title\":\"refused\",\"status\":403,"
				 "\"retry\":\"no\",\"reason\":\"device_revoked\"}";
	static const char later[] = "{\"type\":\"about:blank\",\"title\":\"busy\",\"status\":503,"
				    "\"retry\":\"later\",\"retry_after\":31536000}";
	const char *text = fault == ANS_FORGE_LATER ? later : no;
	uint8_t mac[CV_MAC_BYTES];

	m->changed = 1;
	m->status = fault == ANS_FORGE_LATER ? 503 : 403;
	m->body_len = strlen(text);
	memcpy(m->body, text, m->body_len);
	m->has_header = fault == ANS_FORGE_MAC;
	if (m->has_header) {
		sim_fill(&w->random, mac, sizeof(mac));
		if (mac_response_header(m->header, mac) != CV_OK)
			abort();
		m->header_len = strlen(m->header);
	}
}

static void substitute(struct sim_world *w, struct sim_message *m, size_t member)
{
	if (w->stored[member] != NULL)
		*m = *w->stored[member];
}

/* One that holds for as long as it is in the network's memory, to be replayed. */
static void store(struct sim_world *w, size_t member, const struct sim_message *answer)
{
	if (!answer->has_header || sim_chance(&w->random, 50))
		return;
	if (w->stored[member] == NULL)
		w->stored[member] = malloc(sizeof(*answer));
	if (w->stored[member] == NULL)
		abort();
	*w->stored[member] = *answer;
}

static void mangle(struct sim_world *w, struct sim_message *m, size_t member, enum answer_fault fault)
{
	switch (fault) {
	case ANS_CORRUPT:
		corrupt(w, m);
		break;
	case ANS_TRUNCATE:
		if (m->body_len > 0)
			m->body_len = (size_t)sim_below(&w->random, m->body_len);
		else
			m->status++;
		m->changed = 1;
		break;
	case ANS_APPEND:
		m->body[m->body_len++] = ' ';
		m->changed = 1;
		break;
	case ANS_REPLAY:
		substitute(w, m, member);
		break;
	case ANS_SWAP:
		substitute(w, m, (size_t)sim_below(&w->random, w->n));
		break;
	case ANS_FORGE_NO:
	case ANS_FORGE_LATER:
	case ANS_FORGE_MAC:
		forge(w, m, fault);
		break;
	case ANS_STATUS:
		m->status = m->status == 200 ? 403 : 200;
		m->changed = 1;
		break;
	case ANS_NO_HEADER:
		m->has_header = 0;
		m->changed = 1;
		break;
	case ANS_NONE:
	case ANS_DROP:
	case ANS_SLOW:
	case ANS_DUPLICATE:
	case ANS_FAULTS:
		break;
	}
}

void sim_network_answer(
	struct sim_world *w, const struct sim_event *about, const struct sim_message *answer)
{
	static struct sim_message copy;
	enum answer_fault fault = ANS_NONE;
	uint64_t delay_ms = latency(w);

	if (fault_happens(w, about->member))
		fault = (enum answer_fault)sim_below(&w->random, ANS_FAULTS);
	if (fault == ANS_DROP)
		return;
	copy = *answer;
	mangle(w, &copy, about->member, fault);
	store(w, about->gateway, answer);
	if (fault == ANS_SLOW)
		delay_ms = sim_below(&w->random, 6000);
	if (fault == ANS_DUPLICATE)
		sim_schedule(w, delay_ms + latency(w), SIM_AT_DEVICE, about, &copy);
	sim_schedule(w, delay_ms, SIM_AT_DEVICE, about, &copy);
}
