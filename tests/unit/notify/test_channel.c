#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify/channel.h"
#include "notify/intake.h"
#include "protocol/crypto.h"
#include "tests/unit/notify/sample.h"

struct pair {
	struct channel keeper;
	int sender_fd;
};

static struct pair open_pair(void)
{
	struct pair p;
	int fd = -1;

	assert_int_equal(channel_pair(&fd, &p.sender_fd), CV_OK);
	channel_init(&p.keeper, fd);
	return p;
}

static void close_pair(struct pair *p)
{
	close(p->keeper.fd);
	close(p->sender_fd);
}

static size_t take_one(int fd, char packet[CHANNEL_PACKET_MAX])
{
	ssize_t n = recv(fd, packet, CHANNEL_PACKET_MAX, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

static void a_full_channel_drops_counts_and_tells(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_OK), told;
	char packet[CHANNEL_PACKET_MAX];
	struct pair p = open_pair();
	uint64_t sent;
	size_t n, last = 0;

	(void)state;
	while (p.keeper.dropped < 5) {
		assert_true(p.keeper.sent < 1000000);
		channel_alert(&p.keeper, &a);
	}
	sent = p.keeper.sent;
	assert_true(sent > 100);
	assert_int_equal(p.keeper.unreported, 5);
	for (uint64_t i = 0; i < sent; i++)
		assert_true(take_one(p.sender_fd, packet) > 0);
	channel_alert(&p.keeper, &a);
	last = take_one(p.sender_fd, packet);
	assert_int_equal(event_decode(&told, packet + 1, last - 1), CV_OK);
	assert_int_equal(told.type, EVENT_ALERTS_DROPPED);
	assert_int_equal(told.details[0].number, 5);
	n = take_one(p.sender_fd, packet);
	assert_int_equal(event_decode(&told, packet + 1, n - 1), CV_OK);
	assert_int_equal(told.type, EVENT_AUTH_OK);
	assert_int_equal(p.keeper.unreported, 0);
	close_pair(&p);
}

static void without_a_sender_the_keeper_goes_on(void **state)
{
	struct event_alert a = sample_alert(EVENT_AUTH_OK);
	struct channel none;
	struct pair p = open_pair();

	(void)state;
	channel_init(&none, -1);
	channel_alert(&none, &a);
	assert_int_equal(none.dropped, 0);
	close(p.sender_fd);
	channel_alert(&p.keeper, &a);
	assert_int_equal(p.keeper.dropped, 1);
	close(p.keeper.fd);
}

static struct outbox *open_outbox(uint32_t max)
{
	static struct destination d;
	struct outbox_limits limits = {max, 3, 1000, 60000};
	char why[DESTINATION_WHY_MAX] = "";
	struct outbox *ob = NULL;

	d = sample_destination("ops", EVENT_INFO);
	assert_int_equal(
		outbox_open(&ob, sample_path("outbox.db"), &d, 1, &limits, why), CV_OK);
	return ob;
}

static void takes_alerts_answers_and_skips_junk(void **state)
{
	static const uint8_t token[CHANNEL_TOKEN_BYTES] = "12345678";
	struct event_alert a = sample_alert(EVENT_AUTH_OK), b = sample_alert(EVENT_REPLAY);
	struct pair p = open_pair();
	struct outbox *ob = open_outbox(100);
	struct outbox_counts counts;
	enum channel_type type;
	struct intake in;
	char body[64];
	bool more = true;
	size_t len = 0;

	(void)state;
	intake_init(&in, p.sender_fd, ob);
	channel_alert(&p.keeper, &a);
	assert_int_equal(send(p.keeper.fd, "A{junk}", 7, 0), 7);
	assert_int_equal(send(p.keeper.fd, "Q", 1, 0), 1);
	channel_alert(&p.keeper, &b);
	channel_alert(&p.keeper, &b);
	assert_int_equal(channel_ask_metrics(&p.keeper), CV_OK);
	assert_int_equal(channel_ask_sync(&p.keeper, token), CV_OK);
	assert_int_equal(channel_receive(&p.keeper, &type, body, sizeof(body), &len), CV_ERR_BUSY);
	assert_int_equal(intake_step(&in, 1, &more), CV_OK);
	assert_false(more);
	assert_int_equal(in.received, 3);
	assert_int_equal(in.invalid, 2);
	assert_true(in.metrics_asked);
	outbox_counts(ob, 0, &counts);
	assert_int_equal(counts.waiting, 2);
	assert_int_equal(channel_receive(&p.keeper, &type, body, sizeof(body), &len), CV_OK);
	assert_int_equal(type, CHANNEL_SYNC);
	assert_memory_equal(body, token, sizeof(token));
	intake_answer_metrics(&in, "x 1\n");
	assert_int_equal(channel_receive(&p.keeper, &type, body, sizeof(body), &len), CV_OK);
	assert_int_equal(type, CHANNEL_METRICS);
	assert_string_equal(body, "x 1\n");
	assert_int_equal(intake_step(&in, 1, &more), CV_OK);
	assert_false(in.ended);
	close(p.keeper.fd);
	assert_int_equal(intake_step(&in, 1, &more), CV_OK);
	assert_true(in.ended);
	outbox_close(ob);
	close(p.sender_fd);
}

static void more_than_one_batch_is_taken_in_order(void **state)
{
	struct pair p = open_pair();
	struct outbox *ob = open_outbox(1000);
	struct outbox_counts counts;
	struct intake in;
	bool more = true;
	int steps = 0;

	(void)state;
	intake_init(&in, p.sender_fd, ob);
	for (int i = 0; i < 2 * INTAKE_BATCH_MAX + 1; i++) {
		struct event_alert a = sample_alert(EVENT_AUTH_OK);

		channel_alert(&p.keeper, &a);
	}
	while (more) {
		assert_int_equal(intake_step(&in, 1, &more), CV_OK);
		steps++;
	}
	assert_int_equal(steps, 3);
	outbox_counts(ob, 0, &counts);
	assert_int_equal(counts.waiting, 2 * INTAKE_BATCH_MAX + 1);
	outbox_close(ob);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_channel_drops_counts_and_tells),
		cmocka_unit_test(without_a_sender_the_keeper_goes_on),
		cmocka_unit_test_setup_teardown(
			takes_alerts_answers_and_skips_junk, sample_setup, sample_teardown),
		cmocka_unit_test_setup_teardown(
			more_than_one_batch_is_taken_in_order, sample_setup, sample_teardown),
	};

	if (crypto_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
