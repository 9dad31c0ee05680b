/*
 * Where this device is, from the source that device.ini names: its own numbers, a file that
 * another program writes, or gpsd.
 *
 * File     one JSON object: {"lat_e7":N,"lon_e7":N,"accuracy_mm":N?,"taken":S?,"receiver":TEXT?,
 *          "firmware":TEXT?}; `taken` in seconds since 1970, else the file's date counts.
 * gpsd     its JSON protocol over TCP (gpsd_json(5)): the first TPV report with a time and a
 *          position of two or three dimensions. The receiver is the driver that gpsd names, the
 *          firmware its subtype.
 *
 * A source that gives nothing leaves the claims out, with one line in the log; whether that
 * matters is the gateways' policy's business.
 */
#ifndef CONCLAVE_DEVICE_PLACE_H
#define CONCLAVE_DEVICE_PLACE_H

#include "device/settings.h"
#include "protocol/evidence.h"

#define PLACE_FILE_MAX 4096
#define PLACE_LINE_MAX 16384 /* of gpsd: its longest report is about 10 KiB */

struct place_fix {
	bool known;
	int32_t lat_e7, lon_e7;
	uint32_t accuracy_mm; /* or EVIDENCE_ACCURACY_UNKNOWN */
	bool has_age;
	uint64_t taken_ms; /* clock_monotonic_ms */
	char source[EVIDENCE_TEXT_BUF];
	char receiver[EVIDENCE_TEXT_BUF];
	char firmware[EVIDENCE_TEXT_BUF];
};

/* Asks the source; waits for gpsd as long as the settings say, or until stop_fd is readable. */
void place_find(struct place_fix *fix, const struct settings *s, int stop_fd);
/* Puts names and fix into the claims, with the age that the fix has now. */
void place_claim(struct evidence_platform *p, const struct settings *s,
	const struct place_fix *fix, uint64_t now_ms);

/* place_gpsd.c: CV_ERR_UNREACHABLE, CV_ERR_TIMEOUT (no position in time), CV_ERR_FORMAT. */
CV_MUST_CHECK enum cv_err place_gpsd(
	struct place_fix *fix, const struct settings_place *s, int stop_fd);

/* Degrees to 10^-7 of them; CV_ERR_RANGE for what is not within +-limit, NaN included. */
CV_MUST_CHECK enum cv_err place_degrees(int32_t *out, double degrees, int limit);
/* What a claim may carry: cut to 63 characters, others than printable ASCII as '?'. */
void place_text(char out[EVIDENCE_TEXT_BUF], const char *text);

#endif
