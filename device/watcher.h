/*
 * The watcher: unlocks, starts the volume process, reports, and stays as long as the mount does.
 * It holds the MAC root and the network; it never parses a volume.
 */
#ifndef CONCLAVE_DEVICE_WATCHER_H
#define CONCLAVE_DEVICE_WATCHER_H

#include <stdbool.h>

#include "device/options.h"
#include "device/settings.h"

struct watcher_request {
	const struct options *options;
	const struct settings *settings;
	const char *container;	 /* absolute */
	const char *mount_point; /* absolute */
	bool read_only;
	int log_fd; /* takes over from the terminal; emptied at the start; -1: foreground */
	/* Called once, when the volume is usable. */
	void (*ready)(void *context, const char *line);
	void *context;
};

/* Runs until the mount is gone; returns an exit code. Before `ready` it has printed why not. */
int watcher_run(const struct watcher_request *request);

#endif
