#include "gateway/front_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <civetweb.h>

#include "gateway/front_conn.h"
#include "host/clock.h"
#include "host/log.h"

#define METRICS_THREADS "2"
#define HEAD_MAX "8192" /* request line and headers */
#define BACKLOG "4096"	/* the kernel lowers it to net.core.somaxconn */

const unsigned int front_statuses[FRONT_STATUSES] = { 200, 400, 401, 403, 404, 405, 413, 415, 503,
	0 };

struct listener {
	struct front *front;
	enum front_listener which;
	int fd;
};

static struct listener listeners[FRONT_LISTENERS];
static const char *const listener_names[] = { "devices", "operators", "metrics" };
static atomic_bool starting;

void front_count(struct front *f, enum front_listener listener, unsigned int status)
{
	size_t i = 0;

	while (i < FRONT_STATUSES - 1 && front_statuses[i] != status)
		i++;
	atomic_fetch_add(&f->answered[listener][i], 1);
}

/* Runs in the worker thread, before any signature is made. */
static int admit(SSL *ssl)
{
	struct front *f = listeners[FRONT_DEVICES].front;
	struct front_conn *c = front_conn_self();
	uint64_t now = clock_monotonic_ms();

	if (c == NULL)
		return 0;
	front_conn_begin(c, SSL_get_fd(ssl), now + atomic_load(&f->request_timeout_ms));
	if (!front_budget_allows(&f->budget, c->peer, now)) {
		atomic_fetch_add(&f->turned_away, 1);
		return 0;
	}
	atomic_fetch_add(&f->handshakes, 1);
	return 1;
}

static struct listener *listener_of(const struct mg_connection *conn)
{
	return mg_get_user_data(mg_get_context(conn));
}

static int on_ssl_context(void **ssl_ctx, void *user_data)
{
	const struct listener *l = user_data;

	*ssl_ctx = l->front->tls[l->which];
	return 1; /* the library adds nothing and frees nothing */
}

static int on_request(struct mg_connection *conn)
{
	struct listener *l = listener_of(conn);

	if (l->which == FRONT_METRICS)
		return front_metrics_request(l->front, conn);
	return front_request(l->front, l->which, conn);
}

static void on_close(const struct mg_connection *conn)
{
	struct front_conn *c = front_conn_self();
	struct front *f = listener_of(conn)->front;

	if (c == NULL)
		return;
	/* a handshake that led to nothing cost a signature */
	if (c->peer[0] != '\0' && c->requests == 0) {
		atomic_fetch_add(&f->failed_handshakes, 1);
		front_budget_charge(&f->budget, c->peer, clock_monotonic_ms());
	}
	front_conn_end(c);
	c->peer[0] = '\0';
}

static int on_error(struct mg_connection *conn, int status, const char *message)
{
	struct listener *l = listener_of(conn);

	(void)message;
	front_refuse(l->front, l->which, conn, status >= 500 && status != 505 ? 503 : 400);
	return 0;
}

/* The library's messages speak of single connections: nothing that an operator can act on. */
static int on_message(const struct mg_connection *conn, const char *message)
{
	(void)conn;
	if (atomic_load(&starting))
		log_error("front: %s", message);
	else
		log_debug("front: %s", message);
	return 1;
}

static void add_option(const char *options[], size_t *n, const char *name, const char *value)
{
	options[(*n)++] = name;
	options[(*n)++] = value;
	options[*n] = NULL;
}

/* The listening socket that came into being since the last call. */
static int find_listening_fd(void)
{
	struct rlimit limit;
	int max = 1024;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024)
		max = (int)limit.rlim_cur;
	for (int fd = 3; fd < max; fd++) {
		int listening = 0, known = 0;
		socklen_t len = sizeof(listening);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
			continue;
		for (int i = 0; i < FRONT_LISTENERS; i++)
			known |= listeners[i].fd == fd;
		if (!known)
			return fd;
	}
	return -1;
}

static enum cv_err note_address(struct front *f, enum front_listener which)
{
	const struct config_address *a[] = { &f->cfg->devices, &f->cfg->operators,
		&f->cfg->metrics };
	struct mg_server_port port;
	int fd = find_listening_fd(), seconds = 2;

