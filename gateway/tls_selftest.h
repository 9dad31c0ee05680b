/*
 * The start-up self-test: one request over TLS 1.3 and one over the microcontrollers' TLS 1.2 suite
 * to our own devices' listener, from a process of its own. A TLS library and a web server that do
 * not fit each other end the front here, before anyone is told that the gateway is ready.
 */
#ifndef CONCLAVE_GATEWAY_TLS_SELFTEST_H
#define CONCLAVE_GATEWAY_TLS_SELFTEST_H

#include "gateway/config.h"
#include "gateway/tls_cert.h"

/*
 * `address` is what the front listens on; an unspecified one (0.0.0.0) is asked on loopback.
 * `root` is the fleet's TLS root. One line in `why` on failure.
 */
CV_MUST_CHECK enum cv_err tls_selftest(const struct config_address *address, X509 *root,
	const char *fleet, const char *gateway, char why[TLS_WHY_MAX]);

#endif
