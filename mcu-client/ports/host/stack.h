/* Runs a function on a thread whose stack was painted, and tells how deep it went. */
#ifndef CONCLAVE_MCU_STACK_H
#define CONCLAVE_MCU_STACK_H

#include <stddef.h>

/* 0, or -1 if the stack or the thread could not be made. */
int stack_run(void (*fn)(void *, const void *), void *context, const void *arguments);
/* Bytes of the last run; 0 before one. */
size_t stack_peak(void);

#endif
