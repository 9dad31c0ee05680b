#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "gateway/front_pending.h"
#include "host/clock.h"
#include "protocol/crypto.h"

#define LONG_MS 20000

/* The keeper's end is the test's own hand. */
struct rig {
	int fds[2];
	struct front_pending *pending;
};

struct asker {
	pthread_t thread;
	struct rig *rig;
	const char *body;
	uint64_t deadline_ms;
	enum cv_err err;
	struct front_answer answer;
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	struct ipc_request *r = calloc(1, sizeof(*r));

	r->type = IPC_DEVICE;
	snprintf(r->method, sizeof(r->method), "POST");
	snprintf(r->target, sizeof(r->target), "/v1/nonce");
	r->body = (const uint8_t *)a->body;
	r->body_len = strlen(a->body);
	a->err = front_pending_ask(a->rig->pending, r, a->deadline_ms, &a->answer);
	free(r);
	return NULL;
}

static void start(struct asker *a, struct rig *rig, const char *body, uint64_t timeout_ms)
{
	*a = (struct asker){ .rig = rig, .body = body,
		.deadline_ms = clock_monotonic_ms() + timeout_ms };
	assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

static void finish(struct asker *a)
{
	assert_int_equal(pthread_join(a->thread, NULL), 0);
}

static struct ipc_request *take(struct rig *rig, uint8_t packet[IPC_PACKET_MAX])
{
	struct ipc_request *r = malloc(sizeof(*r));
	size_t len;

	assert_int_equal(ipc_receive(rig->fds[1], packet, IPC_PACKET_MAX, &len, true), CV_OK);
	assert_int_equal(ipc_request_decode(r, packet, len), CV_OK);
	return r;
}

static void answer(struct rig *rig, uint64_t id, const char *body)
{
	struct ipc_answer a = { .id = id, .status = 200, .content_type = "application/json",
		.body = (const uint8_t *)body, .body_len = strlen(body) };
	uint8_t packet[1024];
	size_t len;

	assert_int_equal(ipc_answer_encode(packet, sizeof(packet), &len, &a), CV_OK);
	assert_int_equal(ipc_send(rig->fds[1], packet, len, true), CV_OK);
}

static void set_up(struct rig *rig, uint32_t slots)
{
	assert_int_equal(ipc_pair(rig->fds), CV_OK);
	assert_int_equal(front_pending_open(&rig->pending, rig->fds[0], slots, 8), CV_OK);
}

static void answers_find_their_requests_in_any_order(void **state)
{
	static uint8_t packets[2][IPC_PACKET_MAX];
	struct ipc_request *first, *second;
	struct asker a, b;
	static struct rig rig;

	(void)state;
	set_up(&rig, 8);
	start(&a, &rig, "a", LONG_MS);
	first = take(&rig, packets[0]);
	start(&b, &rig, "b", LONG_MS);
	second = take(&rig, packets[1]);
	assert_int_not_equal(first->id, second->id);
	assert_int_equal(front_pending_count(rig.pending), 2);
	answer(&rig, second->id, "for b");
	finish(&b);
	answer(&rig, first->id, "for a");
	finish(&a);
	assert_int_equal(a.err, CV_OK);
	assert_int_equal(b.err, CV_OK);
	assert_string_equal((const char *)a.answer.body, "for a");
	assert_string_equal((const char *)b.answer.body, "for b");
	assert_int_equal(a.answer.head.status, 200);
	assert_int_equal(front_pending_count(rig.pending), 0);
	free(a.answer.body);
	free(b.answer.body);
	free(first);
	free(second);
}

static void a_full_queue_refuses_at_once(void **state)
{
	static uint8_t packet[IPC_PACKET_MAX];
	struct ipc_request *r;
	struct asker a, b;
	static struct rig rig;

	(void)state;
	set_up(&rig, 1);
	start(&a, &rig, "a", LONG_MS);
	r = take(&rig, packet);
	start(&b, &rig, "b", LONG_MS);
	finish(&b);
	assert_int_equal(b.err, CV_ERR_BUSY);
	front_pending_limit(rig.pending, 2);
	start(&b, &rig, "b", 0);
	finish(&b);
	assert_int_equal(b.err, CV_ERR_TIMEOUT);
	answer(&rig, r->id, "x");
	finish(&a);
	assert_int_equal(a.err, CV_OK);
	free(a.answer.body);
	free(r);
}

static void a_silent_keeper_costs_the_deadline(void **state)
{
	struct asker a;
	static struct rig rig;

	(void)state;
	set_up(&rig, 8);
	start(&a, &rig, "a", 30);
	finish(&a);
	assert_int_equal(a.err, CV_ERR_TIMEOUT);
	assert_true(clock_monotonic_ms() >= a.deadline_ms);
	assert_int_equal(front_pending_count(rig.pending), 0);
}

/* Late, unknown and broken answers reach nobody, and the next request still gets its own. */
static void stray_answers_are_dropped(void **state)
{
	static const uint8_t junk[] = "not an answer";
	static uint8_t packet[IPC_PACKET_MAX];
	struct ipc_request *late, *r;
	struct asker a, b;
	static struct rig rig;

	(void)state;
	set_up(&rig, 8);
	start(&a, &rig, "a", 20);
	late = take(&rig, packet);
	finish(&a);
	assert_int_equal(a.err, CV_ERR_TIMEOUT);
	start(&b, &rig, "b", LONG_MS);
	r = take(&rig, packet);
	answer(&rig, late->id, "late");
	answer(&rig, 0, "nobody's");
	answer(&rig, r->id + 1000, "unknown");
	assert_int_equal(ipc_send(rig.fds[1], junk, sizeof(junk), true), CV_OK);
	answer(&rig, r->id, "right");
	answer(&rig, r->id, "twice");
	finish(&b);
	assert_int_equal(b.err, CV_OK);
	assert_string_equal((const char *)b.answer.body, "right");
	free(b.answer.body);
	free(late);
	free(r);
}

static void a_full_socket_is_waited_for(void **state)
{
	static char body[16384];
	static uint8_t packet[IPC_PACKET_MAX];
	struct asker askers[8];
	static struct rig rig;

	(void)state;
	set_up(&rig, 8);
	memset(body, 'x', sizeof(body) - 1);
	/* what a socket of the default size cannot hold at once */
	for (int i = 0; i < 8; i++)
		start(&askers[i], &rig, body, LONG_MS);
	for (int i = 0; i < 8; i++) {
		struct ipc_request *r = take(&rig, packet);

		assert_int_equal(r->body_len, sizeof(body) - 1);
		answer(&rig, r->id, "x");
		free(r);
	}
	for (int i = 0; i < 8; i++) {
		finish(&askers[i]);
		assert_int_equal(askers[i].err, CV_OK);
		free(askers[i].answer.body);
	}
}

static void a_closed_keeper_is_told_apart(void **state)
{
	struct asker a;
	static struct rig rig;

	(void)state;
	set_up(&rig, 8);
	close(rig.fds[1]);
	start(&a, &rig, "a", LONG_MS);
	finish(&a);
	assert_int_equal(a.err, CV_ERR_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_find_their_requests_in_any_order),
		cmocka_unit_test(a_full_queue_refuses_at_once),
		cmocka_unit_test(a_silent_keeper_costs_the_deadline),
		cmocka_unit_test(stray_answers_are_dropped),
		cmocka_unit_test(a_full_socket_is_waited_for),
		cmocka_unit_test(a_closed_keeper_is_told_apart),
	};

	if (crypto_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
