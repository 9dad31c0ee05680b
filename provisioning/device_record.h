/*
 * A device as the fleet's directory knows it: devices/ID/. Nothing there is secret in clear.
 *
 *	record.json          trust class, where its volume was made
 *	device.json          the device's own document (docs/protocol.md section 11)
 *	share-set.jws        who holds which share
 *	policy.json          the policy sent last
 *	packages/GW.jws      the sealed enrolment package of each gateway
 *	tpm.json             which TPM it has (enroll.h); not there for the other classes
 *	bundle               what `conclave-device install` takes, under its passphrase
 */
#ifndef CONCLAVE_PROVISIONING_DEVICE_RECORD_H
#define CONCLAVE_PROVISIONING_DEVICE_RECORD_H

#include "protocol/enrol.h"
#include "protocol/share_set.h"
#include "provisioning/fleet.h"

struct device_record {
	char id[CV_ID_BUF];
	enum trust_class trust_class;
	char volume[FILE_PATH_BUF]; /* "" for a microcontroller */
	uint64_t created_s;
	bool reenrolled; /* its packages replace what the gateways hold */
	struct share_set set;
};

CV_MUST_CHECK enum cv_err device_record_read(
	struct device_record *record, const struct fleet *fleet, const char *id);
/* Writes record.json into `dir`; the share set has a file of its own. Prints nothing. */
CV_MUST_CHECK enum cv_err device_record_write(const char *dir, const struct device_record *record);
/* The volume's name until the device is in place: VOLUME.ID.new. */
CV_MUST_CHECK enum cv_err device_volume_partial(
	char out[FILE_PATH_BUF], const char *volume, const char *id);
bool device_exists(const struct fleet *fleet, const char *id);

#endif
