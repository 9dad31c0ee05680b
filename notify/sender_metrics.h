/* The sender's counters as Prometheus text. */
#ifndef CONCLAVE_NOTIFY_SENDER_METRICS_H
#define CONCLAVE_NOTIFY_SENDER_METRICS_H

#include "notify/channel.h"
#include "notify/delivery.h"
#include "notify/intake.h"

/* NUL-terminated; what does not fit is left out by whole lines. */
void sender_metrics(char out[CHANNEL_METRICS_MAX + 1], const struct sender_config *cfg,
	const struct intake *in, const struct outbox *ob, const struct delivery *dl);

#endif
