/* Two cooperative threads, main's and lwIP's: a thread runs until it waits. */
#ifndef CONCLAVE_MCU_THREADS_H
#define CONCLAVE_MCU_THREADS_H

#include <stddef.h>

/*
 * What a waiting thread polls; returns 1 if there was something. mmio of the device to sleep for.
 */
void threads_poll_set(int (*poll)(void), uintptr_t mmio);
/* Bytes of lwIP's stack that were ever used, and its size. */
size_t threads_stack_used(size_t *size);

#endif
