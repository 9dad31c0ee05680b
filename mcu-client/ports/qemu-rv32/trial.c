#include "ports/qemu-rv32/trial.h"

#include "heap.h"
#include "port.h"
#include "ports/qemu-rv32/board.h"
#include "ports/qemu-rv32/network.h"

#define TRIAL_LEAK 90 /* exit status: heap left behind */

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
	if (number("trial.halt", 0) == 0)
		return;
	board_print("halted\n");
	for (;;)
		board_sleep(0);
}
