/*
 * The "virt" machine of QEMU 7.2 or newer (hw/riscv/virt.c): NS16550 UART, SiFive finisher, CLINT
 * timer, goldfish clock, PLIC. No interrupts are taken: a hart in WFI wakes when one is pending.
 */
#ifndef CONCLAVE_MCU_BOARD_H
#define CONCLAVE_MCU_BOARD_H

#include <stddef.h>
#include <stdint.h>

#define BOARD_PANIC 99 /* exit status after a failed assertion */

#define BOARD_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

void board_print(const char *text);
void board_print_number(uint64_t value);
/* Ends the emulation; QEMU's exit status is `status`, 0 .. 255. */
void board_exit(int status) __attribute__((noreturn));
void board_panic(void) __attribute__((noreturn));

uint64_t board_microseconds(void);
/* Seconds since 1970. */
uint64_t board_unix_s(void);
/*
 * Instructions executed, without those that board_sleep waited. Exact under `-icount shift=3`;
 * a rough figure otherwise.
 */
uint64_t board_instructions(void);
/*
 * Sleeps until an interrupt of the device at `mmio` (0 = none) is pending, at most a millisecond.
 */
void board_sleep(uintptr_t mmio);
void board_interrupt_enable(uintptr_t mmio);

#endif
