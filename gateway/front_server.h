/*
 * The front's two TLS listeners and its plain one, over CivetWeb: everything that touches that
 * library is in front_server.c and front_request.c.
 *
 * Memory   one struct front for the process; it lives until the end.
 */
#ifndef CONCLAVE_GATEWAY_FRONT_SERVER_H
#define CONCLAVE_GATEWAY_FRONT_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "gateway/config.h"
#include "gateway/front_budget.h"
#include "gateway/front_pending.h"
#include "gateway/tls.h"

struct mg_connection;
struct mg_context;

enum front_listener { FRONT_DEVICES, FRONT_OPERATORS, FRONT_METRICS, FRONT_LISTENERS };

#define FRONT_STATUSES 10

struct front {
	const struct gateway_config *cfg;
	const char *fleet;
	struct tls_identity identity;
	struct front_pending *pending;
	struct front_budget budget;
	atomic_uint request_timeout_ms; /* these change on SIGHUP */
	atomic_uint keeper_timeout_ms;
	atomic_uint keep_alive_ms;
	atomic_uint requests_per_connection;
	atomic_bool draining;
	atomic_ulong answered[FRONT_LISTENERS][FRONT_STATUSES];
	atomic_ulong handshakes;       /* ClientHellos that were let in */
	atomic_ulong turned_away;      /* by the budget, at the ClientHello */
	atomic_ulong failed_handshakes;/* let in, and never a request */
	atomic_ulong expired;	       /* ended by the watch */
	struct mg_context *contexts[FRONT_LISTENERS];
	SSL_CTX *tls[2];
	char addresses[FRONT_LISTENERS][CONFIG_ADDRESS_BUF]; /* as bound */
};

/* The statuses that are counted; the index into `answered`. */
extern const unsigned int front_statuses[FRONT_STATUSES];
void front_count(struct front *f, enum front_listener listener, unsigned int status);

/* Starts all three; one line to the log on failure. CV_ERR_BUSY: an address is in use. */
CV_MUST_CHECK enum cv_err front_server_start(struct front *f);
/* No new connections; those that are open get "Connection: close" with their next answer. */
void front_server_close_listeners(struct front *f);

/* One request: checks, asks the keeper, answers. Returns the status, for the library's log. */
int front_request(struct front *f, enum front_listener listener, struct mg_connection *conn);
/* What the library itself refuses becomes a problem document too. */
void front_refuse(struct front *f, enum front_listener listener, struct mg_connection *conn,
	unsigned int status);
/* GET /healthz, /readyz, /metrics. */
int front_metrics_request(struct front *f, struct mg_connection *conn);

#endif
