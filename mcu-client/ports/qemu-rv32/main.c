/* The firmware for the emulated board. Its exit status is the program conclave-mcu's. */
#include <unistd.h>

#include "client.h"
#include "heap.h"
#include "port.h"
#include "ports/qemu-rv32/board.h"
#include "ports/qemu-rv32/network.h"
#include "ports/qemu-rv32/port_qemu.h"
#include "ports/qemu-rv32/threads.h"
#include "ports/qemu-rv32/trial.h"
#include "ports/software.h"
#include "protocol/crypto.h"

#ifndef MAIN_BOOT /* the tests' firmware boots through trial.h */
#define MAIN_BOOT client_run
#endif

#define NETWORK_TIMEOUT_MS 15000
#define PAINT 0xa5

extern uint8_t __data_start[], __heap_start[], __heap_end[], __stack[];

/* Not inlined: a frame of main's own would lie where the paint goes. */
static __attribute__((noinline)) void stack_paint(void)
{
	uintptr_t end = (uintptr_t)__builtin_frame_address(0) - 128;

	for (uintptr_t at = (uintptr_t)__heap_end; at < end; at++)
		*(volatile uint8_t *)at = PAINT;
}

static size_t stack_used(void)
{
	const volatile uint8_t *p = __heap_end;

	while (p < __stack && *p == PAINT)
		p++;
	return (size_t)(__stack - (uint8_t *)(uintptr_t)p);
}

static void figure(const char *name, uint64_t value)
{
	board_print("figure ");
	board_print(name);
	board_print(" ");
	board_print_number(value);
	board_print("\n");
}

static void figures(const struct client_result *r)
{
	struct heap_stats heap;
	size_t size = 0;

	heap_stats(&heap);
	figure("heap-peak", heap.peak);
	figure("heap-largest", heap.largest);
	figure("heap-in-use", heap.in_use);
	figure("heap-failures", heap.failures);
	figure("heap-count", heap.count);
	figure("stack-main", stack_used());
	figure("stack-network", threads_stack_used(&size));
	figure("handshakes", r->handshakes);
	figure("handshakes-full", r->full_handshakes);
	figure("status-calls", r->status_calls);
	figure("unlock-ms", r->unlock_ms);
	figure("instructions-key", r->key_instructions);
	figure("instructions-full", r->full_instructions);
	figure("instructions-resumed", r->resumed_instructions);
	figure("instructions-boot", board_instructions());
	figure("ram", (size_t)(__stack - __data_start));
	figure("ram-static", (size_t)(__heap_start - __data_start));
	figure("ram-heap-end", (size_t)((uint8_t *)sbrk(0) - __data_start));
}

/* A value of seconds, 4 bytes big-endian; `otherwise` if it is not there. */
static uint64_t seconds_ms(const char *name, uint64_t otherwise)
{
	uint8_t raw[4];
	size_t len = 0;
	uint64_t seconds = 0;

	if (port_nv_get(name, raw, sizeof(raw), &len) != CV_OK || len != sizeof(raw))
		return otherwise;
	for (size_t i = 0; i < sizeof(raw); i++)
		seconds = seconds << 8 | raw[i];
	return seconds * 1000;
}

static int fail(const char *what, enum cv_err err)
{
	board_print("locked: ");
	board_print(what);
	board_print(": ");
	board_print(cv_err_text(err));
	board_print("\n");
	return software_exit_code(err);
}

int main(void)
{
	struct client_result result;
	struct client_limits limits;
	enum cv_err err;

	stack_paint();
	board_print("conclave-mcu " CONCLAVE_VERSION "\n");
	heap_install();
	err = crypto_init();
	if (err != CV_OK)
		board_exit(fail("crypto", err));
	err = port_qemu_open();
	if (err != CV_OK)
		board_exit(fail("store", err == CV_ERR_NOT_FOUND ? CV_ERR_CONFIG : err));
	err = network_up(NETWORK_TIMEOUT_MS);
	if (err != CV_OK)
		board_exit(fail("network", err));
	limits.timeout_ms = seconds_ms("boot.timeout", 0);
	limits.stay_ms = seconds_ms("boot.stay", CLIENT_FOREVER);
	MAIN_BOOT(&result, &limits);
	figures(&result);
	if (result.outcome != CV_OK)
		board_exit(fail("unlock", result.outcome));
	board_print("MOUNT_OK\n");
	board_exit(0);
}
