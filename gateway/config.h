/*
 * The gateway's configuration (conclave-gateway.ini(5)): strict INI, every mistake told by line.
 *
 * The monitor reads the file once and hands the text to its children, so that a file that changes
 * half way never gives two processes different settings.
 *
 * Memory   struct gateway_config is large: allocate it. It owns nothing.
 * Threads  any, on separate structs.
 */
#ifndef CONCLAVE_GATEWAY_CONFIG_H
#define CONCLAVE_GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/ipc.h"
#include "gateway/privacy.h"
#include "host/file.h"
#include "host/log.h"
#include "host/sandbox.h"
#include "notify/destination.h"
#include "protocol/err.h"
#include "protocol/limits.h"

#define CONFIG_PATH_DEFAULT "/etc/conclave/gateway.ini"
#define CONFIG_STATE_DEFAULT "/var/lib/conclave-gateway"
#define CONFIG_ADDRESS_BUF 64 /* "ADDRESS:PORT", IPv6 in brackets */

#define CONFIG_USER_FRONT "conclave-front"
#define CONFIG_USER_KEEPER "conclave-keeper"
#define CONFIG_USER_SENDER "conclave-sender"

struct config_address {
	char text[CONFIG_ADDRESS_BUF]; /* as configured */
	char host[CONFIG_ADDRESS_BUF]; /* numeric, without brackets */
	uint16_t port;		       /* 0: the kernel chooses */
	bool ipv6;
};

/* The front's part of [limits]; SIGHUP changes all but the two numbers of threads. */
struct front_limits {
	uint32_t threads;	   /* devices connected at once */
	uint32_t operator_threads;
	uint32_t queue;		   /* requests that wait for the keeper; more are answered 503 */
	uint32_t request_timeout_ms; /* from the first byte of a request to its last */
	uint32_t keeper_timeout_ms;  /* for the keeper's answer */
	uint32_t keep_alive_ms;
	uint32_t requests_per_connection;
	uint32_t failures_burst;     /* failed requests of one address; 0: no budget */
	uint32_t failures_per_minute;
};

struct config_sender {
	uint32_t attempts;
	uint32_t outbox_max;
	uint32_t timeout_ms;
	bool allow_http;
	char ca_file[FILE_PATH_BUF]; /* "": the system's */
	size_t count;
	struct destination destinations[DESTINATIONS_MAX];
};

struct gateway_config {
	char id[CV_ID_BUF];
	char fleet[CV_ID_BUF]; /* "": as `install` pinned it */
	char state[FILE_PATH_BUF];
	struct config_address devices, operators, metrics;
	struct front_limits front;
	struct keeper_limits keeper;
	uint32_t reserve_records;
	struct privacy privacy;
	enum log_level log_level;
	enum sandbox_mode sandbox;
	struct config_sender sender;
};

/* Called once for each mistake, with one line such as "gateway.ini:12: [limits] queue: ...". */
typedef void (*config_say)(void *context, const char *line);

/*
 * CV_OK, or CV_ERR_CONFIG after every mistake was said. `name` stands for the file in messages.
 * With `check_files` the files that the text names must exist and be usable too.
 */
CV_MUST_CHECK enum cv_err config_parse(struct gateway_config *cfg, const char *name,
	const char *text, size_t len, bool check_files, config_say say, void *context);
/*
 * Reads the file's text: malloc'ed, NUL-terminated, the caller's to free. Fails as file_read.
 */
CV_MUST_CHECK enum cv_err config_read_text(char **text, size_t *len, const char *path);

/* "127.0.0.1:7443", "[::1]:0"; CV_ERR_FORMAT. Names are not taken: the front resolves nothing. */
CV_MUST_CHECK enum cv_err config_address_parse(struct config_address *out, const char *text);
bool config_address_is_loopback(const struct config_address *address);

#endif
