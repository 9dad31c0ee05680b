/*
 * Joining a fleet: `conclave-gateway init` makes the gateway's keys and its request, `install`
 * takes the operator's grant (docs/protocol.md section 11).
 *
 * Both print what a person must see on standard output, log one line on failure, and may be
 * repeated: keys that are there are kept, and the same request comes out again.
 */
#ifndef CONCLAVE_GATEWAY_INIT_H
#define CONCLAVE_GATEWAY_INIT_H

#include <stdint.h>

#include "protocol/err.h"

struct init_options {
	const char *gateway; /* id; NULL: the configuration's */
	const char *state;   /* directory, made if missing; NULL: the configuration's, or the default */
	const char *request; /* file to write; NULL: ./ID.req */
	/*
	 * NULL: none. A file that is there gives what is NULL or 0 here, and must agree with the
	 * rest; else a first configuration is written there.
	 */
	const char *config;
	const char *address;	  /* for that first one: devices' ADDRESS:PORT; NULL: the default */
	uint32_t reserve_records; /* 0: the configuration's, or the default */
};

CV_MUST_CHECK enum cv_err init_gateway(const struct init_options *options);

/*
 * CV_ERR_MISMATCH: the grant is for another gateway, key or name. CV_ERR_EXISTS: another fleet
 * root or TLS root is pinned already.
 */
CV_MUST_CHECK enum cv_err init_install(const char *grant, const char *state);

#endif
