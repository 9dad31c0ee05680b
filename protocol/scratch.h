/*
 * Short-lived memory for documents that are too large for a microcontroller's stack. It comes from
 * cJSON's hooks, like the trees it is parsed into: a program that wants them in locked memory sets
 * the hooks once.
 */
#ifndef CONCLAVE_PROTOCOL_SCRATCH_H
#define CONCLAVE_PROTOCOL_SCRATCH_H

#include <stddef.h>

/* NULL if there is no memory. */
void *scratch_alloc(size_t size);
/* Wipes, then frees; NULL is allowed. */
void scratch_free(void *p, size_t size);

#endif
