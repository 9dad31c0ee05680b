/*
 * The seam between the keeper and the sender: a SOCK_SEQPACKET socket pair, made by the monitor.
 *
 * A packet is one byte of type and then its body:
 *
 *   keeper to sender   'A' alert: the JSON of event.h
 *                      'M' metrics, empty body
 *                      'S' sync: 8 bytes of the caller's choice
 *   sender to keeper   'M' Prometheus text, at most CHANNEL_METRICS_MAX bytes
 *                      'S' the same 8 bytes, once every alert before it is on disk
 *
 * The keeper never waits: a packet that does not fit into the socket is dropped and counted, and
 * the next alert that fits is preceded by ALERTS_DROPPED with the count. The sender takes an alert
 * out of the socket only after its outbox holds it durably, so a killed sender loses nothing as
 * long as the *monitor keeps both ends open* and hands the same end to the next sender.
 *
 * Threads  one thread per struct. Ownership: the descriptor stays the caller's.
 */
#ifndef CONCLAVE_NOTIFY_CHANNEL_H
#define CONCLAVE_NOTIFY_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "notify/event.h"

#define CHANNEL_METRICS_MAX 24576
#define CHANNEL_PACKET_MAX (1 + CHANNEL_METRICS_MAX)
#define CHANNEL_TOKEN_BYTES 8

enum channel_type {
	CHANNEL_ALERT = 'A',
	CHANNEL_METRICS = 'M',
	CHANNEL_SYNC = 'S'
};

struct channel {
	int fd;		   /* -1: no sender is configured; every alert is then ignored */
	uint64_t sent;	   /* alerts */
	uint64_t dropped;  /* alerts, since the start */
	uint64_t unreported; /* dropped and not yet told by ALERTS_DROPPED */
};

/* Both ends non-blocking and close-on-exec, with room for some hundred alerts; CV_ERR_IO. */
CV_MUST_CHECK enum cv_err channel_pair(int *keeper_fd, int *sender_fd);

void channel_init(struct channel *ch, int fd);

/*
 * Queue one alert. Never blocks and never fails the caller's work: what does not fit is counted in
 * ch->dropped. A broken socket counts as one that is full.
 */
void channel_alert(struct channel *ch, const struct event_alert *alert);

/* Ask; the answer comes through channel_receive. CV_ERR_BUSY if the socket is full. */
CV_MUST_CHECK enum cv_err channel_ask_metrics(struct channel *ch);
CV_MUST_CHECK enum cv_err channel_ask_sync(
	struct channel *ch, const uint8_t token[CHANNEL_TOKEN_BYTES]);

/*
 * Take one answer without waiting: *type, and its body in `body` of `cap` bytes (NUL-terminated, so
 * metrics can be used as text). CV_ERR_BUSY: nothing there. CV_ERR_UNREACHABLE: no sender holds the
 * other end. CV_ERR_TOO_LONG and CV_ERR_FORMAT: the packet was dropped.
 */
CV_MUST_CHECK enum cv_err channel_receive(
	struct channel *ch, enum channel_type *type, char *body, size_t cap, size_t *len);

#endif
