/*
 * Clocks, and the kernel's name for this boot.
 *
 * Threads  every call, from any thread.
 */
#ifndef CONCLAVE_HOST_CLOCK_H
#define CONCLAVE_HOST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

/* CLOCK_BOOTTIME: never set back, counts through suspend. */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);
/* Seconds since boot. */
uint64_t clock_uptime_s(void);
/* Unix time; may be years off after a power cut. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);
/* The kernel says that the wall clock is disciplined (adjtimex without STA_UNSYNC). */
bool clock_wall_synchronised(void);
/* /proc/sys/kernel/random/boot_id as 16 bytes. */
CV_MUST_CHECK enum cv_err clock_boot_id(uint8_t out[CV_BOOT_ID_BYTES]);
/* "2026-01-31T12:34:56Z"; years outside 1970..9999 give "invalid-time". */
#define CLOCK_TEXT_BUF 24
void clock_format_utc(char out[CLOCK_TEXT_BUF], int64_t wall_s);

#endif
