/*
 * Keeps the processors from sleeping deeply while requests come one behind the other.
 *
 * Each request wakes two threads, this process's and the program's, as a rule on processors that
 * have gone idle meanwhile; with a deep idle state (or a virtual processor that halts and that its
 * host has to start again) that takes longer than the request. Linux has an interface for who knows
 * that a wake-up will come soon (Documentation/power/pm_qos_interface.rst): while a descriptor of
 * /dev/cpu_dma_latency stays open, no processor chooses an idle state that takes longer to leave
 * than what was written to it. It ends with the process, whatever ends that.
 *
 * Held from the 16th request of a row with less than a millisecond between them, until none has come
 * for 4 ms. Not thread-safe: the receiver's turn covers it (receiver.h).
 */
#ifndef CONCLAVE_FS_AWAKE_H
#define CONCLAVE_FS_AWAKE_H

#include <stdbool.h>
#include <stdint.h>

struct awake {
	int fd;		  /* -1: not allowed or not wanted */
	int32_t limit_us; /* to leave an idle state */
	unsigned row;     /* requests that came soon after the one before */
	bool held;
};

/* Needs files of the system, so before the sandbox. Without them, or not wanted: does nothing. */
void awake_init(struct awake *a, bool wanted);
void awake_wipe(struct awake *a);

/* A request has come, so long after the one before. */
void awake_request(struct awake *a, uint64_t after_ns);
/* Before waiting for one on `fd`: if it holds, until there is one or none has come soon. */
void awake_wait(struct awake *a, int fd);

#endif
