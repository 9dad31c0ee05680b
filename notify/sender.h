/*
 * The sender process: takes alerts from the keeper's channel (channel.h), keeps them in its outbox
 * and delivers each to every destination at least once. No destination waits for another.
 *
 * sender_run opens everything (destination files, CA certificates, outbox), then calls
 * enter_sandbox, and only then reads the first packet. Afterwards the process needs: the outbox's
 * directory (read, write: SQLite's journal), /etc and the system's libraries read-only (name
 * resolution), stream sockets, threads (libcurl's resolver). It writes to stderr through
 * host/log.h and names destinations by name only.
 *
 * SIGTERM, SIGINT and the end of the channel (every holder of the keeper's end has closed it) end
 * it: what is in the channel goes to the outbox, requests under way get drain_ms, the rest stays
 * in the outbox for the next start. The caller must not have threads; signal masks are restored.
 */
#ifndef CONCLAVE_NOTIFY_SENDER_H
#define CONCLAVE_NOTIFY_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/destination.h"

#define SENDER_ATTEMPTS_DEFAULT 24	   /* then dead letter: about three days */
#define SENDER_OUTBOX_MAX_DEFAULT 100000   /* deliveries */
#define SENDER_TIMEOUT_MS_DEFAULT 15000	   /* one request */
#define SENDER_BACKOFF_MS_DEFAULT 5000	   /* first retry after about this */
#define SENDER_BACKOFF_MAX_MS_DEFAULT 14400000 /* and at most four hours */
#define SENDER_DRAIN_MS_DEFAULT 2000

struct sender_config {
	int channel_fd; /* the sender's end of channel_pair; borrowed */
	const char *gateway; /* id, for the sender's own alerts */
	const char *outbox_path; /* made with mode 0600 if absent */
	const struct destination *destinations;
	size_t destination_count; /* 0 is allowed: alerts are then taken and dropped */
	bool allow_http;
	const char *ca_file; /* PEM, read once at the start; NULL: the system's */
	/* 0 in any of these: the default above */
	uint32_t attempts_max;
	uint32_t outbox_max;
	uint32_t timeout_ms;
	uint32_t backoff_ms;
	uint32_t backoff_max_ms;
	uint32_t drain_ms;
	/* Called once, as described above; NULL: none. Anything but CV_OK ends sender_run. */
	enum cv_err (*enter_sandbox)(void *context);
	void *context;
	/* Called once, when the first packet can be taken; NULL: nobody is told. */
	void (*ready)(void *context);
};

/* Exit code of the process (host/exit_code.h); 0 after an orderly end. */
int sender_run(const struct sender_config *cfg);

#endif