	if (fd < 0 || mg_get_server_ports(f->contexts[which], 1, &port) != 1)
		return CV_ERR_INTERNAL;
	listeners[which].fd = fd;
	/* a peer that connects and stays silent never reaches a thread */
	if (which != FRONT_METRICS)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
	snprintf(f->addresses[which], sizeof(f->addresses[which]), a[which]->ipv6 ? "[%s]:%d" :
		"%s:%d", a[which]->host, port.port);
	return CV_OK;
}

static enum cv_err start(struct front *f, enum front_listener which)
{
	const struct config_address *a[] = { &f->cfg->devices, &f->cfg->operators,
		&f->cfg->metrics };
	const struct mg_callbacks callbacks = {
		.begin_request = on_request,
		.log_message = on_message,
		.external_ssl_ctx = which == FRONT_METRICS ? NULL : on_ssl_context,
		.connection_close = which == FRONT_METRICS ? NULL : on_close,
		.http_error = on_error,
	};
	char port[CONFIG_ADDRESS_BUF + 2], threads[16], timeout[16], keep_alive[16];
	const char *options[32];
	size_t n = 0;

	snprintf(port, sizeof(port), "%s%s", a[which]->text, which == FRONT_METRICS ? "" : "s");
	snprintf(threads, sizeof(threads), "%u", which == FRONT_DEVICES ? f->cfg->front.threads :
		f->cfg->front.operator_threads);
	snprintf(timeout, sizeof(timeout), "%u", f->cfg->front.request_timeout_ms);
	snprintf(keep_alive, sizeof(keep_alive), "%u", f->cfg->front.keep_alive_ms);
	add_option(options, &n, "listening_ports", port);
	add_option(options, &n, "num_threads", which == FRONT_METRICS ? METRICS_THREADS : threads);
	add_option(options, &n, "request_timeout_ms", timeout);
	add_option(options, &n, "keep_alive_timeout_ms", keep_alive);
	add_option(options, &n, "enable_keep_alive", which == FRONT_METRICS ? "no" : "yes");
	add_option(options, &n, "tcp_nodelay", "1");
	add_option(options, &n, "decode_url", "no");
	add_option(options, &n, "max_request_size", HEAD_MAX);
	add_option(options, &n, "listen_backlog", BACKLOG);
	add_option(options, &n, "connection_queue", threads);
	add_option(options, &n, "enable_auth_domain_check", "no");
	f->contexts[which] = mg_start(&callbacks, &listeners[which], options);
	return f->contexts[which] != NULL ? note_address(f, which) : CV_ERR_BUSY;
}

static enum cv_err make_tls(struct front *f)
{
	f->tls[FRONT_DEVICES] = tls_devices_context(&f->identity, admit);
	f->tls[FRONT_OPERATORS] = tls_operators_context(&f->identity, admit);
	if (f->tls[FRONT_DEVICES] != NULL && f->tls[FRONT_OPERATORS] != NULL)
		return CV_OK;
	log_error("front: OpenSSL refuses our TLS settings");
	return CV_ERR_CRYPTO;
}

enum cv_err front_server_start(struct front *f)
{
	const struct front_limits *l = &f->cfg->front;
	enum cv_err err = front_conn_init(l->threads + l->operator_threads);

	if (err == CV_OK)
		err = make_tls(f);
	if (err != CV_OK)
		return err;
	mg_init_library(MG_FEATURES_TLS);
	atomic_store(&starting, true);
	for (int i = 0; i < FRONT_LISTENERS; i++)
		listeners[i] = (struct listener){ f, (enum front_listener)i, -1 };
	for (int i = 0; i < FRONT_LISTENERS && err == CV_OK; i++) {
		err = start(f, (enum front_listener)i);
		if (err != CV_OK)
			log_error("front: %s listener: cannot start", listener_names[i]);
	}
	atomic_store(&starting, false);
	return err;
}

void front_server_close_listeners(struct front *f)
{
	int silent = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	atomic_store(&f->draining, true);
	/* The library polls these numbers until it ends: something that stays silent takes them. */
	for (int i = 0; i < FRONT_METRICS && silent >= 0; i++)
		if (listeners[i].fd >= 0) {
			shutdown(listeners[i].fd, SHUT_RDWR);
			(void)dup2(silent, listeners[i].fd);
		}
}
