/* What lwIP asks of the compiler and the board. */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stdint.h>
#include <sys/time.h>
#include <sys/types.h>

#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_NO_INTTYPES_H 0
#define LWIP_NO_STDIO_H 1
#define SSIZE_MAX INT32_MAX

/* Ends the emulation with BOARD_PANIC. */
void board_panic(void) __attribute__((noreturn));
uint32_t board_random32(void);

#define LWIP_PLATFORM_DIAG(x) do { } while (0)
#define LWIP_PLATFORM_ASSERT(x) board_panic()
#define LWIP_RAND() board_random32()

#endif
