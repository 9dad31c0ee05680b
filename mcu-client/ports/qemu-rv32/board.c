#include "ports/qemu-rv32/board.h"

#define UART 0x10000000u
#define UART_STATUS (*(volatile uint8_t *)(UART + 5))
#define UART_DATA (*(volatile uint8_t *)UART)
#define UART_EMPTY 0x20

#define FINISHER 0x00100000u
#define FINISHER_PASS 0x5555u
#define FINISHER_FAIL 0x3333u

#define CLINT 0x02000000u
#define CLINT_TIMECMP (CLINT + 0x4000)
#define CLINT_TIME (CLINT + 0xbff8)
#define TICKS_PER_US 10u

#define RTC 0x00101000u

#define PLIC 0x0c000000u
#define PLIC_ENABLE (PLIC + 0x2000)
#define PLIC_THRESHOLD (PLIC + 0x200000)
#define PLIC_CLAIM (PLIC + 0x200004)

#define VIRTIO_FIRST 0x10001000u
#define VIRTIO_STEP 0x1000u
#define VIRTIO_INTERRUPT_STATUS 0x60
#define VIRTIO_INTERRUPT_ACK 0x64

#define MIE_TIMER (1u << 7)
#define MIE_EXTERNAL (1u << 11)

static uint64_t slept; /* counts that passed in WFI */

void board_print(const char *text)
{
	for (; *text != 0; text++) {
		while ((UART_STATUS & UART_EMPTY) == 0)
			;
		UART_DATA = (uint8_t)*text;
	}
}

void board_print_number(uint64_t value)
{
	char digits[21];
	size_t at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	board_print(digits + at);
}

void board_exit(int status)
{
	BOARD_REGISTER(FINISHER) =
		status == 0 ? FINISHER_PASS : (uint32_t)status << 16 | FINISHER_FAIL;
	for (;;)
		;
}

void board_panic(void)
{
	board_print("panic: an assertion failed\n");
	board_exit(BOARD_PANIC);
}

static uint64_t ticks(void)
{
	uint32_t high, low;

	do {
		high = BOARD_REGISTER(CLINT_TIME + 4);
		low = BOARD_REGISTER(CLINT_TIME);
	} while (high != BOARD_REGISTER(CLINT_TIME + 4));
	return (uint64_t)high << 32 | low;
}

uint64_t board_microseconds(void)
{
	return ticks() / TICKS_PER_US;
}

uint64_t board_unix_s(void)
{
	uint32_t low = BOARD_REGISTER(RTC); /* reading it latches the high half */
	uint32_t high = BOARD_REGISTER(RTC + 4);

	return ((uint64_t)high << 32 | low) / 1000000000u;
}

/*
 * The assembler is told of the CSR instructions here: `-march` with zicsr picks the wrong multilib.
 */
static uint64_t counter(void)
{
	uint32_t high, low, again;

	do {
		__asm__ volatile(".option push\n.option arch,+zicsr\n"
				 "csrr %0,minstreth\ncsrr %1,minstret\ncsrr %2,minstreth\n"
				 ".option pop"
				 : "=r"(high), "=r"(low), "=r"(again));
	} while (high != again);
	return (uint64_t)high << 32 | low;
}

#define CALIBRATION_ROUNDS 4096 /* of two instructions each */

/*
 * Under -icount the counter shows virtual nanoseconds in QEMU 7.2, 8 for an instruction at shift 3,
 * and instructions in QEMU 10: a loop of known length tells.
 */
static uint32_t counts_per_instruction(void)
{
	static uint32_t counts;
	uint32_t left = CALIBRATION_ROUNDS;
	uint64_t start;

	if (counts == 0) {
		start = counter();
		__asm__ volatile("1: addi %0,%0,-1\nbnez %0,1b" : "+r"(left));
		counts = (uint32_t)((counter() - start + CALIBRATION_ROUNDS) /
				    (2 * CALIBRATION_ROUNDS));
		if (counts == 0)
			counts = 1;
	}
	return counts;
}

uint64_t board_instructions(void)
{
	return (counter() - slept) / counts_per_instruction();
}

static uint32_t interrupt_of(uintptr_t mmio)
{
	return (uint32_t)((mmio - VIRTIO_FIRST) / VIRTIO_STEP + 1);
}

void board_interrupt_enable(uintptr_t mmio)
{
	uint32_t irq = interrupt_of(mmio);

	BOARD_REGISTER(PLIC + 4 * irq) = 1;
	BOARD_REGISTER(PLIC_ENABLE) = 1u << irq;
	BOARD_REGISTER(PLIC_THRESHOLD) = 0;
}

void board_sleep(uintptr_t mmio)
{
	uint64_t until = ticks() + 1000 * TICKS_PER_US;
	uint64_t start = counter();
	uint32_t claim;

	BOARD_REGISTER(CLINT_TIMECMP + 4) = UINT32_MAX; /* no early match between the two halves */
	BOARD_REGISTER(CLINT_TIMECMP) = (uint32_t)until;
	BOARD_REGISTER(CLINT_TIMECMP + 4) = (uint32_t)(until >> 32);
	__asm__ volatile(".option push\n.option arch,+zicsr\ncsrw mie,%0\n.option pop\nwfi"
			 :
			 : "r"(MIE_TIMER | MIE_EXTERNAL));
	slept += counter() - start;
	if (mmio == 0)
		return;
	claim = BOARD_REGISTER(PLIC_CLAIM);
	BOARD_REGISTER(mmio + VIRTIO_INTERRUPT_ACK) =
		BOARD_REGISTER(mmio + VIRTIO_INTERRUPT_STATUS);
	if (claim != 0)
		BOARD_REGISTER(PLIC_CLAIM) = claim;
}
