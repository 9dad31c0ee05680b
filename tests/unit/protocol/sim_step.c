#include "tests/unit/protocol/sim_step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct handshake_request request;
static uint64_t wake_ms;

enum handshake_action sim_step_next(struct sim_world *w)
{
	return handshake_next(&w->handshake, w->now_ms, &request, &wake_ms);
}

struct sim_message sim_step_send(struct sim_world *w)
{
	struct sim_message m;

	assert_int_equal(sim_step_next(w), HANDSHAKE_SEND);
	memset(&m, 0, sizeof(m));
	strncpy(m.target, request.target, sizeof(m.target) - 1);
	memcpy(m.header, request.mac_header, sizeof(m.header));
	m.header_len = strlen(m.header);
	m.has_header = 1;
	assert_true(request.body_len <= sizeof(m.body));
	memcpy(m.body, request.body, request.body_len);
	m.body_len = request.body_len;
	m.member = request.member;
	return m;
}

uint64_t sim_step_wait(struct sim_world *w)
{
	assert_int_equal(sim_step_next(w), HANDSHAKE_WAIT);
	return wake_ms;
}

struct sim_message sim_step_answer(struct sim_world *w, const struct sim_message *m)
{
	struct sim_message answer;

	assert_true(sim_gateway_serve(&w->gateways[m->member], w->now_ms, m, &answer));
	return answer;
}

void sim_step_hear(struct sim_world *w, size_t member, const struct sim_message *answer)
{
	handshake_answer(&w->handshake, member, w->now_ms, answer->status,
		answer->has_header ? answer->header : NULL, answer->header_len, answer->body,
		answer->body_len);
}

size_t sim_step_exchange(struct sim_world *w)
{
	struct sim_message m = sim_step_send(w);
	struct sim_message answer = sim_step_answer(w, &m);

	sim_step_hear(w, m.member, &answer);
	return m.member;
}

void sim_step_exchange_all(struct sim_world *w, size_t n)
{
	struct sim_message sent[CV_MEMBERS_MAX];

	for (size_t i = 0; i < n; i++)
		sent[i] = sim_step_send(w);
	for (size_t i = 0; i < n; i++) {
		struct sim_message answer = sim_step_answer(w, &sent[i]);

		sim_step_hear(w, sent[i].member, &answer);
	}
}

void sim_step_lose(struct sim_world *w, size_t n, enum handshake_fault fault)
{
	struct sim_message sent[CV_MEMBERS_MAX];

	for (size_t i = 0; i < n; i++)
		sent[i] = sim_step_send(w);
	for (size_t i = 0; i < n; i++)
		handshake_no_answer(&w->handshake, sent[i].member, w->now_ms, fault);
}
