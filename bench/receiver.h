/*
 * A webhook receiver on loopback for measuring: answers 204 to every POST, counts them, keeps
 * connections open. One thread per connection, HTTP as libcurl speaks it and no more.
 */
#ifndef CONCLAVE_BENCH_RECEIVER_H
#define CONCLAVE_BENCH_RECEIVER_H

#include <stdint.h>

/* Listens; the port is the kernel's choice. No thread yet, so a process may fork after it. */
uint16_t receiver_bind(void);
/* Serves until the process ends. */
void receiver_start(void);
/* POSTs answered so far. */
unsigned receiver_count(void);
/* Waits until so many were answered; the time is then measure_now_ns of the last one. */
uint64_t receiver_wait(unsigned count);

#endif
