#include "ports/qemu-rv32/trial.h"

#include "heap.h"
#include "port.h"
#include "ports/qemu-rv32/board.h"
#include "ports/qemu-rv32/network.h"
#include "tls.h"

#define TRIAL_LEAK 90	  /* exit status: heap left behind */
#define TRIAL_ACCEPTED 91 /* a TLS handshake counted although an allocation failed in it */

/* The linker's --wrap, in the tests' firmware only (mcu.mk). */
int __real_mbedtls_ssl_handshake(mbedtls_ssl_context *ssl);
int __wrap_mbedtls_ssl_handshake(mbedtls_ssl_context *ssl);
enum cv_err __real_tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms);
enum cv_err __wrap_tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms);

#ifndef MBEDTLS_PRIVATE /* mbedTLS 2.28 */
#define MBEDTLS_PRIVATE(member) member
#endif

static int spoiled, halts;

/* So that the test knows what to look for in memory. */
static void master_secret_print(const mbedtls_ssl_context *ssl)
{
	const mbedtls_ssl_session *session = ssl->MBEDTLS_PRIVATE(session);
	const unsigned char *p = session->MBEDTLS_PRIVATE(master);
	char digits[3] = {0};

	board_print("trial master ");
	for (size_t i = 0; i < sizeof(session->MBEDTLS_PRIVATE(master)); i++) {
		digits[0] = "0123456789abcdef"[p[i] >> 4];
		digits[1] = "0123456789abcdef"[p[i] & 15];
		board_print(digits);
	}
	board_print("\n");
}

int __wrap_mbedtls_ssl_handshake(mbedtls_ssl_context *ssl)
{
	struct heap_stats before, after;
	int result;

	heap_stats(&before);
	result = __real_mbedtls_ssl_handshake(ssl);
	heap_stats(&after);
	spoiled |= after.failures != before.failures;
	if (result == 0 && halts)
		master_secret_print(ssl);
	return result;
}

enum cv_err __wrap_tls_connect(
	struct tls *t, struct tls_peer *peer, uint64_t connect_deadline_ms, uint64_t deadline_ms)
{
	enum cv_err err;

	spoiled = 0;
	err = __real_tls_connect(t, peer, connect_deadline_ms, deadline_ms);
	if (err == CV_OK && spoiled)
		board_exit(TRIAL_ACCEPTED);
	return err;
}

/* 4 bytes big-endian; `otherwise` if the value is not there. */
static uint32_t number(const char *name, uint32_t otherwise)
{
	uint8_t raw[4];
	size_t len = 0;

	if (port_nv_get(name, raw, sizeof(raw), &len) != CV_OK || len != sizeof(raw))
		return otherwise;
	return (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
}

static void packets_harm(void)
{
	uint8_t raw[5];
	size_t len = 0;

	if (port_nv_get("trial.packets", raw, sizeof(raw), &len) != CV_OK || len != sizeof(raw))
		return;
	network_faults = (struct network_faults){
		.lose = raw[0], .twice = raw[1], .cut = raw[2], .hold = raw[3], .seed = raw[4]};
}

void trial_run(struct client_result *result, const struct client_limits *limits)
{
	uint32_t fail = number("trial.fail", 0), step = number("trial.step", 1);
	uint32_t boots = number("trial.boots", 1), mounted = 0;
	struct heap_stats heap;

	packets_harm();
	halts = number("trial.halt", 0) != 0;
	for (uint32_t i = 0; i < boots; i++) {
		heap_fail_nth(fail == 0 ? 0 : fail + i * step);
		client_run(result, limits);
		heap_fail_nth(0);
		heap_stats(&heap);
		if (heap.in_use != 0)
			board_exit(TRIAL_LEAK);
		mounted += result->outcome == CV_OK;
	}
	board_print("trial mounted ");
	board_print_number(mounted);
	board_print(" of ");
	board_print_number(boots);
	board_print("\n");
	if (!halts)
		return;
	board_print("halted\n");
	for (;;)
		board_sleep(0);
}
