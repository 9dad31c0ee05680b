/*
 * The log of a measured boot: what was extended into which PCR, in order.
 *
 * Source   TCG PC Client Platform Firmware Profile 1.06 section 10: TCG_PCR_EVENT with the Spec ID
 *          Event03, then TCG_PCR_EVENT2. Little-endian. The kernel gives it as
 *          /sys/kernel/security/tpm0/binary_bios_measurements.
 * Worth    nothing by itself: a PCR's events count once their replay gives the quoted value. Only
 *          their digests do; types, data and their order among PCRs are no part of any PCR.
 * Travels  condensed: PCR and SHA-256 digest of each event, in order.
 * Pure     the caller's memory; bounded; any thread.
 */
#ifndef CONCLAVE_PROTOCOL_EVENTLOG_H
#define CONCLAVE_PROTOCOL_EVENTLOG_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"
#include "protocol/limits.h"

#define EVENTLOG_FILE_MAX 1048576 /* bytes of a log; firmware sets aside 64 KiB to 256 KiB */
#define EVENTLOG_EVENTS_MAX 8192  /* in a log, before condensing */
#define EVENTLOG_ENTRY_BYTES (1 + CV_HASH_BYTES)
#define EVENTLOG_BYTES_MAX (1 + CV_EVENTS_MAX * EVENTLOG_ENTRY_BYTES) /* condensed */
#define EVENTLOG_NO_ACTION 3 /* type of an event that extends nothing */

struct eventlog_event { /* points into the log */
	uint32_t pcr;
	uint32_t type;
	const uint8_t *sha256; /* NULL: the log has none for it */
	const uint8_t *data;
	size_t data_len;
};

struct eventlog_reader {
	const uint8_t *at;
	size_t left;
	size_t events;
	uint8_t algorithm_count;
	struct {
		uint16_t id;
		uint16_t bytes;
	} algorithms[8];
};

/* Reads the header. CV_ERR_FORMAT: not such a log; CV_ERR_ALGORITHM: none with SHA-256 in it. */
CV_MUST_CHECK enum cv_err eventlog_open(
	struct eventlog_reader *r, const uint8_t *log, size_t len);
/* CV_ERR_NOT_FOUND at the end; CV_ERR_FORMAT, CV_ERR_TOO_LONG: from here on it is no log. */
CV_MUST_CHECK enum cv_err eventlog_next(
	struct eventlog_reader *r, struct eventlog_event *event);

struct eventlog { /* as it travels */
	size_t len; /* 1 + EVENTLOG_ENTRY_BYTES for each event */
	uint8_t bytes[EVENTLOG_BYTES_MAX]; /* locality that PCR 0 starts with; PCR, digest, ... */
};

/*
 * What extends the PCRs that a quote covers. CV_ERR_TOO_LONG: more than CV_EVENTS_MAX; else as
 * eventlog_next. out->len is 0 on failure.
 */
CV_MUST_CHECK enum cv_err eventlog_condense(
	struct eventlog *out, const uint8_t *log, size_t len);

/* CV_ERR_FORMAT; CV_ERR_RANGE: a PCR that no quote covers, a locality that none starts with. */
CV_MUST_CHECK enum cv_err eventlog_check(const struct eventlog *log);
size_t eventlog_count(const struct eventlog *log);
/* Of a checked one. */
unsigned int eventlog_pcr(const struct eventlog *log, size_t event);
const uint8_t *eventlog_digest(const struct eventlog *log, size_t event);

/* The value that the events give the PCR. CV_ERR_CRYPTO. */
CV_MUST_CHECK enum cv_err eventlog_replay(
	uint8_t out[CV_HASH_BYTES], const struct eventlog *log, unsigned int pcr);

#endif
