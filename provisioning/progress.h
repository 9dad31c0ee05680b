/*
 * Progress of long work on a volume, on standard error when that is a terminal, at most ten lines'
 * worth of updates a second; and ^C as a request to stop, which leaves a volume that opens.
 */
#ifndef CONCLAVE_PROVISIONING_PROGRESS_H
#define CONCLAVE_PROVISIONING_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "import", "create", "check" */
	bool bytes;	  /* counts bytes, else blocks */
	bool terminal;
	uint64_t shown_ms;
};

/* Catches SIGINT, SIGTERM and SIGHUP from here on. */
void progress_begin(struct progress *p, const char *what, bool bytes);
/* A volume_progress; user is a struct progress. */
int progress_show(void *user, uint64_t done, uint64_t total, const char *name);
/* Clears the line. */
void progress_end(struct progress *p);
/* A signal asked to stop. */
bool progress_stopped(void);

#endif
