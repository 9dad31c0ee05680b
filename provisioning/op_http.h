/*
 * One HTTPS POST to a gateway's operators' listener, with the operator's TLS client certificate.
 * The chain must end at the fleet's TLS root, and the certificate carry the gateway's DNS name and
 * SPIFFE URI and serverAuth; dates alone do not refuse it (a revocation must get through to a
 * gateway whose certificate has run out) but are reported. No proxy, no redirect, TLS 1.3 only.
 *
 * Threads  any, on separate structs, after op_http_init.
 */
#ifndef CONCLAVE_PROVISIONING_OP_HTTP_H
#define CONCLAVE_PROVISIONING_OP_HTTP_H

#include "provisioning/gateway_record.h"
#include "provisioning/operator.h"

#define OP_HTTP_ANSWER_MAX ((size_t)1 << 20)
#define OP_HTTP_CONNECT_MS 3000
#define OP_HTTP_TOTAL_MS 20000
#define OP_HTTP_PROBLEM_BUF 256

struct op_http {
	void *curl;
	const struct fleet *fleet;
	const struct operator *op;
	const struct gateway_record *gateway;
	char problem[OP_HTTP_PROBLEM_BUF]; /* why the last call failed */
	bool date_warned;
};

struct op_http_answer {
	unsigned int status;
	char *body; /* malloc'ed, NUL-terminated; free it */
	size_t len;
	char reply[256]; /* value of Conclave-Op-Reply, "" if absent */
};

/* Once, before threads. */
CV_MUST_CHECK enum cv_err op_http_init(void);
CV_MUST_CHECK enum cv_err op_http_open(struct op_http *http, const struct fleet *fleet,
	const struct operator *op, const struct gateway_record *gateway);
void op_http_close(struct op_http *http);
/*
 * headers: full lines, NULL-terminated. CV_ERR_UNREACHABLE with http->problem set: no connection,
 * no TLS to the right gateway, or no whole answer in time.
 */
CV_MUST_CHECK enum cv_err op_http_post(struct op_http *http, const char *target,
	const char *const *headers, const char *body, size_t len, struct op_http_answer *answer);

#endif
