/*
 * While the volume is mounted: tell the gateways its newest durable generation, so that nobody can
 * set the container back to before it (docs/protocol.md section 7, CHECKPOINT).
 */
#ifndef CONCLAVE_DEVICE_ANCHOR_WATCH_H
#define CONCLAVE_DEVICE_ANCHOR_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "device/report.h"
#include "device/settings.h"
#include "device/unlock.h"

struct anchor_watch {
	uint64_t told[CV_MEMBERS_MAX]; /* generation that this gateway has heard of */
	uint64_t every_ms;
	uint64_t ask_at_ms;	       /* clock_monotonic_ms */
	bool asked;		       /* the volume process has been asked and not answered */
};

/* MOUNT_OK has told whoever has answered it. */
void anchor_watch_init(struct anchor_watch *a, const struct settings *settings);
/*
 * True once a minute, or once in a status_interval if that is shorter: ask the volume process for
 * its generation.
 */
bool anchor_watch_due(struct anchor_watch *a);
/*
 * Sends `generation` to each gateway that has not heard of it (blocks for a gateway's deadline at
 * most). `mount` is the report of the mount: gateways that have not answered it wait.
 */
void anchor_watch_tell(
	struct anchor_watch *a, struct unlock *u, const struct report *mount, uint64_t generation);

#endif
