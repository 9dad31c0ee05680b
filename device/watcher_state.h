/*
 * Between watcher.c (coming up) and watcher_serve.c (staying, and going down).
 */
#ifndef CONCLAVE_DEVICE_WATCHER_STATE_H
#define CONCLAVE_DEVICE_WATCHER_STATE_H

#include "device/anchor_watch.h"
#include "device/report.h"
#include "device/standing.h"
#include "device/volume_process.h"
#include "device/watcher.h"

struct watcher {
	const struct watcher_request *request;
	char program[FILE_PATH_BUF];
	int lock_fd, container_fd, signal_fd, control_fd;
	int client;	 /* waits for its unmount to end; -1 = none */
	bool mounted;	 /* in our mount table, as far as we know */
	bool closed;	 /* the volume said CLOSED: everything is durable */
	bool locked;	 /* taken away because this device may not have it any more */
	uint64_t generation;
	uint64_t since_ms;
	struct unlock *unlock;
	struct report report; /* MOUNT_OK: tried again while somebody has not heard it */
	unsigned int report_tries;
	uint64_t report_at_ms;
	struct standing_watch standing;
	struct anchor_watch anchor;
	uint64_t durable; /* newest generation that the volume process spoke of */
	struct volume_process volume;
};

/* Serves the control socket until the volume process is gone; the exit code. */
int watcher_serve(struct watcher *w);
void watcher_clean_up(struct watcher *w);

#endif
