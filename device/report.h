/*
 * Telling the gateways what became of their shares (POST /v1/events), and asking them how they
 * stand (POST /v1/status). To all at once, each within its deadline.
 */
#ifndef CONCLAVE_DEVICE_REPORT_H
#define CONCLAVE_DEVICE_REPORT_H

#include "device/unlock.h"
#include "protocol/message.h"

struct report {
	enum device_event event;
	const char *reason;  /* MOUNT_FAIL: a token, or NULL */
	const char *gateway; /* SHARE_INVALID: who, or NULL */
	uint64_t generation; /* MOUNT_OK, CHECKPOINT: of the volume, becomes the anchor; 0 = none */
	uint32_t only;	     /* bit i: to member i; 0 = to all */
	uint64_t counter;    /* 0: not sent yet; then the same in every try */
	uint32_t waiting;    /* out: bit i: member i has not answered */
};

/*
 * Sends the event to every gateway, with a fresh durable counter; sent again, only to those that
 * have not answered, with the same counter and content (docs/protocol.md section 7). Prints who
 * did not take it. An error is one of our own; a silent gateway is none.
 */
CV_MUST_CHECK enum cv_err report_send(struct unlock *u, struct report *report);
/* SHARE_INVALID for each gateway whose authentic share was wrong. */
CV_MUST_CHECK enum cv_err report_liars(struct unlock *u);

struct report_status {
	bool answered;	 /* and authentic */
	char detail[TRANSPORT_DETAIL_BUF]; /* why not */
	struct status_answer answer;
};

/* Fills one entry per member of the share set. */
CV_MUST_CHECK enum cv_err report_ask_status(
	struct transport *t, const struct identity *id, struct report_status out[CV_MEMBERS_MAX]);

#endif
