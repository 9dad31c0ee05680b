/*
 * HTTPS to all gateways at once (libcurl's multi interface), one request at a time per gateway,
 * connections kept between the requests of one unlock. No redirects, no proxy, no cookies, no
 * more than CV_BODY_MAX bytes of answer, connect and total deadlines (docs/protocol.md section 7).
 *
 * Threads  one. Memory: what transport_next gives is valid until the next call.
 */
#ifndef CONCLAVE_DEVICE_TRANSPORT_H
#define CONCLAVE_DEVICE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/identity.h"
#include "protocol/handshake.h"

#define TRANSPORT_DETAIL_BUF 160

struct transport;

struct transport_result {
	size_t member; /* index in share_set.members */
	enum handshake_fault fault;
	unsigned int status;
	const char *mac_header; /* value of Conclave-MAC, NULL if there was none */
	size_t mac_header_len;
	const char *body;
	size_t body_len;
	/* on a fault, for people: "connection refused (127.0.0.1:7443)" */
	const char *detail;
};

/* `id` must outlive it. */
CV_MUST_CHECK enum cv_err transport_open(struct transport **out, const struct identity *id);
void transport_close(struct transport *t);

/*
 * Starts a POST; the body is copied. deadline_ms is absolute (clock_monotonic_ms). Every request
 * ends in exactly one transport_next result. CV_ERR_BUSY if one is under way for this member.
 */
CV_MUST_CHECK enum cv_err transport_send(struct transport *t, size_t member, const char *target,
	const char *mac_header, const char *body, size_t len, uint64_t deadline_ms);
bool transport_busy(const struct transport *t, size_t member);
size_t transport_busy_count(const struct transport *t);

/* Pushes bytes along without waiting. */
void transport_push(struct transport *t);
/*
 * Waits until something happened, wake_ms (absolute; UINT64_MAX: no limit), or `fd` (-1: none) is
 * readable: then true.
 */
bool transport_wait(struct transport *t, uint64_t wake_ms, int fd);
/* The next finished request; false if there is none. */
bool transport_next(struct transport *t, struct transport_result *out);
/* True once per member whose certificate is outside its dates by our clock. */
bool transport_dates_off(struct transport *t, size_t member);

#endif
