/* Two ends of a link in one process: one thread is the server. */
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "host/clock.h"
#include "host/psk_link.h"
#include "protocol/crypto.h"

#define PATIENCE_MS 20000
#define SHORT_MS 20
#define MESSAGE_MAX 100000

static struct server {
	int fd;
	char address[PSK_LINK_ADDRESS_BUF];
	uint8_t key[PSK_LINK_KEY_BYTES];
	size_t cap;
	enum cv_err accepted, received, sent;
	size_t len;
	uint8_t data[MESSAGE_MAX];
} s;

static uint8_t message[MESSAGE_MAX], heard[MESSAGE_MAX];

static uint64_t soon(void)
{
	return clock_monotonic_ms() + PATIENCE_MS;
}

static void *serve(void *unused)
{
	struct psk_link *l = NULL;

	(void)unused;
	s.accepted = psk_link_accept(&l, s.fd, s.key, soon(), PATIENCE_MS);
	if (s.accepted == CV_OK)
		s.received = psk_link_receive(l, s.data, s.cap, &s.len, soon());
	if (s.accepted == CV_OK && s.received == CV_OK)
		s.sent = psk_link_send(l, s.data, s.len, soon());
	psk_link_close(l);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	s.cap = sizeof(s.data);
	memset(s.key, 7, sizeof(s.key));
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 31);
	return crypto_init() == CV_OK &&
			       psk_link_listen(&s.fd, s.address, "127.0.0.1:0") == CV_OK
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	(void)state;
	return close(s.fd);
}

static void carries_messages_of_every_size_both_ways(void **state)
{
	static const size_t sizes[] = {0, 1, 20000, MESSAGE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct psk_link *l = NULL;
		pthread_t thread;
		size_t len = 1;

		pthread_create(&thread, NULL, serve, NULL);
		assert_int_equal(psk_link_connect(&l, s.address, s.key, soon()), CV_OK);
		assert_int_equal(psk_link_send(l, message, sizes[i], soon()), CV_OK);
		assert_int_equal(
			psk_link_receive(l, heard, sizeof(heard), &len, soon()), CV_OK);
		pthread_join(thread, NULL);
		psk_link_close(l);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(heard, message, len);
	}
}

static void another_key_opens_nothing(void **state)
{
	uint8_t other[PSK_LINK_KEY_BYTES];
	struct psk_link *l = NULL;
	pthread_t thread;

	(void)state;
	memcpy(other, s.key, sizeof(other));
	other[31] ^= 1;
	pthread_create(&thread, NULL, serve, NULL);
	assert_int_equal(psk_link_connect(&l, s.address, other, soon()), CV_ERR_SEAL);
	pthread_join(thread, NULL);
	assert_int_equal(s.accepted, CV_ERR_SEAL);
	assert_null(l);
}

static void refuses_a_message_over_the_limit(void **state)
{
	struct psk_link *l = NULL;
	pthread_t thread;
	size_t len = 0;

	(void)state;
	s.cap = 10;
	pthread_create(&thread, NULL, serve, NULL);
	assert_int_equal(psk_link_connect(&l, s.address, s.key, soon()), CV_OK);
	assert_int_equal(psk_link_send(l, message, 11, soon()), CV_OK);
	assert_int_equal(
		psk_link_receive(l, heard, sizeof(heard), &len, soon()), CV_ERR_UNREACHABLE);
	pthread_join(thread, NULL);
	psk_link_close(l);
	assert_int_equal(s.received, CV_ERR_TOO_LONG);
}

static void nobody_comes_before_the_deadline(void **state)
{
	struct psk_link *l = NULL;

	(void)state;
	assert_int_equal(psk_link_accept(&l, s.fd, s.key, clock_monotonic_ms() + SHORT_MS,
				 PATIENCE_MS),
		CV_ERR_TIMEOUT);
	/* the listener is there, and nobody behind it answers */
	assert_int_equal(psk_link_connect(&l, s.address, s.key, clock_monotonic_ms() + SHORT_MS),
		CV_ERR_TIMEOUT);
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const wrong[] = {
		"", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999999"};
	char bound[PSK_LINK_ADDRESS_BUF];
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_not_equal(psk_link_listen(&fd, bound, wrong[i]), CV_OK);
}

static void a_token_holds_both(void **state)
{
	char token[PSK_LINK_TOKEN_BUF], address[PSK_LINK_ADDRESS_BUF];
	uint8_t key[PSK_LINK_KEY_BYTES];

	(void)state;
	assert_int_equal(psk_link_token_encode(token, "[::1]:7446", s.key), CV_OK);
	assert_int_equal(psk_link_token_decode(address, key, token), CV_OK);
	assert_string_equal(address, "[::1]:7446");
	assert_memory_equal(key, s.key, sizeof(key));
	token[strlen(token) - 1] = '\0';
	assert_int_equal(psk_link_token_decode(address, key, token), CV_ERR_FORMAT);
	assert_int_equal(psk_link_token_decode(address, key, "/"), CV_ERR_FORMAT);
	assert_int_equal(psk_link_token_decode(address, key, ""), CV_ERR_FORMAT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(carries_messages_of_every_size_both_ways),
		TEST(another_key_opens_nothing),
		TEST(refuses_a_message_over_the_limit),
		TEST(nobody_comes_before_the_deadline),
		TEST(refuses_what_is_no_address),
		TEST(a_token_holds_both),
	};

	/* as every program does: the other end may be gone before the last word */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
