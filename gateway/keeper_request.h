/*
 * Requests that wait for an operator's approval, in RAM: a restart forgets them, and the device's
 * next try brings them back under the same number. The number is made from what the request is
 * about, so every gateway has the same one, and it tells nothing.
 */
#ifndef CONCLAVE_GATEWAY_KEEPER_REQUEST_H
#define CONCLAVE_GATEWAY_KEEPER_REQUEST_H

#include "gateway/record.h"

#define KEEPER_REQUESTS_MAX 1024	/* then the one that was asked longest ago goes */
#define KEEPER_REQUEST_MS 3600000	/* not asked again for so long: forgotten */
#define KEEPER_REQUEST_ALERT_MS 60000	/* between two alerts about one device */
#define KEEPER_REQUEST_DIGITS 10000000000u

struct keeper;
struct keeper_requests;
struct authorize_input;

struct keeper_request {
	uint64_t number; /* 0: free */
	char device[CV_ID_BUF];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t boot_key[CV_X25519_BYTES];
	uint64_t first_s;
	uint64_t seen_ms;
	bool alert_due;
	uint64_t alerted_ms; /* 0: never */
};

CV_MUST_CHECK enum cv_err keeper_requests_open(struct keeper_requests **out);
void keeper_requests_close(struct keeper_requests *all);

/* A verdict that lacks only the approval: remembers it and, once for each, raises an alert. */
void keeper_request_note(
	struct keeper *k, const char *device, const struct authorize_input *in);
/* It was used: forgets the request. */
void keeper_request_done(
	struct keeper *k, const char *device, const struct authorize_input *in);
/* NULL if there is none, or two of the same number. */
const struct keeper_request *keeper_request_find(struct keeper *k, uint64_t number);
/* The next one from *cursor (0 at first) on; NULL at the end. */
const struct keeper_request *keeper_request_next(struct keeper *k, size_t *cursor);

#endif
