/*
 * Sending a device's enrolment packages to its gateways: the bytes in devices/ID/packages, as they
 * are, however often. Prints its lines and fills the result's "gateways".
 *
 * CV_OK when every gateway has its package; CV_ERR_TOO_FEW when one could not be reached;
 * CV_ERR_DENIED when one refused.
 */
#ifndef CONCLAVE_PROVISIONING_PUSH_H
#define CONCLAVE_PROVISIONING_PUSH_H

#include "provisioning/device_record.h"
#include "provisioning/op_client.h"

CV_MUST_CHECK enum cv_err push_packages(struct context *ctx, const struct op_client *client,
	const struct device_record *record, const char *only);

#endif
