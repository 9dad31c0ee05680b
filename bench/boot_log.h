/* A long boot: 500 events in one PCR, and a policy that knows each of them. */
#ifndef CONCLAVE_BENCH_BOOT_LOG_H
#define CONCLAVE_BENCH_BOOT_LOG_H

#include <stddef.h>

/* Once, before the other. */
void boot_log_make(void);
/* Replay to the quoted value, and the rule over every event. */
void boot_log_verdict(void *context, size_t times);

#endif
