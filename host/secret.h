/*
 * Memory for secrets: page-aligned, between guard pages, locked, kept out of core dumps, zeroed
 * when freed (libsodium's sodium_malloc with the lock checked, not hoped for).
 *
 * secret_process_init is the first thing every program calls: it starts libsodium, forbids core
 * dumps and ptrace (RLIMIT_CORE 0, PR_SET_DUMPABLE 0). A memory lock that fails is an error whose
 * message names RLIMIT_MEMLOCK and what it would take.
 */
#ifndef CONCLAVE_HOST_SECRET_H
#define CONCLAVE_HOST_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

CV_MUST_CHECK enum cv_err secret_process_init(void);
/* Zeroed, locked memory, or NULL (then secret_last_error explains in one line). */
void *secret_alloc(size_t len);
/* Wipes and releases; NULL is allowed. */
void secret_free(void *p);
const char *secret_last_error(void);

#endif
